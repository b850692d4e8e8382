"""Bookings that go to another time or room, alone or two in each other's place."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may, require
from livehub.kit import clock, states
from livehub.kit.errors import Detail, NotFound
from rooms import claims, gate, locks, moves, rules, steps, telling, waitlist, wishes
from rooms.conflicts import Frame, Span
from rooms.errors import OutsideRules
from rooms.models import Booking, BookingState, Broadcast, Room

MOVABLE = moves.PENDING | {BookingState.APPROVED}


class Target(Struct, frozen=True, kw_only=True):
    """Where a booking goes; what is not said stays as it is."""

    room: str = ""  # public id
    starts_at: datetime | None = None
    minutes: int | None = None
    override: str = ""  # the centre's reason to leave opening hours, lead and advance aside


@database.atomic
async def move(
    public_id: str,
    target: Target,
    *,
    right: Permission = Permission.BOOKING_APPROVE,
    version: int | None = None,
    actor: Actor,
    now: datetime,
) -> Booking:
    """Put a booking elsewhere; its approval stands. Refused as a wish would be.

    With the right to ask, BOOKING_REQUEST, only what still waits for approval is moved.
    """
    booking = await steps.held(public_id, actor=actor, permission=right)
    _require_movable(booking)
    if booking.state is BookingState.APPROVED or target.override:
        _require_approver(booking, actor=actor)
    steps.require_version(booking, version)
    room = await _room(target.room, booking=booking)
    starts_at = target.starts_at or booking.start_at
    length = booking.end_at - booking.start_at
    if target.minutes is not None:
        length = timedelta(minutes=target.minutes)
    if (room.id, starts_at, length) == (booking.room_id, booking.start_at, booking.end_at - booking.start_at):
        return booking
    freed, left, since = steps.outer(booking), booking.room_id, booking.start_at
    booking.override_reason = target.override.strip() or booking.override_reason
    frame = await _place(booking, room=room, core=Span(starts_at, starts_at + length), now=now)
    await claims.release({booking.id})
    await steps.take(booking, room=room, frame=frame, now=now)
    await _moved(booking, room=room, since=since, actor=actor, now=now)
    await waitlist.offer_freed(left, freed, now=now)
    return booking


@database.atomic
async def swap(
    one: tuple[str, int | None], other: tuple[str, int | None], *, actor: Actor, now: datetime
) -> tuple[Booking, Booking]:
    """Let two bookings take each other's room and start, each with its own length; both or neither.

    Each is named with the version that was seen.
    """
    first, second = await _both(one[0], other[0], actor=actor)
    for booking, version in ((first, one[1]), (second, other[1])):
        _require_movable(booking)
        steps.require_version(booking, version)
    rooms = {each.id: each for each in await Room.filter(id__in={first.room_id, second.room_id})}
    goals = [
        (first, rooms[second.room_id], _from(second.start_at, like=first)),
        (second, rooms[first.room_id], _from(first.start_at, like=second)),
    ]
    since = [booking.start_at for booking, _, _ in goals]
    frames = [await _place(booking, room=room, core=core, now=now) for booking, room, core in goals]
    await claims.release({first.id, second.id})
    await locks.hold("bureau", {first.bureau_id, second.bureau_id})
    for booking, _, _ in goals:  # each is counted where it will be
        await booking.save()
    await claims.line_up([want for booking, _, _ in goals for want in await steps.wanted(booking)])
    for (booking, room, _), frame in zip(goals, frames, strict=True):
        await steps.take(booking, room=room, frame=frame, now=now)
    for (booking, room, _), before in zip(goals, since, strict=True):
        await _moved(booking, room=room, since=before, actor=actor, now=now)
    return first, second


async def _place(booking: Booking, *, room: Room, core: Span, now: datetime) -> Frame:
    """Write the new place into the booking, or say which rules of the room it breaks."""
    wishes.require_active(room)
    frame = await rules.frame_for(room)
    if found := wishes.binding(core, frame=frame, override=booking.override_reason, now=now):
        raise rules.refusal(found)
    booking.room_id, booking.start_at, booking.end_at = room.id, core.starts_at, core.ends_at
    booking.setup_min, booking.turnover_min = frame.setup_min, frame.turnover_min
    if booking.hold_until is not None:
        booking.hold_until = min(booking.hold_until, core.starts_at)
    return frame


async def _moved(booking: Booking, *, room: Room, since: datetime, actor: Actor, now: datetime) -> None:
    await _follow(booking, room=room)
    await steps.changed(booking)
    went = {"from": since.isoformat(), "to": booking.start_at.isoformat(), "room": room.public_id}
    await steps.note("booking.moved", booking, actor=actor, now=now, more=went)
    if may(actor, Permission.BOOKING_APPROVE, bureau_id=booking.bureau_id):
        await telling.tell_bureau("booking.moved", booking, said="：中心已把它调整到这个时间。", now=now)
    else:
        await telling.ask_centre(booking, now=now)


async def _follow(booking: Booking, *, room: Room) -> None:
    """The broadcast goes along, and is checked anew: papers are judged on its day."""
    born = await Broadcast.get_or_none(booking_id=booking.id)
    if born is None:
        return
    await locks.hold("broadcast", {born.id})
    broadcast = await Broadcast.get(id=born.id)
    await Broadcast.filter(id=broadcast.id).update(
        room_id=room.id,
        business_day=clock.day_number(clock.business_day(booking.start_at, boundary_hour=room.boundary_hour)),
        planned_start_at=clock.to_ms(booking.start_at),
        planned_end_at=clock.to_ms(booking.end_at),
    )
    await gate.reopen(broadcast)


async def _room(public_id: str, *, booking: Booking) -> Room:
    if not public_id:
        return await Room.get(id=booking.room_id)
    room = await Room.get_or_none(public_id=public_id, centre_id=booking.centre_id)
    if room is None:
        raise OutsideRules(details=[Detail("room", "没有这个直播间")])
    return room


async def _both(one: str, other: str, *, actor: Actor) -> tuple[Booking, Booking]:
    seen = {each.public_id: each for each in await Booking.filter(public_id__in={one, other})}
    if one not in seen or other not in seen:
        raise NotFound
    for each in seen.values():
        _require_approver(each, actor=actor)
    if one == other:
        raise OutsideRules(details=[Detail("other", "不能和自己对调", "另一条排期")])
    await locks.hold("booking", {each.id for each in seen.values()})
    return await Booking.get(id=seen[one].id), await Booking.get(id=seen[other].id)


def _require_approver(booking: Booking, *, actor: Actor) -> None:
    require(actor, Permission.BOOKING_APPROVE, bureau_id=booking.bureau_id, centre_id=booking.centre_id)


def _require_movable(booking: Booking) -> None:
    if booking.state not in MOVABLE:
        raise states.WrongState(data={"state": str(booking.state), "wanted": "moved"})


def _from(starts_at: datetime, *, like: Booking) -> Span:
    return Span(starts_at, starts_at + (like.end_at - like.start_at))
