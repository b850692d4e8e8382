"""Buckets and minutes at the edges of what is kept, and after a rebuild."""

from __future__ import annotations

from datetime import datetime, timedelta

from livehub import database
from livehub.kit import clock
from livehub.orders import rollup
from livehub.orders.contribution import MEASURES, Key
from livehub.settings import Settings


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


async def test_a_rebuild_never_takes_a_revision_back(db: Settings) -> None:
    now = clock.now()
    for order_id in range(3):
        await book(paid(order_id, now), now=now)
    before = await database.fetch_one("SELECT revision, buyer_paid FROM rollup_bucket")
    await rollup.rebuild(now=now)
    after = await database.fetch_one("SELECT revision, buyer_paid FROM rollup_bucket")

    assert before is not None
    assert after is not None
    assert after["revision"] > before["revision"]
    assert after["buyer_paid"] == before["buyer_paid"] == 3000
