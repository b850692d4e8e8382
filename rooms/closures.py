"""封场: rooms closed for a time. A normal closure takes what is free; a forced one takes all of it.

A forced closure says beforehand whom it meets. It is made only if that is still so, and each bureau it
meets gets one message with up to three other times.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, ids
from livehub.kit.errors import Detail, NotFound
from rooms import alternatives, claims, locks, steps, telling, waitlist
from rooms.conflicts import Wanted
from rooms.errors import AlreadyClosed, ClosureRefused, OnAirNow, PreviewChanged, RoomBooked
from rooms.models import Booking, BookingState, Broadcast, BroadcastState, Room
from rooms.sharing_models import Closure, ClosureRoom

LONGEST = timedelta(days=366)
REASON_LENGTH = 200

BECOMES: Mapping[BookingState, BookingState] = {
    BookingState.OFFERED: BookingState.EXPIRED,
    BookingState.SUBMITTED: BookingState.REJECTED,
    BookingState.FIRST_APPROVED: BookingState.REJECTED,
    BookingState.APPROVED: BookingState.DISPLACED,
    BookingState.CHECKED_IN: BookingState.DISPLACED,
}
_SAID = {
    BookingState.EXPIRED: "的候补名额因封场取消",
    BookingState.REJECTED: "因封场被驳回",
    BookingState.DISPLACED: "因封场被调整",
}
_MET = """
    SELECT b.id, b.public_id, b.title, b.state, b.start_at, b.end_at, r.name AS room, u.name AS bureau
    FROM v JOIN resource_claim c ON c.kind = 'room' AND c.resource_id = v.room_id AND c.active
      AND c.starts_at < v.until AND v.since < c.ends_at
    JOIN booking b ON b.id = c.booking_id JOIN room r ON r.id = b.room_id JOIN bureau u ON u.id = b.bureau_id
