"""The queue's clock is the database's; it must not lag behind the clock that stamps what arrives."""

from __future__ import annotations

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
