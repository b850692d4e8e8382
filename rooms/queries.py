"""Reading rooms, bookings and broadcasts: everybody sees what is taken, owners see what for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.kit.paging import Page, window
from rooms.models import BookingState

SHOWN = (  # what holds its time, and what held it to the end
    BookingState.OFFERED,
    BookingState.SUBMITTED,
    BookingState.FIRST_APPROVED,
    BookingState.APPROVED,
    BookingState.CHECKED_IN,
    BookingState.COMPLETED,
)
_DAY_MS = 86_400_000
_FOREVER_MS = 2**53


class RoomView(Struct, frozen=True, kw_only=True):
    """A room with the rules people ask about."""

    id: int
    public_id: str
    code: str
    name: str
    theme: str
    status: str
    opens_minute: int
    closes_minute: int
    setup_min: int
    turnover_min: int
    min_duration_min: int
    max_duration_min: int
    approvals: int


class Occupancy(Struct, frozen=True, kw_only=True):
    """A room taken for a time; the last four are empty for other bureaus."""

    room_id: int
    starts_at: datetime  # buffers included
    ends_at: datetime
    core_starts_at: datetime
    core_ends_at: datetime
    bureau: str
    kind: str
    state: str
    mine: bool
    booking: str  # public id
    broadcast: str  # public id
    title: str
    streamer: str


class BookingRow(Struct, frozen=True, kw_only=True):
    """A booking as lists and its own page show it."""

    id: str  # public id
    title: str
    kind: str
    room: str
    room_id: str  # public id
    theme: str
    bureau: str
    bureau_id: int
    streamer: str
    starts_at: datetime
    ends_at: datetime
    state: str
    version: int
    asked_at: datetime
    asked_by: str
    hold_until: datetime | None
    reason: str
    broadcast_id: str  # public id


class BroadcastView(Struct, frozen=True, kw_only=True):
    """A broadcast as lists and its own page show it."""

    id: int
    public_id: str
    booking: str  # public id
    title: str
    room: str
    room_id: int
    theme: str
    bureau: str
    bureau_id: int
    streamer: str
    streamer_id: int
    state: str
    ai_host: bool
    business_day: date
    planned_start_at: datetime
    planned_end_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    flags: str


class CueView(Struct, frozen=True, kw_only=True):
    """A cue of a rundown."""

    id: int
    public_id: str
    position: int
    kind: str
    title: str
    planned_offset_s: int
    planned_s: int
    product_id: int | None
    template_ref: str
    quantity: int
    window_s: int
    state: str
    fired_at: datetime | None


_BOOKING = """
    SELECT b.public_id AS id, b.title, b.kind, r.name AS room, r.public_id AS room_id, r.theme,
           u.name AS bureau, b.bureau_id, COALESCE(s.stage_name, '') AS streamer,
           b.start_at AS starts_at, b.end_at AS ends_at, b.state, b.version, b.created_at AS asked_at,
           COALESCE(a.name, '') AS asked_by, b.hold_until, b.reason, COALESCE(x.public_id, '') AS broadcast_id
"""
_BOOKING_FROM = """
    FROM booking b JOIN room r ON r.id = b.room_id JOIN bureau u ON u.id = b.bureau_id
    LEFT JOIN broadcast x ON x.booking_id = b.id LEFT JOIN streamer s ON s.id = x.streamer_id
    LEFT JOIN user_account a ON a.id = b.created_by_id
"""
_BROADCAST = """
    SELECT x.id, x.public_id, b.public_id AS booking, x.title, r.name AS room, x.room_id, r.theme,
           u.name AS bureau, x.bureau_id, x.ai_host, s.stage_name AS streamer, x.streamer_id, x.state,
           x.business_day, x.planned_start_at, x.planned_end_at, x.started_at, x.ended_at, x.flags
"""
_BROADCAST_FROM = """
    FROM broadcast x JOIN booking b ON b.id = x.booking_id JOIN room r ON r.id = x.room_id
    JOIN bureau u ON u.id = x.bureau_id JOIN streamer s ON s.id = x.streamer_id
"""
# ----- rooms


async def rooms_of(centre_id: int) -> list[RoomView]:
    """The rooms of a centre that are not retired, by code."""
    rows = await database.fetch(
        f"SELECT {', '.join(RoomView.__struct_fields__)} FROM room"
        " WHERE centre_id = $1 AND status <> 'retired' ORDER BY code",
        centre_id,
    )
    return [RoomView(**row) for row in rows]


async def room_sells(room_id: int) -> bool:
    """Whether products may be shown in a room."""
    row = await database.fetch_one("SELECT commerce_allowed FROM room WHERE id = $1", room_id)
    return bool(row and row["commerce_allowed"])


async def timeline(centre_id: int, *, since: datetime, until: datetime, actor: Actor) -> list[Occupancy]:
    """What takes the centre's rooms in a time, by room and time; details only for owners and the centre."""
    scope = bureau_scope(actor, Permission.BOOKING_READ)
    from_ms, to_ms = clock.to_ms(since), clock.to_ms(until)
    rows = await database.fetch(
        "SELECT b.room_id, b.start_at, b.end_at, b.setup_min, b.turnover_min, b.bureau_id, b.kind, b.state,"
        " b.title, b.public_id AS booking, u.name AS bureau, COALESCE(x.public_id, '') AS broadcast,"
        f" COALESCE(s.stage_name, '') AS streamer {_BOOKING_FROM}"
        " WHERE b.centre_id = $1 AND b.start_at > $2 AND b.start_at < $3"
        f" AND b.state IN ({_quoted(SHOWN)}) ORDER BY b.room_id, b.start_at",
        centre_id,
        from_ms - 2 * _DAY_MS,  # longer than any booking with its buffers
        to_ms + _DAY_MS,
    )
    found = [_occupancy(row, mine=scope is None or row["bureau_id"] in scope) for row in rows]
    return [each for each in found if each.starts_at < until and since < each.ends_at]


