"""A booking from request to end: who may take a room, when, and what becomes of it.

Each verb happens wholly or not at all; one that comes from outside goes through ``database.unit``.
Commands check the state before the version: what is no longer allowed is a conflict, what is allowed but
was seen in an older version is stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.models import Centre
from livehub.accounts.permissions import Permission, require, require_second_person
from livehub.kit import clock, ids, outbox, states
from livehub.kit.errors import Detail, NotFound, StaleVersion
from rooms import births, claims, conflicts, locks, moves, rules, slots, wishes
from rooms.conflicts import Frame, Span
from rooms.errors import AlreadyDecided, PersonNeeded, ReasonMissing
from rooms.facts import BookingApproved, BookingReleased, BookingSubmitted
from rooms.models import Booking, BookingKind, BookingState, Broadcast, BroadcastState, CrewAssignment, Room
from rooms.wishes import Wish

REASON_LENGTH = 200


@database.atomic
async def request(wish: Wish, *, actor: Actor, now: datetime, draft: bool = False) -> Booking:
    """Take a room and people for a time; a draft holds nothing until it is submitted.

    OutsideRules names every field that is wrong; SlotTaken carries the conflicts and the nearest free times.
    """
    meant = await wishes.understand(wish, actor=actor, now=now)
    booking = await Booking.create(
        public_id=ids.public_id(),
        centre_id=meant.room.centre_id,
        room_id=meant.room.id,
        bureau_id=wish.bureau_id,
        kind=wish.kind,
        title=wish.title.strip(),
        start_at=wish.starts_at,
        end_at=wish.core.ends_at,
        setup_min=meant.frame.setup_min,
        turnover_min=meant.frame.turnover_min,
        state=BookingState.DRAFT,
        created_by_id=_user_id(actor),
        created_at=now,
    )
    await CrewAssignment.bulk_create(
        CrewAssignment(booking_id=booking.id, person_id=person_id, role=role)
        for person_id, role in meant.crew
    )
    if wish.kind is BookingKind.LIVE and meant.streamer is not None:
        await births.broadcast(booking, room=meant.room, streamer=meant.streamer)
    if not draft:
        await _submit(booking, room=meant.room, frame=meant.frame, people=meant.people, now=now)
        await booking.save()
    await _audit("booking.created", booking, actor=actor, now=now)
    return booking


async def check(wish: Wish, *, actor: Actor, now: datetime) -> slots.Clash:
    """What would stand in the way of a wish at this moment; holds nothing."""
    meant = await wishes.understand(wish, actor=actor, now=now)
    wants = slots.wanted(wish.core, room_id=meant.room.id, frame=meant.frame, people=meant.people)
    return await slots.clash(wants, core=wish.core, frame=meant.frame, now=now)


@database.atomic
async def submit(public_id: str, *, version: int | None = None, actor: Actor, now: datetime) -> Booking:
    """Hold the time of a draft and ask for approval; SlotTaken when somebody was faster."""
    booking = await _held(public_id, actor=actor, permission=Permission.BOOKING_REQUEST)
    states.require_move(moves.BOOKING, current=booking.state, target=BookingState.SUBMITTED)
    _require_version(booking, version)
    room, centre = await Room.get(id=booking.room_id), await Centre.get(id=booking.centre_id)
    wishes.require_active(room)
    frame = rules.frame_of(room, centre)
    if found := conflicts.faults(_core(booking), frame=frame, now=now):
        raise rules.refusal(found)
    crew = await CrewAssignment.filter(booking_id=booking.id).exclude(state="declined")
    await _submit(booking, room=room, frame=frame, people={each.person_id for each in crew}, now=now)
    await _changed(booking)
    await _audit("booking.submitted", booking, actor=actor, now=now)
    return booking


@database.atomic
async def approve(public_id: str, *, version: int | None = None, actor: Actor, now: datetime) -> Booking:
    """Make a booking firm; two-person rooms need two different users, one after the other."""
    booking = await _pending(public_id, version=version, actor=actor)
    room = await Room.get(id=booking.room_id)
    if room.approvals >= 2 and actor.kind != "user":
        raise PersonNeeded
    if room.approvals >= 2 and booking.state is BookingState.SUBMITTED:
        booking.first_approved_by_id = actor.id
        booking.state = BookingState.FIRST_APPROVED
        await _changed(booking)
        await _audit("booking.first_approved", booking, actor=actor, now=now)
        return booking
    if room.approvals >= 2:
        require_second_person(actor, first_user_id=booking.first_approved_by_id)
    booking.approved_by_id = _user_id(actor)
    await _make_firm(booking, now=now)
    await _changed(booking)
    await _audit("booking.approved", booking, actor=actor, now=now)
    return booking


@database.atomic
async def reject(
    public_id: str, *, reason: str, version: int | None = None, actor: Actor, now: datetime
) -> Booking:
    """Refuse a booking that waits; the applicant reads the reason."""
    booking = await _pending(public_id, version=version, actor=actor)
    if not 0 < len(reason.strip()) <= REASON_LENGTH:
        raise ReasonMissing(details=[Detail("reason", "请写明原因", f"1 到 {REASON_LENGTH} 个字")])
    await _let_go(booking, into=BookingState.REJECTED, reason=reason, now=now)
    await _audit("booking.rejected", booking, actor=actor, now=now)
    return booking


@database.atomic
async def cancel(
    public_id: str, *, reason: str = "", version: int | None = None, actor: Actor, now: datetime
) -> Booking:
    """Give a booking's time back before its show has begun."""
    booking = await _held(public_id, actor=actor, permission=Permission.BOOKING_REQUEST)
    states.require_move(moves.BOOKING, current=booking.state, target=BookingState.CANCELLED)
    if await Broadcast.exists(booking_id=booking.id, started_at__isnull=False):
        raise states.WrongState(data={"state": str(booking.state), "wanted": str(BookingState.CANCELLED)})
    _require_version(booking, version)
    await _let_go(booking, into=BookingState.CANCELLED, reason=reason, now=now)
    await _audit("booking.cancelled", booking, actor=actor, now=now)
    return booking


