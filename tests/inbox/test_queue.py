"""The queue's clock is the database's; it must not lag behind the clock that stamps what arrives."""

from __future__ import annotations

import pytest

from livehub import database
from livehub.inbox import queue
from livehub.kit import clock
from livehub.settings import Settings


async def test_what_is_due_now_is_due_by_the_databases_clock(db: Settings) -> None:
    for _ in range(300):
        before = clock.to_ms(clock.now())
        row = await database.fetch_one(f"SELECT {queue.database_now()} AS now")

        assert row is not None
        assert before <= row["now"] <= clock.to_ms(clock.now()) + 1


async def test_the_head_of_a_long_queue_is_found_without_sorting_it(db: Settings) -> None:
    if db.is_sqlite:
        pytest.skip("SQLite always goes by indexes here")
    await database.execute(
        "INSERT INTO inbox_message (delivery_id, centre_id, platform, endpoint_id, shop_ref, digest, native_type,"
        " native_id, source, position, fact, order_key, provider_ts, received_at, status, reason, attempts,"
        " next_attempt_at, lease_until, lease_token, last_error)"
        " SELECT n, 1, 'standard_webhooks', 1, 's', decode(md5(n::text), 'hex'), 't', n::text, 'push', 0, '', '',"
        " 0, n, 'received', '', 0, n, 0, 0, '' FROM generate_series(1, 10000) n"
    )

    async with database.transaction():
        await database.prefer_indexes()
        plan = await database.fetch(f"EXPLAIN {queue.due(limit=500)}")

    steps = " ".join(row["QUERY PLAN"] for row in plan)
    assert "inbox_message_due" in steps
    assert "Index Cond" in steps
    assert "Sort" not in steps
