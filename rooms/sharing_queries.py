"""Reads of what bureaus share: closures, quotas and their use, the waiting list, rooms' rules, equipment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit import clock
from livehub.kit.errors import NotFound
from rooms import quotas
from rooms.conflicts import Hours
from rooms.models import Room
from rooms.quota_counting import window
from rooms.sharing_models import Equipment, OpenRule, Quota, QuotaRoom
from rooms.wishes import Wish


class ClosedRoom(Struct, frozen=True, kw_only=True):
    """One room that a closure takes."""

    room_id: int
    starts_at: datetime
    ends_at: datetime
    reason: str


class ClosureRow(Struct, frozen=True, kw_only=True):
    """A closure of a list."""

    id: str  # public id
    rooms: list[str]
    starts_at: datetime
    ends_at: datetime
    reason: str
    mode: str
    made_by: str
    made_at: datetime
    lifted_at: datetime | None


class QuotaUse(Struct, frozen=True, kw_only=True):
    """A quota and how much of it is used in the window of a day."""

    bureau_id: int
    bureau: str
    rooms: list[str]  # names; none of a theme or of the whole centre
    room_ids: list[str]  # the same by public id
    theme: str
    window: str
    unit: str
    limit: int
    prime_only: bool
    used: int
    first: date
    after: date


class Waiting(Struct, frozen=True, kw_only=True):
    """An entry of the waiting list."""

    id: str  # public id
    bureau: str
    bureau_id: int
    room: str
    room_id: str  # public id
    title: str
    starts_at: datetime
    ends_at: datetime
    state: str
    position: int  # among those that still wait for this time; 0 when it waits no more
    offer_until: datetime | None
    booking: str  # public id of what was offered
    asked_at: datetime


class RoomRules(Struct, frozen=True, kw_only=True):
    """A room with everything it asks of its bookings."""

    room: Room
    weekly: list[Hours]


async def closed_rooms(centre_id: int, *, since: datetime, until: datetime) -> list[ClosedRoom]:
    """What closures take of a centre's rooms in a time."""
    rows = await database.fetch(
        "SELECT r.room_id, k.start_at, k.end_at, k.reason FROM closure k"
        " JOIN closure_room r ON r.closure_id = k.id WHERE k.centre_id = $1 AND k.lifted_at IS NULL"
        " AND k.end_at > $2 AND k.start_at < $3 ORDER BY r.room_id, k.start_at",
        centre_id,
        clock.to_ms(since),
        clock.to_ms(until),
    )
    return [
        ClosedRoom(
            room_id=row["room_id"],
            starts_at=clock.from_ms(row["start_at"]),
            ends_at=clock.from_ms(row["end_at"]),
            reason=row["reason"],
        )
        for row in rows
    ]


async def closures(centre_id: int, *, now: datetime, limit: int = 100) -> list[ClosureRow]:
    """The closures of a centre: those to come and those of the last days, the next one first."""
    rows = await database.fetch(
        "SELECT k.*, COALESCE(a.name, '') AS made_by FROM closure k"
        " LEFT JOIN user_account a ON a.id = k.created_by_id WHERE k.centre_id = $1 AND k.end_at > $2"
        f" ORDER BY k.lifted_at IS NOT NULL, k.start_at, k.id LIMIT {limit}",
        centre_id,
        clock.to_ms(now) - 30 * 86_400_000,
    )
    named = await database.with_rows(
        {"id": "bigint"},
        [(row["id"],) for row in rows],
        "SELECT c.closure_id, r.name FROM v JOIN closure_room c ON c.closure_id = v.id"
        " JOIN room r ON r.id = c.room_id ORDER BY r.code",
    )
    return [
        ClosureRow(
            id=row["public_id"],
            rooms=[each["name"] for each in named if each["closure_id"] == row["id"]],
            starts_at=clock.from_ms(row["start_at"]),
            ends_at=clock.from_ms(row["end_at"]),
            reason=row["reason"],
            mode=row["mode"],
            made_by=row["made_by"],
            made_at=clock.from_ms(row["created_at"]),
            lifted_at=clock.from_ms_or_none(row["lifted_at"]),
        )
        for row in rows
    ]