@database.atomic
async def expire_holds(*, actor: Actor, now: datetime, limit: int = 200) -> int:
    """Let go of bookings nobody approved in time; running it twice changes nothing."""
    due = await Booking.filter(state__in=list(moves.PENDING), hold_until__lte=now).order_by("id").limit(limit)
    expired = await _still(due, among=moves.PENDING)
    for booking in expired:
        await _let_go(booking, into=BookingState.EXPIRED, reason="", now=now)
        await _audit("booking.expired", booking, actor=actor, now=now)
    return len(expired)


@database.atomic
async def close_past(*, actor: Actor, now: datetime, limit: int = 200) -> int:
    """Complete what was used and note as no-show what nobody came for, once its time is over."""
    over = {BookingState.APPROVED: BookingState.NO_SHOW, BookingState.CHECKED_IN: BookingState.COMPLETED}
    seen = await Booking.filter(state__in=list(over), end_at__lt=now).order_by("end_at", "id").limit(limit)
    on_air = await Broadcast.filter(booking_id__in=[each.id for each in seen], state=BroadcastState.LIVE)
    busy = {each.booking_id for each in on_air}
    due = [each for each in seen if each.id not in busy and _outer_end(each) <= now]
    closed = await _still(due, among=over)
    for booking in closed:
        await _let_go(booking, into=over[booking.state], reason="", now=now)
        await _audit(f"booking.{booking.state}", booking, actor=actor, now=now)
    return len(closed)


async def _pending(public_id: str, *, version: int | None, actor: Actor) -> Booking:
    """A booking this actor may decide on, locked; AlreadyDecided when somebody did."""
    booking = await _held(public_id, actor=actor, permission=Permission.BOOKING_APPROVE)
    if booking.state not in moves.PENDING:
        raise AlreadyDecided(data={"state": str(booking.state)})
    _require_version(booking, version)
    return booking


