"""Who came: signing in, leaving, nobody there, and handing the room over."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import states
from livehub.kit.errors import Detail
from rooms import moves, steps, waitlist
from rooms.errors import AlreadyHandedOver, HandoverRefused, NotTimeYet, OnAirNow
from rooms.models import Booking, BookingState, Broadcast, BroadcastState
from rooms.sharing_models import Handover

PATIENCE = timedelta(minutes=15)  # after the start, before a booking may be called missed
ITEMS = (
    "camera",
    "lights",
    "audio",
    "network",
    "clean",
    "power",
)  # what is looked at when a room changes hands
NAME_LENGTH, NOTE_LENGTH = 40, 200


class HandingOver(Struct, frozen=True, kw_only=True):
    """What the two crews agree on; ``missing`` names what was not in order."""

    missing: tuple[str, ...] = ()
    note: str = ""
    out_by: str
    in_by: str


@database.atomic
async def check_in(public_id: str, *, version: int | None = None, actor: Actor, now: datetime) -> Booking:
    """The crew is there: from the setting up on. NotTimeYet before."""
    booking = await steps.held(public_id, actor=actor, permission=Permission.BOOKING_REQUEST)
    states.require_move(moves.BOOKING, current=booking.state, target=BookingState.CHECKED_IN)
    steps.require_version(booking, version)
    opens = steps.outer(booking).starts_at
    if now < opens:
        raise NotTimeYet(data={"from": opens})
    booking.state, booking.checked_in_by_id = BookingState.CHECKED_IN, steps.user_id(actor)
    await steps.changed(booking)
    await steps.note("booking.checked_in", booking, actor=actor, now=now)
    return booking


@database.atomic
async def complete(public_id: str, *, version: int | None = None, actor: Actor, now: datetime) -> Booking:
    """The crew has left: what is left of the time is free. OnAirNow while the show runs."""
    booking = await steps.held(public_id, actor=actor, permission=Permission.BOOKING_REQUEST)
    states.require_move(moves.BOOKING, current=booking.state, target=BookingState.COMPLETED)
    steps.require_version(booking, version)
    if await Broadcast.exists(booking_id=booking.id, state=BroadcastState.LIVE):
        raise OnAirNow
    return await _end(booking, BookingState.COMPLETED, actor=actor, now=now)


@database.atomic
async def miss(public_id: str, *, version: int | None = None, actor: Actor, now: datetime) -> Booking:
    """Nobody came: the rest of the time is free again. NotTimeYet in the first quarter of an hour."""
    booking = await steps.held(public_id, actor=actor, permission=Permission.BOOKING_APPROVE)
    states.require_move(moves.BOOKING, current=booking.state, target=BookingState.NO_SHOW)
    steps.require_version(booking, version)
    if now < booking.start_at + PATIENCE:
        raise NotTimeYet(data={"from": booking.start_at + PATIENCE})
    return await _end(booking, BookingState.NO_SHOW, actor=actor, now=now)


@database.atomic
async def hand_over(public_id: str, given: HandingOver, *, actor: Actor, now: datetime) -> Handover:
    """Write down in what order the room was left, once; both crews are named."""
    booking = await steps.held(public_id, actor=actor, permission=Permission.BOOKING_REQUEST)
    if booking.state not in (BookingState.CHECKED_IN, BookingState.COMPLETED):
        raise states.WrongState(data={"state": str(booking.state), "wanted": "handed_over"})
    _require_sound(given)
    try:
        async with database.transaction():
            noted = await Handover.create(
                booking_id=booking.id,
                missing=" ".join(each for each in ITEMS if each in given.missing),
                note=given.note.strip(),
                out_by=given.out_by.strip(),
                in_by=given.in_by.strip(),
                noted_by_id=steps.user_id(actor),
                noted_at=now,
            )
    except IntegrityError as error:
        raise AlreadyHandedOver from error
    about = ("booking", booking.public_id)
    await audit.write(
        "booking.handed_over",
        actor=actor,
        now=now,
        about=about,
        bureau_id=booking.bureau_id,
        detail={"missing": noted.missing},
    )
    return noted


async def _end(booking: Booking, into: BookingState, *, actor: Actor, now: datetime) -> Booking:
    await steps.let_go(booking, into=into, reason="", now=now)
    await steps.note(f"booking.{into}", booking, actor=actor, now=now)
    await waitlist.offer_freed(booking.room_id, steps.outer(booking), now=now)
    return booking


def _require_sound(given: HandingOver) -> None:
    details = [
        Detail(name, "请填写姓名", f"1 到 {NAME_LENGTH} 个字")
        for name, text in (("out_by", given.out_by), ("in_by", given.in_by))
        if not 0 < len(text.strip()) <= NAME_LENGTH
    ]
    if len(given.note) > NOTE_LENGTH:
        details.append(Detail("note", "太长", f"最多 {NOTE_LENGTH} 个字"))
    if set(given.missing) - set(ITEMS):
        details.append(Detail("missing", "没有这一项", "、".join(ITEMS)))
    if details:
        raise HandoverRefused(details=details)