async def quota_uses(*, actor: Actor, day: date, bureau_id: int = 0) -> list[QuotaUse]:
    """The quotas the actor may see, with their use in the windows a business day lies in."""
    scope = bureau_scope(actor, Permission.BOOKING_READ)
    found = Quota.filter(centre_id=actor.centre_id, active=True)
    if bureau_id:
        found = found.filter(bureau_id=bureau_id)
    rows = await found.order_by("bureau_id", "id").select_related("bureau")
    seen = [each for each in rows if scope is None or each.bureau_id in scope]
    rooms = await QuotaRoom.filter(quota_id__in=[each.id for each in seen]).select_related("room")
    uses = {number: await _uses(number, day=day) for number in {each.bureau_id for each in seen}}
    return [
        QuotaUse(
            bureau_id=each.bureau_id,
            bureau=each.bureau.name,
            rooms=[one.room.name for one in rooms if one.quota_id == each.id],
            room_ids=[one.room.public_id for one in rooms if one.quota_id == each.id],
            theme=each.theme,
            window=str(each.window),
            unit=str(each.unit),
            limit=each.limit,
            prime_only=each.prime_only,
            used=uses[each.bureau_id][each.id],
            first=window(day, each.window)[0],
            after=window(day, each.window)[1],
        )
        for each in seen
    ]


async def waiting(*, actor: Actor, now: datetime, bureau_id: int = 0) -> list[Waiting]:
    """The waiting list of times to come, as far as the actor may see it, also what was settled."""
    scope = bureau_scope(actor, Permission.BOOKING_READ)
    rows = await database.fetch(
        f"{_WAITING} WHERE w.centre_id = $1 AND w.start_at > $2"
        " AND (CAST($3 AS bigint) = 0 OR w.bureau_id = $3) ORDER BY w.start_at, w.room_id, w.id LIMIT 500",
        actor.centre_id,
        clock.to_ms(now),
        bureau_id,
    )
    return [_waiting(row) for row in rows if scope is None or row["bureau_id"] in scope]


async def entry(public_id: str, *, actor: Actor) -> Waiting:
    """One entry the actor may see, or NotFound."""
    scope = bureau_scope(actor, Permission.BOOKING_READ)
    row = await database.fetch_one(
        f"{_WAITING} WHERE w.public_id = $1 AND w.centre_id = $2", public_id, actor.centre_id
    )
    if row is None or (scope is not None and row["bureau_id"] not in scope):
        raise NotFound
    return _waiting(row)


async def room_rules(centre_id: int) -> list[RoomRules]:
    """The rooms of a centre with their rules, by code."""
    rooms = await Room.filter(centre_id=centre_id).exclude(status="retired").order_by("code")
    weekly = await OpenRule.filter(room_id__in=[each.id for each in rooms]).order_by(
        "weekday", "opens_minute"
    )
    return [
        RoomRules(
            room=room,
            weekly=[
                Hours(each.weekday, each.opens_minute, each.closes_minute)
                for each in weekly
                if each.room_id == room.id
            ],
        )
        for room in rooms
    ]


async def equipment(centre_id: int) -> list[Equipment]:
    """The units of a centre, by kind and name."""
    return await Equipment.filter(centre_id=centre_id).order_by("kind", "name", "id")


_WAITING = """
    SELECT w.public_id, w.bureau_id, u.name AS bureau, r.name AS room, r.public_id AS room_id, w.start_at,
           w.end_at, w.state, w.offer_until, w.created_at, w.wish, COALESCE(b.public_id, '') AS booking,
           (SELECT count(*) FROM waitlist_entry o WHERE o.room_id = w.room_id AND o.start_at = w.start_at
              AND o.end_at = w.end_at AND o.id <= w.id AND o.state IN ('waiting', 'offered')) AS position
    FROM waitlist_entry w JOIN bureau u ON u.id = w.bureau_id JOIN room r ON r.id = w.room_id
    LEFT JOIN booking b ON b.id = w.booking_id
"""


async def _uses(bureau_id: int, *, day: date) -> dict[int, int]:
    limits = await quotas.limits_of(bureau_id)
    spans = [window(day, each.window) for each in limits]
    since, until = min(first for first, _ in spans), max(after for _, after in spans)
    uses = await quotas.uses_of(bureau_id, since=since, until=until)
    return {each.id: each.used(uses, day=day) for each in limits}


def _waiting(row: Mapping[str, Any]) -> Waiting:
    still = row["state"] in ("waiting", "offered")
    return Waiting(
        id=row["public_id"],
        bureau=row["bureau"],
        bureau_id=row["bureau_id"],
        room=row["room"],
        room_id=row["room_id"],
        title=msgspec.json.decode(row["wish"], type=Wish).title,
        starts_at=clock.from_ms(row["start_at"]),
        ends_at=clock.from_ms(row["end_at"]),
        state=row["state"],
        position=row["position"] if still else 0,
        offer_until=clock.from_ms_or_none(row["offer_until"]),
        booking=row["booking"],
        asked_at=clock.from_ms(row["created_at"]),
    )