"""


class Plan(Struct, frozen=True, kw_only=True):
    """Rooms, by public id, to be closed for a time."""

    rooms: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    reason: str
    force: bool = False


class Hit(Struct, frozen=True, kw_only=True):
    """A booking whose claim a closure meets, and what would become of it."""

    id: int
    public_id: str
    title: str
    room: str
    bureau: str
    starts_at: datetime
    ends_at: datetime
    state: BookingState
    becomes: BookingState


@database.atomic
async def preview(plan: Plan, *, actor: Actor, now: datetime) -> list[Hit]:
    """Whom a forced closure would meet, by time; AlreadyClosed when another closure is there."""
    rooms = await _understand(plan, actor=actor, now=now)
    taken = await claims.taken(
        {("room", each.id) for each in rooms}, since=plan.starts_at, until=plan.ends_at
    )
    if closed := [each for each in taken if each.closed]:
        raise AlreadyClosed(data={"reason": closed[0].closed})
    return await _met(plan, rooms=rooms)


@database.atomic
async def close(
    plan: Plan, *, expected: int | None = None, actor: Actor, now: datetime
) -> tuple[Closure, list[Hit]]:
    """Close the rooms; returns whom it met.

    RoomBooked lists what is in the way of a normal closure. ``expected`` is the number that was previewed:
    PreviewChanged when it is not that any more.
    """
    hits = await preview(plan, actor=actor, now=now)
    rooms = await _understand(plan, actor=actor, now=now)
    await locks.hold("booking", {each.id for each in hits})
    await locks.hold("room", {each.id for each in rooms})
    met = await _met(plan, rooms=rooms)
    if met and not plan.force:
        raise RoomBooked(data={"conflicts": [_told(each) for each in met]})
    if met != hits or (plan.force and expected is not None and expected != len(met)):
        raise PreviewChanged(data={"expected": expected, "now": len(met)})
    if await Broadcast.exists(booking_id__in=[each.id for each in met], state=BroadcastState.LIVE):
        raise OnAirNow
    closure = await Closure.create(
        public_id=ids.public_id(),
        centre_id=rooms[0].centre_id,
        start_at=plan.starts_at,
        end_at=plan.ends_at,
        reason=plan.reason.strip(),
        mode="force" if plan.force else "normal",
        created_by_id=steps.user_id(actor),
        created_at=now,
    )
    await ClosureRoom.bulk_create(ClosureRoom(closure_id=closure.id, room_id=each.id) for each in rooms)
    lost = [await _take_away(each, closure=closure, actor=actor, now=now) for each in met]
    try:
        await claims.take(
            None,
            wanted=[Wanted("room", each.id, plan.starts_at, plan.ends_at) for each in rooms],
            closure_id=closure.id,
        )
    except claims.Overlap as error:
        raise AlreadyClosed from error
    for booking in lost:
        await _tell(booking, closure=closure, now=now)
    detail = {"mode": closure.mode, "rooms": len(rooms), "met": len(met), "reason": closure.reason}
    await audit.write(
        "closure.made", actor=actor, now=now, about=("closure", closure.public_id), detail=detail
    )
    return closure, met


@database.atomic
async def lift(public_id: str, *, actor: Actor, now: datetime) -> Closure:
    """Open the rooms again; who waits for a time in them is offered it."""
    seen = await Closure.get_or_none(public_id=public_id)
    if seen is None:
        raise NotFound
    require(actor, Permission.ROOM_MANAGE, centre_id=seen.centre_id)
    numbers = [each.room_id for each in await ClosureRoom.filter(closure_id=seen.id)]
    await locks.hold("room", numbers)
    closure = await Closure.get(id=seen.id)
    if closure.lifted_at is not None:
        return closure
    closure.lifted_at = now
    await closure.save()
    await claims.lift(closure.id)
    await audit.write("closure.lifted", actor=actor, now=now, about=("closure", closure.public_id))
    return closure


async def _understand(plan: Plan, *, actor: Actor, now: datetime) -> list[Room]:
    require(actor, Permission.ROOM_MANAGE, centre_id=actor.centre_id or None)
    require(actor, Permission.BOOKING_APPROVE, centre_id=actor.centre_id or None)
    rooms = await Room.filter(public_id__in=set(plan.rooms), centre_id=actor.centre_id).order_by("id")
    details: list[Detail] = []
    if not rooms or len(rooms) < len(set(plan.rooms)):
        details.append(Detail("rooms", "请选择直播间", "本中心的直播间"))
    if plan.ends_at <= plan.starts_at:
        details.append(Detail("ends_at", "结束要晚于开始"))
    elif plan.ends_at <= now or plan.ends_at - plan.starts_at > LONGEST:
        details.append(Detail("ends_at", "时间范围不对", f"还没有过去，最长 {LONGEST.days} 天"))
    if not 0 < len(plan.reason.strip()) <= REASON_LENGTH:
        details.append(Detail("reason", "请写明原因", f"1 到 {REASON_LENGTH} 个字"))
    if details:
        raise ClosureRefused(details=details)
    return rooms


async def _met(plan: Plan, *, rooms: list[Room]) -> list[Hit]:
    since, until = clock.to_ms(plan.starts_at), clock.to_ms(plan.ends_at)
    columns = {"room_id": "bigint", "since": "bigint", "until": "bigint"}
    rows = await database.with_rows(columns, [(each.id, since, until) for each in rooms], _MET)
    found = [
        Hit(
            id=row["id"],
            public_id=row["public_id"],
            title=row["title"],
            room=row["room"],
            bureau=row["bureau"],
            starts_at=clock.from_ms(row["start_at"]),
            ends_at=clock.from_ms(row["end_at"]),
            state=BookingState(row["state"]),
            becomes=BECOMES[BookingState(row["state"])],
        )
        for row in rows
    ]
    return sorted(found, key=lambda each: (each.starts_at, each.id))


async def _take_away(hit: Hit, *, closure: Closure, actor: Actor, now: datetime) -> Booking:
    booking = await Booking.get(id=hit.id)
    booking.displaced_by_id = closure.id
    await steps.let_go(booking, into=hit.becomes, reason=closure.reason, now=now)
    await steps.note(f"booking.{booking.state}", booking, actor=actor, now=now)
    if hit.state is BookingState.OFFERED:
        await waitlist.end_offer(booking)
    return booking


async def _tell(booking: Booking, *, closure: Closure, now: datetime) -> None:
    options = await alternatives.instead_of(booking, now=now)
    others = telling.alternatives([(room.name, span) for room, span in options])
    said = f"{_SAID[booking.state]}：{closure.reason}。{others}"
    await telling.tell_bureau(f"booking.{booking.state}", booking, said=said, now=now)


def _told(hit: Hit) -> dict[str, object]:
    found = msgspec.structs.asdict(hit)
    return {
        name: found[name]
        for name in ("public_id", "title", "room", "bureau", "starts_at", "ends_at", "state")
    }