# ----- bookings


async def my_week(bureau_id: int, *, since: datetime, until: datetime, actor: Actor) -> list[BookingRow]:
    """A bureau's bookings that start in a time, by time; nothing for those who may not see them."""
    scope = bureau_scope(actor, Permission.BOOKING_READ)
    rows = await database.fetch(
        f"{_BOOKING} {_BOOKING_FROM} WHERE b.bureau_id = $1 AND b.centre_id = $2"
        f" AND b.start_at >= $3 AND b.start_at < $4 AND {_within('b.bureau_id', scope)}"
        " ORDER BY b.start_at, b.id",
        bureau_id,
        actor.centre_id,
        clock.to_ms(since),
        clock.to_ms(until),
    )
    return [_booking(row) for row in rows]


async def pending(*, actor: Actor) -> list[BookingRow]:
    """What waits for a decision, the next to expire first."""
    scope = bureau_scope(actor, Permission.BOOKING_READ)
    rows = await database.fetch(
        f"{_BOOKING} {_BOOKING_FROM} WHERE b.centre_id = $1 AND b.state IN ('submitted', 'first_approved')"
        f" AND {_within('b.bureau_id', scope)} ORDER BY b.hold_until, b.id LIMIT 500",
        actor.centre_id,
    )
    return [_booking(row) for row in rows]


async def bookings(
    *, actor: Actor, state: str = "", room: str = "", bureau_id: int = 0, number: int = 1, size: int = 50
) -> Page[BookingRow]:
    """A page of bookings, waiting ones first, then the latest; empty filters leave everything in."""
    scope = bureau_scope(actor, Permission.BOOKING_READ)
    number, size, limit, offset = window(number=number, size=size)
    where = (
        "WHERE b.centre_id = $1 AND ($2 = '' OR b.state = $2) AND ($3 = '' OR r.public_id = $3)"
        f" AND (CAST($4 AS bigint) = 0 OR b.bureau_id = $4) AND {_within('b.bureau_id', scope)}"
    )
    args = (actor.centre_id, state, room, bureau_id)
    counted = await database.fetch_one(f"SELECT count(*) AS total {_BOOKING_FROM} {where}", *args)
    rows = await database.fetch(
        f"{_BOOKING} {_BOOKING_FROM} {where}"
        " ORDER BY CASE WHEN b.state IN ('submitted', 'first_approved') THEN 0 ELSE 1 END,"
        f" b.start_at DESC, b.id LIMIT {limit} OFFSET {offset}",
        *args,
    )
    return Page([_booking(row) for row in rows], number, size, counted["total"] if counted else 0)


async def booking(public_id: str, *, actor: Actor) -> BookingRow:
    """One booking the actor may see, or NotFound."""
    scope = bureau_scope(actor, Permission.BOOKING_READ)
    row = await database.fetch_one(
        f"{_BOOKING} {_BOOKING_FROM} WHERE b.public_id = $1 AND b.centre_id = $2"
        f" AND {_within('b.bureau_id', scope)}",
        public_id,
        actor.centre_id,
    )
    if row is None:
        raise NotFound
    return _booking(row)


# ----- broadcasts


async def broadcasts(day: date, *, actor: Actor) -> list[BroadcastView]:
    """The broadcasts of a business day that the actor may see, by planned start."""
    return await _broadcasts(
        f"x.centre_id = $1 AND x.business_day = $2 AND {_visible(actor)} ORDER BY x.planned_start_at, x.id",
        actor.centre_id,
        clock.day_number(day),
    )


async def latest_broadcasts(
    *,
    actor: Actor,
    state: str = "",
    room: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    number: int = 1,
    size: int = 50,
) -> Page[BroadcastView]:
    """A page of broadcasts, the latest planned start first; empty filters leave everything in."""
    number, size, limit, offset = window(number=number, size=size)
    where = (
        "x.centre_id = $1 AND ($2 = '' OR x.state = $2) AND ($3 = '' OR r.public_id = $3)"
        f" AND x.planned_start_at >= $4 AND x.planned_start_at < $5 AND {_visible(actor)}"
    )
    from_ms = 0 if since is None else clock.to_ms(since)
    until_ms = _FOREVER_MS if until is None else clock.to_ms(until)
    args = (actor.centre_id, state, room, from_ms, until_ms)
    counted = await database.fetch_one(f"SELECT count(*) AS total {_BROADCAST_FROM} WHERE {where}", *args)
    page = f"ORDER BY x.planned_start_at DESC, x.id LIMIT {limit} OFFSET {offset}"
    rows = await _broadcasts(f"{where} {page}", *args)
    return Page(rows, number, size, counted["total"] if counted else 0)


