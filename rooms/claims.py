"""What a booking or a closure occupies, written so that the database alone decides who was first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.kit import clock
from rooms import locks
from rooms.conflicts import Taken, Wanted

GUARD = "resource_claim_no_overlap"  # the exclusion constraint, and the trigger on SQLite

_COLUMNS = {
    "kind": "text",
    "resource_id": "bigint",
    "starts_at": "bigint",
    "ends_at": "bigint",
    "booking_id": "bigint",
    "closure_id": "bigint",
}
_INSERT = (
    "INSERT INTO resource_claim (kind, resource_id, starts_at, ends_at, booking_id, closure_id, active)"
    " SELECT kind, resource_id, starts_at, ends_at, booking_id, closure_id, true FROM v"
)
_RELEASE = "UPDATE resource_claim SET active = false WHERE active AND booking_id IN (SELECT id FROM v)"
_LIFT = "UPDATE resource_claim SET active = false WHERE active AND closure_id IN (SELECT id FROM v)"
_TAKEN = (
    "SELECT c.kind, c.resource_id, c.starts_at, c.ends_at, COALESCE(u.name, '') AS bureau,"
    " COALESCE(k.reason, '') AS closed FROM v"
    " JOIN resource_claim c ON c.kind = v.kind AND c.resource_id = v.resource_id AND c.active"
    " AND c.starts_at < v.until AND c.ends_at > v.since"
    " LEFT JOIN booking b ON b.id = c.booking_id LEFT JOIN bureau u ON u.id = b.bureau_id"
    " LEFT JOIN closure k ON k.id = c.closure_id"
)


class Overlap(Exception):
    """The database refused: something wanted is taken."""


async def take(booking_id: int | None, *, wanted: Iterable[Wanted], closure_id: int | None = None) -> None:
    """Write the claims of a booking or of a closure, or raise Overlap and leave the transaction usable.

    The rows of people and rooms are locked first, in one order: two simultaneous inserts into an
    exclusion constraint would otherwise wait for each other until PostgreSQL breaks the tie.
    """
    ordered = sorted(wanted)
    await _stand_in_line(ordered)
    rows = [
        (
            each.kind,
            each.resource_id,
            clock.to_ms(each.starts_at),
            clock.to_ms(each.ends_at),
            booking_id,
            closure_id,
        )
        for each in ordered
    ]
    try:
        async with database.transaction():
            await database.with_rows(_COLUMNS, rows, _INSERT)
    except IntegrityError as error:
        if GUARD not in str(error):
            raise
        raise Overlap from error


async def line_up(wanted: Iterable[Wanted]) -> None:
    """Hold the rows of all this before any of it is taken in several steps."""
    await _stand_in_line(sorted(wanted))


async def release(booking_ids: Collection[int]) -> None:
    """Let go of everything these bookings hold."""
    rows = [(each,) for each in sorted(booking_ids)]
    await database.with_rows({"id": "bigint"}, rows, _RELEASE)


async def lift(closure_id: int) -> None:
    """Open again what a closure holds."""
    await database.with_rows({"id": "bigint"}, [(closure_id,)], _LIFT)


async def taken(resources: Collection[tuple[str, int]], *, since: datetime, until: datetime) -> list[Taken]:
    """What is taken of these (kind, id) in a time, in order."""
    rows = [(kind, number, clock.to_ms(since), clock.to_ms(until)) for kind, number in resources]
    columns = {"kind": "text", "resource_id": "bigint", "since": "bigint", "until": "bigint"}
    found = await database.with_rows(columns, rows, _TAKEN)
    return sorted(
        Taken(
            kind=row["kind"],
            resource_id=row["resource_id"],
            starts_at=clock.from_ms(row["starts_at"]),
            ends_at=clock.from_ms(row["ends_at"]),
            bureau=row["bureau"],
            closed=row["closed"],
        )
        for row in found
    )


async def _stand_in_line(ordered: Sequence[Wanted]) -> None:
    for table in ("equipment", "person", "room"):  # in the order of the kinds
        await locks.hold(table, {each.resource_id for each in ordered if each.kind == table})
