"""Shifting a booking to another time or room: its claims, its broadcast, and what was checked of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, states
from livehub.kit.errors import NotFound, StaleVersion
from rooms import claims, conflicts, gate, locks, moves, rules, steps, waitlist, wishes
from rooms.conflicts import Span
from rooms.models import Booking, BookingState, Broadcast, Room

MOVABLE = moves.PENDING | {BookingState.APPROVED}


class Place(Struct, frozen=True, kw_only=True):
    """Where a booking goes; an empty room (public id) is the one it has."""

    starts_at: datetime
    minutes: int
    room: str = ""

    @property
    def core(self) -> Span:
        """The time itself, without buffers."""
        return Span(self.starts_at, self.starts_at + timedelta(minutes=self.minutes))


@database.atomic
async def shift(
    public_id: str, *, to: Place, version: int | None = None, actor: Actor, now: datetime
) -> Booking:
    """Take the new time and give the old one back, or neither.

    Who asked may move what waits; what is approved is moved by who approves. SlotTaken, OutsideRules.
    """
    seen = await Booking.get_or_none(public_id=public_id)
    if seen is None:
        raise NotFound
    require(actor, Permission.BOOKING_REQUEST, bureau_id=seen.bureau_id, centre_id=seen.centre_id)
    await locks.hold("booking", {seen.id})
    booking = await Booking.get(id=seen.id)
    if booking.state not in MOVABLE:
        raise states.WrongState(data={"state": str(booking.state)})
    if booking.state is BookingState.APPROVED:
        require(actor, Permission.BOOKING_APPROVE, bureau_id=seen.bureau_id, centre_id=seen.centre_id)
    if version is not None and version != booking.version:
        raise StaleVersion(data={"version": booking.version})
    room = await _room(booking, to)
    wishes.require_active(room)
    frame = await rules.frame_for(room)
    if found := wishes.binding(to.core, frame=frame, override=booking.override_reason, now=now):
        raise rules.refusal(found)
    left, freed = booking.room_id, steps.outer(booking)
    await _retake(booking, to=to, room=room, frame=frame, now=now)
    await follow(booking, room=room)
    await audit.write(
        "booking.moved",
        actor=actor,
        now=now,
        about=("booking", booking.public_id),
        bureau_id=booking.bureau_id,
        detail={
            "from": seen.start_at.isoformat(),
            "to": booking.start_at.isoformat(),
            "room": room.public_id,
            "version": booking.version,
        },
    )
    await waitlist.offer_freed(left, freed, now=now)
    return booking


async def _room(booking: Booking, to: Place) -> Room:
    if not to.room:
        return await Room.get(id=booking.room_id)
    room = await Room.get_or_none(public_id=to.room, centre_id=booking.centre_id)
    if room is None:
        raise NotFound
    return room


async def _retake(booking: Booking, *, to: Place, room: Room, frame: conflicts.Frame, now: datetime) -> None:
    await claims.release({booking.id})
    booking.room_id = room.id
    booking.start_at, booking.end_at = to.core.starts_at, to.core.ends_at
    booking.setup_min, booking.turnover_min = frame.setup_min, frame.turnover_min
    await steps.take(booking, room=room, frame=frame, now=now)
    booking.version += 1
    await booking.save()


async def follow(booking: Booking, *, room: Room) -> None:
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