async def broadcast(public_id: str, *, actor: Actor) -> BroadcastView:
    """One broadcast the actor may see, or NotFound."""
    found = await _broadcasts(
        f"x.public_id = $1 AND x.centre_id = $2 AND {_visible(actor)}", public_id, actor.centre_id
    )
    if not found:
        raise NotFound
    return found[0]


async def on_air(centre_id: int) -> list[BroadcastView]:
    """What is live in a centre, by start."""
    return await _broadcasts("x.centre_id = $1 AND x.state = 'live' ORDER BY x.started_at, x.id", centre_id)


async def broadcasts_of(streamer_id: int, *, since: datetime, until: datetime) -> list[BroadcastView]:
    """A streamer's broadcasts that touch a time and were not called off, by planned start."""
    return await _broadcasts(
        "x.streamer_id = $1 AND x.planned_start_at < $2 AND x.planned_end_at > $3 AND x.state <> 'aborted'"
        " ORDER BY x.planned_start_at, x.id",
        streamer_id,
        clock.to_ms(until),
        clock.to_ms(since),
    )


async def broadcasts_by_id(numbers: Collection[int]) -> dict[int, BroadcastView]:
    """Broadcasts by row id, for naming figures."""
    rows = await database.with_rows(
        {"wanted": "bigint"},
        [(number,) for number in sorted(set(numbers))],
        f"{_BROADCAST} {_BROADCAST_FROM} JOIN v ON v.wanted = x.id",
    )
    return {row["id"]: _broadcast(row) for row in rows}


async def cues(broadcast_id: int) -> list[CueView]:
    """A broadcast's rundown in order."""
    rows = await database.fetch(
        f"SELECT {', '.join(CueView.__struct_fields__)} FROM cue WHERE broadcast_id = $1 ORDER BY position",
        broadcast_id,
    )
    return [CueView(**{**row, "fired_at": clock.from_ms_or_none(row["fired_at"])}) for row in rows]


async def accounts_of(broadcast_id: int) -> list[tuple[str, str, str]]:
    """The (platform, account_ref, room_ref) a broadcast streams on; room_ref is '' until it is known."""
    rows = await database.fetch(
        "SELECT platform, account_ref, room_ref FROM broadcast_account WHERE broadcast_id = $1"
        " ORDER BY platform, account_ref",
        broadcast_id,
    )
    return [(row["platform"], row["account_ref"], row["room_ref"]) for row in rows]


# ----- rows into views


async def _broadcasts(where: str, *args: object) -> list[BroadcastView]:
    rows = await database.fetch(f"{_BROADCAST} {_BROADCAST_FROM} WHERE {where}", *args)
    return [_broadcast(row) for row in rows]


def _visible(actor: Actor) -> str:
    if actor.kind == "streamer":
        return f"x.streamer_id = {int(actor.id)}"
    return _within("x.bureau_id", bureau_scope(actor, Permission.BROADCAST_READ))


def _within(column: str, scope: frozenset[int] | None) -> str:
    """The condition of a scope; the numbers are our own row ids."""
    if scope is None:
        return "1 = 1"
    return f"{column} IN ({', '.join(str(int(each)) for each in sorted(scope))})" if scope else "1 = 0"


def _quoted(states: Collection[str]) -> str:
    return ", ".join(f"'{each}'" for each in states)


def _occupancy(row: Mapping[str, Any], *, mine: bool) -> Occupancy:
    return Occupancy(
        room_id=row["room_id"],
        starts_at=clock.from_ms(row["start_at"] - row["setup_min"] * 60_000),
        ends_at=clock.from_ms(row["end_at"] + row["turnover_min"] * 60_000),
        core_starts_at=clock.from_ms(row["start_at"]),
        core_ends_at=clock.from_ms(row["end_at"]),
        bureau=row["bureau"],
        kind=row["kind"],
        state=row["state"],
        mine=mine,
        booking=row["booking"] if mine else "",
        broadcast=row["broadcast"] if mine else "",
        title=row["title"] if mine else "",
        streamer=row["streamer"] if mine else "",
    )


def _booking(row: Mapping[str, Any]) -> BookingRow:
    instants = {name: clock.from_ms(row[name]) for name in ("starts_at", "ends_at", "asked_at")}
    return BookingRow(**{**row, **instants, "hold_until": clock.from_ms_or_none(row["hold_until"])})


def _broadcast(row: Mapping[str, Any]) -> BroadcastView:
    names = ("planned_start_at", "planned_end_at", "started_at", "ended_at")
    instants: dict[str, Any] = {name: clock.from_ms_or_none(row[name]) for name in names}
    flags = {"ai_host": bool(row["ai_host"])}  # SQLite tells numbers
    return BroadcastView(
        **{**row, **instants, **flags, "business_day": clock.day_of_number(row["business_day"])}
    )
