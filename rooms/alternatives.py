"""Free times in place of one that is lost: the same time in other rooms, then the nearest in the same one."""

from __future__ import annotations

from datetime import datetime, timedelta

from rooms import claims, conflicts, rules, slots, steps
from rooms.conflicts import SUGGESTIONS, Span
from rooms.models import Booking, Room

_REACH = timedelta(days=conflicts.SEARCH_DAYS + 1)


async def instead_of(booking: Booking, *, now: datetime) -> list[tuple[Room, Span]]:
    """Up to three (room, time) that would also suit the booking's people and equipment."""
    core = steps.core(booking)
    found: list[tuple[Room, Span]] = []
    rooms = await Room.filter(centre_id=booking.centre_id, status="active").order_by("code")
    for room in rooms:
        if room.id != booking.room_id and await _fits(booking, core, room=room, now=now):
            found.append((room, core))
        if len(found) == SUGGESTIONS:
            return found
    for room in rooms:
        if room.id == booking.room_id:
            found += [(room, span) for span in await _near(booking, core, room=room, now=now)]
    return found[:SUGGESTIONS]


async def _fits(booking: Booking, core: Span, *, room: Room, now: datetime) -> bool:
    frame = await rules.frame_for(room)
    if conflicts.faults(core, frame=frame, now=now):
        return False
    people, units = await _others(booking)
    wants = slots.wanted(core, room_id=room.id, frame=frame, people=people, equipment=units)
    resources = {(each.kind, each.resource_id) for each in wants}
    return not conflicts.find(
        wants, await claims.taken(resources, since=core.starts_at - _REACH, until=core.ends_at + _REACH)
    )


async def _near(booking: Booking, core: Span, *, room: Room, now: datetime) -> list[Span]:
    frame = await rules.frame_for(room)
    people, units = await _others(booking)
    wants = slots.wanted(core, room_id=room.id, frame=frame, people=people, equipment=units)
    return list((await slots.clash(wants, core=core, frame=frame, now=now)).suggestions)


async def _others(booking: Booking) -> tuple[list[int], list[int]]:
    wants = await steps.wanted(booking)
    people = [each.resource_id for each in wants if each.kind == "person"]
    return people, [each.resource_id for each in wants if each.kind == "equipment"]
