"""Do the books say what the orders' states say? Compared is what was booked lately, and what chance picks.

Compared is first as it is committed, without holding anybody up: what looks wrong may only have been in
between. ``mending.mend`` looks again under the locks, and repairs what is wrong there too.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.orders import ledger, mending, rollup
from livehub.orders.held import Held
from livehub.orders.mending import Repair, Settled

CHUNK = ledger.CHUNK
ENTRIES = 20_000  # looked at in one run, at most; what is more is looked at in the next
SUSPECTS = 500  # orders mended in one run
PICKED_DAYS = 2  # days of buckets that chance picks
PICKED_ORDERS = 200
NUMBERS = 50_000  # of orders, looked through in one statement


class Compared(Struct, frozen=True, kw_only=True):
    """What one run looked at, and what it had to repair."""

    days: int
    orders: int
    repairs: Sequence[Repair]


class _Reach(Struct, frozen=True):
    """The entries of a run, by their ids: above ``since``, up to ``until``."""

    since: int
    until: int
    seen: int  # up to where the run before it came


async def audit(*, now: datetime) -> Compared:
    """Compare what was booked since the last run but one, and what chance picks; repair what is wrong.

    The last but one: an entry has its id before it is committed, and no transaction lasts as long as that.
    """
    reach = await _reach()
    days = await _days(reach) | await _picked_days()
    orders = await _orders(reach) | await _picked_orders()
    wrong_days = {day for day in sorted(days) if await rollup.differing_on(*day)}
    for centre_id, day in sorted(wrong_days):  # whose entry is lost is in no list that entries make
        orders |= await _booked_on(centre_id, day)
    suspects = await _suspects(sorted(orders))
    settled = Settled([], all_told=True)
    if suspects or wrong_days:
        settled = await mending.mend(suspects[:SUSPECTS], days=wrong_days, now=now)
    if settled.all_told and len(suspects) <= SUSPECTS:
        await _note(reach)
    return Compared(days=len(days), orders=len(orders), repairs=settled.repairs)


async def _reach() -> _Reach:
    mark = await database.fetch_one("SELECT before_id, seen_id FROM rollup_mark WHERE id = 1")
    row = await database.fetch_one("SELECT coalesce(max(id), 0) AS n FROM contribution_entry")
    newest = int(row["n"]) if row else 0
    since, seen = (mark["before_id"], mark["seen_id"]) if mark else (max(0, newest - ENTRIES),) * 2
    return _Reach(since, min(newest, max(since, seen) + ENTRIES), seen)


async def _note(reach: _Reach) -> None:
    await database.execute(
        "INSERT INTO rollup_mark (id, before_id, seen_id) VALUES (1, $1, $2)"
        " ON CONFLICT (id) DO UPDATE SET before_id = excluded.before_id, seen_id = excluded.seen_id",
        reach.seen,
        reach.until,
    )


async def _days(reach: _Reach) -> set[tuple[int, int]]:
    return _pairs(
        await database.fetch(
            "SELECT DISTINCT centre_id, day FROM contribution_entry WHERE id > $1 AND id <= $2",
            reach.since,
            reach.until,
        )
    )


async def _picked_days() -> set[tuple[int, int]]:
    """Days of buckets that chance picks."""
    found: set[tuple[int, int]] = set()
    for _ in range(PICKED_DAYS):
        found |= _pairs(
            await database.fetch(
                "SELECT centre_id, day FROM rollup_bucket WHERE id >= $1 ORDER BY id LIMIT 1",
                await _by_chance("rollup_bucket"),
            )
        )
    return found


async def _orders(reach: _Reach) -> set[int]:
    return _ids(
        await database.fetch(
            "SELECT DISTINCT order_id AS id FROM contribution_entry WHERE id > $1 AND id <= $2",
            reach.since,
            reach.until,
        )
    )


async def _picked_orders() -> set[int]:
    return _ids(
        await database.fetch(
            f"SELECT id FROM sales_order WHERE id >= $1 ORDER BY id LIMIT {PICKED_ORDERS}",
            await _by_chance("sales_order"),
        )
    )


async def _by_chance(table: str) -> int:
    row = await database.fetch_one(f"SELECT coalesce(max(id), 0) AS n FROM {table}")
    return secrets.randbelow(int(row["n"]) + 1) if row else 0


async def _booked_on(centre_id: int, day: int) -> set[int]:
    """The orders that have something booked on a day: a look through all of them, for a day that is wrong.

    So many numbers in each statement: a city has millions.
    """
    row = await database.fetch_one("SELECT coalesce(max(id), 0) AS n FROM sales_order")
    newest, found = int(row["n"]) if row else 0, set[int]()
    for start in range(0, newest, NUMBERS):
        found |= _ids(
            await database.fetch(
                "SELECT id FROM sales_order WHERE id > $1 AND id <= $2 AND centre_id = $3"
                " AND contribution LIKE $4",
                start,
                start + NUMBERS,
                centre_id,
                f"%[[{centre_id},{day},%",
            )
        )
    return found


async def _suspects(order_ids: Sequence[int]) -> list[int]:
    """Orders of which state, booked contribution and entries do not say the same."""
    found: list[int] = []
    for start in range(0, len(order_ids), CHUNK):
        orders = await _seen(order_ids[start : start + CHUNK])
        fresh = await ledger.recomputed(orders)
        entries = await mending.entries_of([order.id for order in orders])
        found += [
            order.id for order in orders if not (fresh[order.id] == order.booked == entries.get(order.id, {}))
        ]
    return found


async def _seen(order_ids: Sequence[int]) -> list[Held]:
    """Orders as they are committed now."""
    rows = await database.with_rows(
        {"id": "bigint"},
        [(each,) for each in order_ids],
        f"SELECT {ledger.HELD} FROM v JOIN sales_order o ON o.id = v.id",
    )
    return [ledger.held(row) for row in rows]


def _ids(rows: Collection[dict[str, Any]]) -> set[int]:
    return {row["id"] for row in rows}


def _pairs(rows: Collection[dict[str, Any]]) -> set[tuple[int, int]]:
    return {(row["centre_id"], row["day"]) for row in rows}
