"""What a head of a queue is for: somebody's old snapshot, in which the dead live on, and what reading past them costs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import asyncpg
import pytest

from livehub import database
from livehub.kit import heads
from livehub.settings import Settings


@asynccontextmanager
async def a_snapshot(db: Settings) -> AsyncIterator[None]:
    """Somebody else looked at the database and has not closed the transaction."""
    forgetful = await asyncpg.connect(db.database)
    try:
        async with forgetful.transaction(isolation="repeatable_read"):
            await forgetful.fetch("SELECT count(*) FROM inbox_message")
            yield
    finally:
        await forgetful.close()


async def entries_read(work: Awaitable[object], *, index: str) -> int:
    """How many entries of an index are read by something that finds nothing."""
    async with database.transaction():
        before = await _entries_read(index)
        assert not await work
        return await _entries_read(index) - before


async def _entries_read(index: str) -> int:
    """By this session, as far as it has not told its statistics."""
    row = await database.fetch_one(
        "SELECT pg_stat_get_xact_tuples_returned(CAST(CAST($1 AS text) AS regclass)) AS n", index
    )
    assert row is not None
    return int(row["n"])


def stopped_clock(patch: pytest.MonkeyPatch) -> list[float]:
    """The time by which a head looks from the beginning, to be moved by hand."""
    at = [1000.0]
    patch.setattr(heads, "monotonic", lambda: at[0])
    return at
