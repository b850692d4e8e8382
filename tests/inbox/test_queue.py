"""The queue's clock is the database's; it must not lag behind the clock that stamps what arrives."""

from __future__ import annotations

import pytest

from livehub import database
from livehub.inbox import queue
from livehub.kit import clock
from livehub.kit.heads import WHOLE_LOOK_SECONDS, Head
from livehub.settings import Settings
from tests.heads import a_snapshot, entries_read, stopped_clock

DUE = "inbox_message_due"


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
        plan = await database.fetch(f"EXPLAIN {queue.due(limit=500, start='0')}")

    steps = " ".join(row["QUERY PLAN"] for row in plan)
    assert DUE in steps
    assert "Index Cond" in steps
    assert "Sort" not in steps


WAITING = (
    "INSERT INTO inbox_message (delivery_id, centre_id, platform, endpoint_id, shop_ref, digest, native_type,"
    " native_id, source, position, fact, order_key, provider_ts, received_at, status, reason, attempts,"
    " next_attempt_at, lease_until, lease_token, last_error)"
    " SELECT 0, 1, 'standard_webhooks', 1, 's', {digest}, 't', {name}, 'own', 0, '', '',"
    " 0, 0, 'received', '', 0, {now} - {ago}, 0, 0, ''"
)


async def wait_in_line(name: str, *, ago: int = 0) -> None:
    """A message that was due so many milliseconds ago."""
    await database.execute(
        WAITING.format(digest="$1", name="$2", now=queue.database_now(), ago=ago), name.encode() * 32, name
    )


async def leased(head: Head) -> list[str]:
    return [each.native_id for each in await queue.lease(limit=9, seconds=30, head=head)]


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    return stopped_clock(monkeypatch)


async def test_what_becomes_visible_late_is_found_all_the_same(db: Settings, stopped: list[float]) -> None:
    head = Head()
    await wait_in_line("a")
    assert await leased(head) == ["a"]

    await wait_in_line("b", ago=60_000)
    await wait_in_line("c", ago=500)

    assert await leased(head) == ["c"]
    stopped[0] += WHOLE_LOOK_SECONDS
    assert await leased(head) == ["b"]


@pytest.mark.postgres
@pytest.mark.parametrize("settings", ["postgres"], indirect=True)
async def test_the_dead_at_the_head_are_not_read_again_and_again(db: Settings, stopped: list[float]) -> None:
    """They stay in the index for as long as somebody has a snapshot in which they live."""
    head = Head()
    async with a_snapshot(db):
        await database.execute(
            WAITING.format(
                digest="decode(md5(n::text), 'hex')", name="n::text", now=queue.database_now(), ago=60_000
            )
            + " FROM generate_series(1, 2000) n"
        )
        while await queue.lease(limit=500, seconds=30, head=head):
            pass
        await wait_in_line("z")
        assert await leased(head) == ["z"]

        assert await entries_read(leased(head), index=DUE) < 20
        assert await entries_read(leased(Head()), index=DUE) >= 2000
