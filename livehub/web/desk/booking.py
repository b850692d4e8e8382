"""/desk/bookings/{id}: one booking: moving it, swapping it, who came, and handing the room over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.web import doors, reading
from livehub.web.desk.frame import back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import attendance, moves, moving, queries
from rooms.attendance import HandingOver
from rooms.errors import SlotTaken
from rooms.models import BookingState
from rooms.moving import Target
from rooms.queries import BookingRow
from rooms.sharing_models import Handover

bp = Blueprint("desk_booking", url_prefix="/desk/bookings")

Version = Annotated[int, Meta(ge=1, le=10**9)]
PUBLIC_ID_LENGTH = 16
_NEAR = timedelta(days=14)
_SETTING_UP = timedelta(hours=8)  # no room takes longer to set up


class Seen(Struct):
    """The booking as it was seen."""

    version: Version


class MoveForm(Struct):
    """Where it goes."""

    version: Version
    room: Annotated[str, Meta(min_length=1, max_length=16)]
    starts_at: reading.LocalTime
    minutes: Annotated[int, Meta(ge=1, le=1440)]
    override: Annotated[str, Meta(max_length=200)] = ""


class SwapForm(Struct):
    """Whose place it takes, as ``id:version``."""

    version: Version
    other: Annotated[str, Meta(pattern=r"^[0-9a-z]{1,16}:\d{1,9}$")]


class HandoverForm(Struct):
    """In what order the room was left."""

    out_by: Annotated[str, Meta(min_length=1, max_length=attendance.NAME_LENGTH)]
    in_by: Annotated[str, Meta(min_length=1, max_length=attendance.NAME_LENGTH)]
    missing: Annotated[list[Annotated[str, Meta(max_length=16)]], Meta(max_length=10)] = []
    note: Annotated[str, Meta(max_length=attendance.NOTE_LENGTH)] = ""


@bp.get("/<public_id:str>")
@doors.signed_in(Permission.BOOKING_READ)
async def show(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """The booking and what may be done with it."""
    return await _page(request, actor, public_id)


@bp.post("/<public_id:str>/move")
@doors.signed_in(Permission.BOOKING_APPROVE)
async def move(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Put it elsewhere."""
    try:
        given = reading.form(request, MoveForm)
        target = Target(
            room=given.room, starts_at=given.starts_at, minutes=given.minutes, override=given.override
        )
        await database.unit(
            lambda: moving.move(public_id, target, version=given.version, actor=actor, now=clock.now())
        )
    except LivehubError as error:
        return await _page(request, actor, public_id, error=error)
    return back(f"/desk/bookings/{public_id}", done="booking-put-elsewhere")


@bp.post("/<public_id:str>/swap")
@doors.signed_in(Permission.BOOKING_APPROVE)
async def swap(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Let it and another take each other's place."""
    try:
        given = reading.form(request, SwapForm)
        other, _, version = given.other.partition(":")
        pair = (public_id, given.version), (other, int(version))
        await database.unit(lambda: moving.swap(*pair, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _page(request, actor, public_id, error=error)
    return back(f"/desk/bookings/{public_id}", done="booking-swapped")


@bp.post("/<public_id:str>/check-in")
@doors.signed_in(Permission.BOOKING_APPROVE)
async def check_in(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """The crew is there."""
    return await _done(attendance.check_in, request, actor, public_id, done="booking-checked-in")


@bp.post("/<public_id:str>/complete")
@doors.signed_in(Permission.BOOKING_APPROVE)
async def complete(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """The crew has left."""
    return await _done(attendance.complete, request, actor, public_id, done="booking-completed")


@bp.post("/<public_id:str>/miss")
@doors.signed_in(Permission.BOOKING_APPROVE)
async def miss(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Nobody came."""
    return await _done(attendance.miss, request, actor, public_id, done="booking-missed")


@bp.post("/<public_id:str>/handover")
@doors.signed_in(Permission.BOOKING_APPROVE)
async def hand_over(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Write down in what order the room was left."""
    try:
        given = reading.form(request, HandoverForm)
        noted = HandingOver(
            missing=tuple(given.missing), note=given.note, out_by=given.out_by, in_by=given.in_by
        )
        await database.unit(lambda: attendance.hand_over(public_id, noted, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _page(request, actor, public_id, error=error)
    return back(f"/desk/bookings/{public_id}", done="handed-over")


async def _done(
    verb: Callable[..., Awaitable[Any]], request: Request, actor: Actor, public_id: str, *, done: str
) -> HTTPResponse:
    try:
        version = reading.form(request, Seen).version
        await database.unit(lambda: verb(public_id, version=version, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _page(request, actor, public_id, error=error)
    return back(f"/desk/bookings/{public_id}", done=done)


async def _page(
    request: Request, actor: Actor, public_id: str, *, error: LivehubError | None = None
) -> HTTPResponse:
    if len(public_id) > PUBLIC_ID_LENGTH:
        raise NotFound
    row = await queries.booking(public_id, actor=actor)
    shown = doors.shown(request, error) if error else None
    now = clock.now()
    state = BookingState(row.state)
    may_act = may(actor, Permission.BOOKING_APPROVE, bureau_id=row.bureau_id)
    return page(
        "desk/booking.html",
        status=shown.status if shown else 200,
        shell=await frame(request, actor, "bookings", refusal=shown),
        now=now,
        row=row,
        form=reading.refused(request, error) if error else _as_it_is(row),
        rooms=[(each.public_id, each.name) for each in await queries.rooms_of(actor.centre_id)],
        conflicts=error.data["conflicts"] if isinstance(error, SlotTaken) else [],
        suggestions=error.data["suggestions"] if isinstance(error, SlotTaken) else [],
        others=await _others(row, actor=actor, now=now) if may_act and state in moving.MOVABLE else [],
        can={
            "move": may_act and state in moving.MOVABLE,
            "check_in": may_act
            and BookingState.CHECKED_IN in moves.BOOKING.get(state, frozenset())
            and row.starts_at - _SETTING_UP <= now,
            "miss": may_act and state is BookingState.APPROVED and now >= row.starts_at + attendance.PATIENCE,
            "complete": may_act and state is BookingState.CHECKED_IN,
            "hand_over": may_act and state in (BookingState.CHECKED_IN, BookingState.COMPLETED),
        },
        handover=await Handover.get_or_none(booking__public_id=public_id),
    )


def _as_it_is(row: BookingRow) -> Form:
    return reading.blank(
        room=row.room_id,
        starts_at=f"{clock.local(row.starts_at):%Y-%m-%dT%H:%M}",
        minutes=str(int((row.ends_at - row.starts_at) / timedelta(minutes=1))),
    )


async def _others(row: BookingRow, *, actor: Actor, now: datetime) -> list[tuple[str, BookingRow]]:
    """The bookings around it that it may be swapped with."""
    found = [
        each
        for state in sorted(moving.MOVABLE)
        for each in (await queries.bookings(actor=actor, state=state, size=100)).items
        if each.id != row.id and each.starts_at > now and abs(each.starts_at - row.starts_at) <= _NEAR
    ]
    return [(f"{each.id}:{each.version}", each) for each in sorted(found, key=lambda each: each.starts_at)]
