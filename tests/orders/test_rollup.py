"""Buckets and minutes at the edges of what is kept, and after a rebuild."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from tortoise.connection import get_connection

from livehub import database
from livehub.kit import clock
from livehub.orders import rollup
from livehub.orders.contribution import MEASURES, Key
from livehub.orders.models import RollupBucket
from livehub.settings import Settings
from tests.contention import held


def paid(order_id: int, at: datetime) -> rollup.Change:
    minute = clock.to_ms(at) // 60_000
    key = Key(1, clock.day_number(clock.local_day(at)), 0, 1, 0, 0, "U", "1", minute)
    vector = tuple(1000 if name == "buyer_paid" else int(name == "orders") for name in MEASURES)
    return rollup.Change(order_id, {key: vector})


async def book(change: rollup.Change, *, now: datetime) -> None:
    async with database.transaction():
        await rollup.book([change], now=now)


async def test_a_minute_that_is_booked_no_longer_counts_as_forgotten(db: Settings) -> None:
    now = clock.now()
    at = now - timedelta(hours=48) + timedelta(minutes=2)
    await book(paid(1, at), now=now)
    assert await rollup.differing_minutes(now=now) == []
    later = now + timedelta(minutes=5)  # before the hourly pruning
    await book(paid(2, at), now=later)
    assert await rollup.differing_minutes(now=later) == []

    await database.execute("UPDATE rollup_minute SET g2 = g2 + 1")
    assert len(await rollup.differing_minutes(now=now)) == 1


async def test_a_rebuild_replaces_what_differs_and_leaves_the_rest(db: Settings) -> None:
    now = clock.now()
    for order_id in range(4):
        await book(paid(order_id, now - timedelta(days=order_id)), now=now)
    right, wrong, lost, _ = await stored()
    await database.execute(
        "UPDATE rollup_bucket SET units = units + 3, pending = 1 WHERE id = $1", wrong["id"]
    )
    await database.execute("DELETE FROM rollup_bucket WHERE id = $1", lost["id"])
    await RollupBucket.create(
        centre_id=1, day=20260101, broadcast_id=0, shop_id=0, streamer_id=0, product_id=0, attribution="U",
        revision=9, **dict.fromkeys(MEASURES, 7),
    )  # fmt: skip
    assert len(await rollup.differing_buckets()) == 3

    assert await rollup.rebuild(now=now) == {"buckets": 4, "differed": 3}

    assert await rollup.differing_buckets() == []
    after = {row["day"]: row for row in await stored()}
    assert after[right["day"]] == right
    assert after[wrong["day"]] == wrong | {"revision": 10}
    assert after[lost["day"]] == lost | {"revision": 10, "id": after[lost["day"]]["id"]}


async def test_a_rebuild_never_takes_a_revision_back(db: Settings) -> None:
    now = clock.now()
    for order_id in range(3):
        await book(paid(order_id, now), now=now)
    (before,) = await stored()
    await rollup.rebuild(now=now)
    assert await stored() == [before]

    await database.execute("UPDATE rollup_bucket SET buyer_paid = buyer_paid - 1")
    await rollup.rebuild(now=now)
    (after,) = await stored()

    assert after["revision"] > before["revision"]
    assert after["buyer_paid"] == before["buyer_paid"] == 3000


async def test_a_rebuild_may_take_longer_than_other_statements(db: Settings) -> None:
    if db.is_sqlite:
        pytest.skip("SQLite has no limit of time")
    await book(paid(1, clock.now()), now=clock.now())
    await limit_to(0.3)

    async with held(db, "LOCK TABLE contribution_entry IN ACCESS EXCLUSIVE MODE") as others:
        rebuilding = asyncio.create_task(rollup.rebuild(now=clock.now()))
        await others.until_waiting(1)
        await asyncio.sleep(1)

    assert await rebuilding == {"buckets": 1, "differed": 0}
    with pytest.raises(database.DatabaseUnavailable):
        await database.fetch("SELECT pg_sleep(1)")


async def limit_to(seconds: float) -> None:
    """Let the one connection of the pool wait no longer than this, on its side and on the server's."""
    async with get_connection("default").acquire_connection() as connection:
        await connection.execute(f"SET statement_timeout = '{seconds}s'")
        raw = connection._con
        raw._config = raw._config._replace(command_timeout=seconds)


async def stored() -> list[dict[str, object]]:
    return await database.fetch(
        f"SELECT id, day, {', '.join(MEASURES)}, revision FROM rollup_bucket ORDER BY id"
    )
