"""The owner of the buckets: entries appended, buckets raised by their sum, and both made anew."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from operator import add
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.orders.contribution import MEASURES, ZERO, Contribution, Key, Vector, g2

BUCKET = ("centre_id", "day", "broadcast_id", "shop_id", "streamer_id", "product_id", "attribution")
MINUTES_KEPT = 48 * 60
REBUILD_MEMORY = "64MB"  # of PostgreSQL, so that tens of thousands of sums are not sorted on the disk
REBUILD_SECONDS = 3600  # for each statement of a rebuild: a city has hundreds of millions of entries

_KEY_TYPES = {
    "centre_id": "bigint",
    "day": "int",
    "broadcast_id": "bigint",
    "shop_id": "bigint",
    "streamer_id": "bigint",
    "product_id": "bigint",
    "attribution": "text",
}
_MEASURE_TYPES = dict.fromkeys(MEASURES, "bigint")
_ENTRY = {
    "order_id": "bigint",
    "line_ref": "text",
    **_KEY_TYPES,
    "minute": "bigint",
    **_MEASURE_TYPES,
    "message_id": "bigint",
    "reason": "text",
    "applied_at": "bigint",
}
_INSERT_ENTRY = f"INSERT INTO contribution_entry ({', '.join(_ENTRY)}) SELECT {', '.join(_ENTRY)} FROM v"

_bucket_columns = ", ".join([*BUCKET, *MEASURES])
_raise = ", ".join(f"{m} = rollup_bucket.{m} + excluded.{m}" for m in MEASURES)
_UPSERT_BUCKET = (
    f"INSERT INTO rollup_bucket ({_bucket_columns}, revision) SELECT {_bucket_columns}, 1 FROM v WHERE true"
    f" ON CONFLICT ({', '.join(BUCKET)}) DO UPDATE SET {_raise}, revision = rollup_bucket.revision + 1"
)
# What each bucket lacks of its sum, and how many entries it has: grouped once, where a comparison of the
# groups with the buckets would join them twice.
_lacking = ", ".join(f"CAST(sum({m}) AS bigint) AS {m}" for m in MEASURES)


def _differing(where: str = "") -> str:
    negative = ", ".join([*BUCKET, *(f"-{m}" for m in MEASURES)])
    return (
        f"SELECT {', '.join(BUCKET)}, {_lacking}, sum(entries) AS entries FROM ("
        f"SELECT {_bucket_columns}, 1 AS entries FROM contribution_entry {where}"
        f" UNION ALL SELECT {negative}, 0 FROM rollup_bucket {where})"
        f" AS two GROUP BY {', '.join(BUCKET)} HAVING {' OR '.join(f'sum({m}) <> 0' for m in MEASURES)}"
    )


_DIFFERING = _differing()
_DIFFERING_ON_DAY = _differing("WHERE centre_id = $1 AND day = $2")
_OF_DAY = f"SELECT {_bucket_columns} FROM rollup_bucket WHERE centre_id = $1 AND day = $2"
_next_day = (
    "SELECT * FROM (SELECT centre_id, day FROM {table} WHERE (centre_id, day) > ($1, $2)"
    " ORDER BY centre_id, day LIMIT 1) AS {table}_day"
)
_DAY_AFTER = (
    f"{_next_day.format(table='rollup_bucket')} UNION ALL {_next_day.format(table='contribution_entry')}"
    " ORDER BY centre_id, day LIMIT 1"
)
_MINUTES = (
    "SELECT centre_id, minute, broadcast_id, sum(buyer_paid + platform_disc + other_disc + voucher_subsidy),"
    " sum(orders) FROM contribution_entry"
)
_same_bucket = " AND ".join(f"v.{name} = rollup_bucket.{name}" for name in BUCKET)
_UPSERT_MINUTE = (
    "INSERT INTO rollup_minute (centre_id, minute, broadcast_id, g2, orders)"
    " SELECT centre_id, minute, broadcast_id, g2, orders FROM v WHERE true"
    " ON CONFLICT (centre_id, minute, broadcast_id) DO UPDATE SET"
    " g2 = rollup_minute.g2 + excluded.g2, orders = rollup_minute.orders + excluded.orders"
)


class Change(Struct, frozen=True):
    """The difference one message (or mapping) made to one order."""

    order_id: int
    delta: Contribution
    message_id: int = 0
    reason: str = "message"


async def book(changes: Sequence[Change], *, now: datetime) -> None:
    """Append the entries and raise the buckets, in key order, in the current transaction."""
    at = clock.to_ms(now)
    entries: list[tuple[Any, ...]] = []
    buckets: dict[tuple[Any, ...], list[int]] = {}
    minutes: dict[tuple[int, int, int], list[int]] = {}
    oldest = at // 60_000 - MINUTES_KEPT
    for change in changes:
        for key, vector in change.delta.items():
            entries.append(_entry(change, key, vector, at))
            _sum(buckets.setdefault(_bucket(key), [0] * len(MEASURES)), vector)
            if key.minute > oldest:
                minute = minutes.setdefault((key.centre_id, key.minute, key.broadcast_id), [0, 0])
                _sum(minute, (g2(vector), vector[_ORDERS]))
    await database.write_rows(_ENTRY, entries, _INSERT_ENTRY)
    await database.write_rows(
        {
            "centre_id": "bigint",
            "minute": "bigint",
            "broadcast_id": "bigint",
            "g2": "bigint",
            "orders": "bigint",
        },
        [(*key, *values) for key, values in sorted(minutes.items())],
        _UPSERT_MINUTE,
    )
    await database.write_rows(
        {**_KEY_TYPES, **_MEASURE_TYPES},
        [(*key, *values) for key, values in sorted(buckets.items())],
        _UPSERT_BUCKET,
    )


async def append(changes: Sequence[Change], *, now: datetime) -> None:
    """Append entries of which the buckets know already, or of which ``correct`` tells them."""
    at = clock.to_ms(now)
    entries = [_entry(each, key, vector, at) for each in changes for key, vector in each.delta.items()]
    await database.write_rows(_ENTRY, entries, _INSERT_ENTRY)


class Corrected(Struct, frozen=True):
    """A bucket that was not the sum of its entries."""

    key: tuple[Any, ...]  # as BUCKET
    was: Vector
    became: Vector


async def correct(days: Collection[tuple[int, int]], *, now: datetime) -> list[Corrected]:
    """Bring the buckets of these days of centres to the sums of their entries; in the current transaction.

    Whoever is booking is waited for, and waits until it is committed: the sums are exact. Minutes follow.
    """
    await _hold_sums()
    corrected: list[Corrected] = []
    for centre_id, day in sorted(days):
        rows = await database.fetch(_DIFFERING_ON_DAY, centre_id, day)
        buckets = {_key(each): _vector(each) for each in await database.fetch(_OF_DAY, centre_id, day)}
        for row in rows:
            key, was = _key(row), buckets.get(_key(row), ZERO)
            corrected.append(Corrected(key, was, tuple(map(add, was, _vector(row)))))
        await _bring(rows)
        await _minutes_of(centre_id, day, now=now)
    return corrected


async def _bring(rows: Sequence[dict[str, Any]]) -> None:
    """Add what each bucket lacks, and drop those that no entry speaks for."""
    newest = await database.fetch_one("SELECT coalesce(max(revision), 0) AS n FROM rollup_bucket")
    revision = int(newest["n"]) + 1 if newest else 1  # of no bucket does it go back
    await database.write_rows(
        {**_KEY_TYPES, **_MEASURE_TYPES, "revision": "bigint"},
        [(*_key(row), *_vector(row), revision) for row in rows],
        f"INSERT INTO rollup_bucket ({_bucket_columns}, revision) SELECT {_bucket_columns}, revision FROM v"
        f" WHERE true ON CONFLICT ({', '.join(BUCKET)}) DO UPDATE SET {_raise}, revision = excluded.revision",
    )
    await database.write_rows(
        _KEY_TYPES,
        [_key(row) for row in rows if not row["entries"]],
        f"DELETE FROM rollup_bucket WHERE EXISTS (SELECT 1 FROM v WHERE {_same_bucket})",
    )


async def _minutes_of(centre_id: int, day: int, *, now: datetime) -> None:
    """The minutes of a day anew, as far as they are kept."""
    midnight = clock.at_local(clock.day_of_number(day))
    first = max(clock.to_ms(midnight) // 60_000, clock.to_ms(now) // 60_000 - MINUTES_KEPT + 1)
    last = clock.to_ms(midnight) // 60_000 + 24 * 60 - 1
    if first > last:
        return
    await database.execute(
        "DELETE FROM rollup_minute WHERE centre_id = $1 AND minute >= $2 AND minute <= $3",
        centre_id,
        first,
        last,
    )
    await database.execute(
        "INSERT INTO rollup_minute (centre_id, minute, broadcast_id, g2, orders)"
        f" {_MINUTES} WHERE centre_id = $1 AND day = $2 AND minute >= $3 AND minute <= $4"
        " GROUP BY centre_id, minute, broadcast_id",
        centre_id,
        day,
        first,
        last,
    )


async def differing_on(centre_id: int, day: int) -> bool:
    """Whether a bucket of a day is not the sum of its entries, as it is committed now."""
    return await differing_rows(centre_id, day) > 0


async def differing_rows(centre_id: int, day: int) -> int:
    """How many buckets of a day are not the sums of their entries."""
    return len(await database.fetch(_DIFFERING_ON_DAY, centre_id, day))


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in BUCKET)


def _vector(row: dict[str, Any]) -> Vector:
    return tuple(int(row[m]) for m in MEASURES)


def _entry(change: Change, key: Key, vector: Vector, at: int) -> tuple[Any, ...]:
    return (
        change.order_id,
        key.line_ref,
        *_bucket(key),
        key.minute,
        *vector,
        change.message_id,
        change.reason,
        at,
    )


def _bucket(key: Key) -> tuple[Any, ...]:
    return (
        key.centre_id,
        key.day,
        key.broadcast_id,
        key.shop_id,
        key.streamer_id,
        key.product_id,
        key.attribution,
    )


def _sum(into: list[int], vector: Sequence[int]) -> None:
    for i, amount in enumerate(vector):
        into[i] += amount


_ORDERS = MEASURES.index("orders")


async def rebuild(*, now: datetime) -> dict[str, int]:
    """Make every sum anew and replace each bucket that is not it, in one transaction; minutes all anew.

    Says how many buckets there are now, and how many differed. Intake waits until it is done.
    """
    async with database.transaction():
        await _hold_sums()
        if database.dialect() == "postgres":
            await database.execute(f"SET LOCAL work_mem = '{REBUILD_MEMORY}'")
        await _execute(f"CREATE TEMPORARY TABLE bucket_differing AS {_DIFFERING}")
        differing = await _count("bucket_differing")
        if differing:
            await _replace_buckets()
        await database.execute("DROP TABLE bucket_differing")
        await _rebuild_minutes(now=now)
        buckets = await _count("rollup_bucket")
    return {"buckets": buckets, "differed": differing}


async def _hold_sums() -> None:
    """Let nobody book until this transaction ends."""
    if database.dialect() == "postgres":
        # In the order in which book() touches them: else the two wait for each other.
        await database.execute("LOCK TABLE rollup_minute, rollup_bucket IN EXCLUSIVE MODE")


async def _replace_buckets() -> None:
    """Bring what differs to its sum, which is exact under the lock; drop what has no entry at all."""
    newest = await database.fetch_one("SELECT coalesce(max(revision), 0) AS n FROM rollup_bucket")
    revision = int(newest["n"]) + 1 if newest else 1  # of no bucket does it go back
    await _execute(
        "DELETE FROM rollup_bucket WHERE EXISTS"
        f" (SELECT 1 FROM bucket_differing v WHERE {_same_bucket} AND v.entries = 0)"
    )
    await _execute(
        f"UPDATE rollup_bucket SET {', '.join(f'{m} = rollup_bucket.{m} + v.{m}' for m in MEASURES)},"
        f" revision = {revision} FROM bucket_differing v WHERE {_same_bucket}"
    )
    await _execute(
        f"INSERT INTO rollup_bucket ({_bucket_columns}, revision) SELECT {_bucket_columns}, {revision}"
        " FROM bucket_differing v WHERE entries > 0"
        f" AND NOT EXISTS (SELECT 1 FROM rollup_bucket WHERE {_same_bucket})"
    )


async def _execute(sql: str, *args: Any) -> None:
    await database.execute_within(REBUILD_SECONDS, sql, *args)


async def _count(table: str) -> int:
    row = await database.fetch_one(f"SELECT count(*) AS n FROM {table}")
    return int(row["n"]) if row else 0


async def _rebuild_minutes(*, now: datetime) -> None:
    oldest = clock.to_ms(now) // 60_000 - MINUTES_KEPT
    await _execute("DELETE FROM rollup_minute")
    await _execute(
        f"INSERT INTO rollup_minute (centre_id, minute, broadcast_id, g2, orders) {_MINUTES}"
        " WHERE minute > $1 GROUP BY centre_id, minute, broadcast_id",
        oldest,
    )


async def prune_minutes(*, now: datetime) -> int:
    """Forget minutes older than 48 hours."""
    return await database.execute(
        "DELETE FROM rollup_minute WHERE minute <= $1", clock.to_ms(now) // 60_000 - MINUTES_KEPT
    )


async def differing_buckets() -> list[dict[str, Any]]:
    """Buckets that are not the sum of their entries, and sums without a bucket; a day in each statement."""
    return [row async for day in days() for row in await database.fetch(_DIFFERING_ON_DAY, *day)]


async def days() -> AsyncIterator[tuple[int, int]]:
    """Every (centre, day) that has a bucket or an entry, in this order."""
    last = (0, 0)
    while row := await database.fetch_one(_DAY_AFTER, *last):
        last = (row["centre_id"], row["day"])
        yield last


async def differing_minutes(*, now: datetime) -> list[dict[str, Any]]:
    """Minutes that are not the sum of their payments; those no longer booked, or forgotten, are left out."""
    return await database.fetch(
        "SELECT m.minute AS minute, m.broadcast_id AS broadcast_id FROM rollup_minute m LEFT JOIN"
        " (SELECT centre_id, minute, broadcast_id,"
        " sum(buyer_paid + platform_disc + other_disc + voucher_subsidy) AS g2, sum(orders) AS orders"
        " FROM contribution_entry WHERE minute > 0 GROUP BY centre_id, minute, broadcast_id) e"
        " ON e.centre_id = m.centre_id AND e.minute = m.minute AND e.broadcast_id = m.broadcast_id"
        " WHERE m.minute > $1 AND (coalesce(e.g2, 0) <> m.g2 OR coalesce(e.orders, 0) <> m.orders)",
        clock.to_ms(now) // 60_000 - MINUTES_KEPT,
    )