async def _held(public_id: str, *, actor: Actor, permission: Permission) -> Booking:
    """The booking, locked; NotFound when the actor has none of that id."""
    seen = await Booking.get_or_none(public_id=public_id)
    if seen is None:
        raise NotFound
    require(actor, permission, bureau_id=seen.bureau_id, centre_id=seen.centre_id)
    await locks.hold("booking", {seen.id})
    return await Booking.get(id=seen.id)


async def _still(seen: Sequence[Booking], *, among: Iterable[BookingState]) -> list[Booking]:
    """Those that are in such a state even now that they are locked."""
    numbers = [each.id for each in seen]
    await locks.hold("booking", numbers)
    return await Booking.filter(id__in=numbers, state__in=list(among)).order_by("id")


def _require_version(booking: Booking, version: int | None) -> None:
    if version is not None and version != booking.version:
        raise StaleVersion(data={"version": booking.version})


async def _submit(
    booking: Booking, *, room: Room, frame: Frame, people: Iterable[int], now: datetime
) -> None:
    core = _core(booking)
    wants = slots.wanted(core, room_id=room.id, frame=frame, people=people)
    try:
        await claims.take(booking.id, wanted=wants)
    except claims.Overlap as error:
        raise slots.refusal(await slots.clash(wants, core=core, frame=frame, now=now), core=core) from error
    booking.setup_min, booking.turnover_min = frame.setup_min, frame.turnover_min
    booking.state = BookingState.SUBMITTED
    booking.hold_until = min(now + timedelta(hours=room.hold_ttl_h), booking.start_at)
    fact = BookingSubmitted(booking_id=booking.id, centre_id=booking.centre_id, bureau_id=booking.bureau_id)
    await outbox.record(fact, now=now)
    if room.approvals == 0:
        await _make_firm(booking, now=now)


async def _make_firm(booking: Booking, *, now: datetime) -> None:
    booking.state, booking.hold_until = BookingState.APPROVED, None
    born = await Broadcast.get_or_none(booking_id=booking.id)
    fact = BookingApproved(
        booking_id=booking.id,
        broadcast_id=born.id if born is not None else 0,
        centre_id=booking.centre_id,
        bureau_id=booking.bureau_id,
        at_ms=clock.to_ms(now),
    )
    await outbox.record(fact, now=now)


async def _let_go(booking: Booking, *, into: BookingState, reason: str, now: datetime) -> None:
    states.require_move(moves.BOOKING, current=booking.state, target=into)
    await claims.release({booking.id})
    broadcast_id = await births.undo(booking.id)
    booking.state, booking.reason, booking.hold_until = into, reason.strip()[:REASON_LENGTH], None
    await _changed(booking)
    fact = BookingReleased(
        booking_id=booking.id,
        broadcast_id=broadcast_id,
        centre_id=booking.centre_id,
        bureau_id=booking.bureau_id,
        state=str(into),
    )
    await outbox.record(fact, now=now)


async def _changed(booking: Booking) -> None:
    booking.version += 1
    await booking.save()


def _user_id(actor: Actor) -> int:
    """0 for tokens and jobs; the audit trail names them."""
    return actor.id if actor.kind == "user" else 0


def _core(booking: Booking) -> Span:
    return Span(booking.start_at, booking.end_at)


def _outer_end(booking: Booking) -> datetime:
    return booking.end_at + timedelta(minutes=booking.turnover_min)


async def _audit(action: str, booking: Booking, *, actor: Actor, now: datetime) -> None:
    if not actor.centre_id:  # a job of ours, working for this centre
        actor = msgspec.structs.replace(actor, centre_id=booking.centre_id)
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("booking", booking.public_id),
        bureau_id=booking.bureau_id,
        detail={"state": str(booking.state), "version": booking.version, "reason": booking.reason},
    )
