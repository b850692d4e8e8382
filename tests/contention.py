"""Several sessions at one row: races that happen in one order each time, instead of when luck has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg

from livehub.settings import Settings

PATIENCE_SECONDS = 10.0


class Holder:
    """Somebody else's open transaction; on SQLite nobody, since there one writer comes after the other."""

    def __init__(self, connection: asyncpg.Connection | None) -> None:
        self._connection = connection
        self._held = connection is not None

    async def until_waiting(self, number: int, *, tasks: Sequence[asyncio.Task[object]] = ()) -> None:
        """Return when so many sessions wait for a lock, or as many as there are tasks not done yet."""
        if self._connection is None:
            await asyncio.sleep(0)
            return
        until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while asyncio.get_running_loop().time() < until:
            await self._connection.execute("SELECT pg_stat_clear_snapshot()")
            waiting = await self._connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if waiting >= number or (tasks and waiting >= sum(not task.done() for task in tasks)):
                return
            await asyncio.sleep(0.005)

    async def gets(self, statement: str) -> bool:
        """Whether the open transaction gets what it wants more, before a wait in a ring is broken up."""
        if self._connection is None:
            return True
        await self._connection.execute("SET LOCAL lock_timeout = '500ms'")
        try:
            await self._connection.execute(statement)
        except asyncpg.LockNotAvailableError:
            self._held = False
            await self._connection.execute("ROLLBACK")
            return False
        return True

    async def let_go(self) -> None:
        """End the transaction now instead of at the end of the block."""
        if self._connection is not None and self._held:
            self._held = False
            await self._connection.execute("ROLLBACK")


@asynccontextmanager
async def held(db: Settings, *statements: str) -> AsyncIterator[Holder]:
    """Another session that has run these statements and has not committed; it rolls back at the end."""
    if db.is_sqlite:
        yield Holder(None)
        return
    connection = await asyncpg.connect(db.database)
    try:
        await connection.execute("BEGIN")
        for statement in statements:
            await connection.execute(statement)
        holder = Holder(connection)
        yield holder
        await holder.let_go()
    finally:
        await connection.close()


async def meet(db: Settings, rows: str, *works: Callable[[], Awaitable[object]]) -> list[object]:
    """How each work ended, when all begin while somebody else holds ``rows``.

    They begin one after the other: the next one when the last one waits. So the first in the queue for
    the rows is the first work, and whatever was read before the queue was read by all.
    """
    tasks: list[asyncio.Task[object]] = []
    try:
        async with held(db, rows) as holder:
            for number, work in enumerate(works, start=1):
                tasks.append(asyncio.ensure_future(work()))
                await holder.until_waiting(number, tasks=tasks)
    finally:  # whatever comes of the race, nobody works on after it
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    return ended


def kinds(answers: Sequence[object]) -> list[str]:
    """The sorted names of the answers' types: what a race came to."""
    return sorted(type(answer).__name__ for answer in answers)
