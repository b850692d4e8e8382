"""Opening and closing the database, transactions, and raw SQL in one spelling for both engines."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar

from tortoise import Tortoise
from tortoise.connection import get_connection
from tortoise.transactions import in_transaction

from livehub.database.config import HOT, tortoise_config
from livehub.database.errors import Contention, DatabaseUnavailable, translate
from livehub.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 5


async def connect(settings: Settings) -> None:
    """Open the database of this process and ask it once; DatabaseUnavailable when it is not there."""
    if settings.file is not None:
        settings.file.parent.mkdir(parents=True, exist_ok=True)
    await Tortoise.init(config=tortoise_config(settings), _enable_global_fallback=True)
    await ping()


async def ping() -> None:
    """One question to the database; DatabaseUnavailable when no answer comes."""
    try:
        await asyncio.wait_for(fetch("SELECT 1 AS one"), timeout=5)
    except DatabaseUnavailable:
        raise
    except Exception as error:
        raise (translate(error) or error) from error


async def close() -> None:
    """Close the database of this process; harmless when called twice."""
    await Tortoise.close_connections()


def dialect() -> Literal["sqlite", "postgres"]:
    """Which engine this process talks to."""
    return get_connection("default").capabilities.dialect  # type: ignore[return-value]  # the two we configure


def ids_of(question: str) -> str:
    """SQL for what an UPDATE compares its ids with: the ids of a question that locks and has a LIMIT.

    PostgreSQL may ask a subquery of IN again for each row it looks at, and SKIP LOCKED then gives other rows
    each time, more than the limit; an array is made once.
    """
    return f"= ANY(ARRAY({question}))" if dialect() == "postgres" else f"IN ({question})"


def now_ms() -> str:
    """SQL for the database's clock, milliseconds since the epoch: what all processes agree on."""
    return NOW_MS[dialect()]


NOW_MS = {
    "postgres": "(extract(epoch from statement_timestamp()) * 1000)::bigint",  # an index can be asked by it
    "sqlite": "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",  # cut, often 1 ms behind
}


@asynccontextmanager
async def transaction() -> AsyncIterator[None]:
    """One transaction, or a savepoint inside the current one. SQLite takes its write lock at once."""
    async with in_transaction("default"):
        yield


async def prefer_indexes() -> None:
    """Until the current transaction ends PostgreSQL follows indexes, whatever it last knew of the tables.

    A queue is empty when it is looked at and full a minute later: planned by what was known then, its head
    is found by sorting all of it. SQLite always goes by indexes here.
    """
    if dialect() == "postgres":
        await fetch(_PREFER_INDEXES)


_PREFER_INDEXES = "SELECT " + ", ".join(
    f"set_config('enable_{way}', 'off', true)" for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin")
)


def atomic(verb: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let a verb happen wholly or not at all, whether or not its caller is in a transaction already."""

    @wraps(verb)
    async def whole(*args: P.args, **kwargs: P.kwargs) -> T:
        async with transaction():
            return await verb(*args, **kwargs)

    return whole


async def unit(work: Callable[[], Awaitable[T]]) -> T:
    """Run ``work`` in one transaction, beyond the reach of a client that goes away.

    Deadlocks, serialisation failures and a locked file are tried again a bounded number of times, so
    ``work`` must do nothing but talk to the database.
    """
    return await asyncio.shield(asyncio.ensure_future(_unit(work)))


async def _unit(work: Callable[[], Awaitable[T]]) -> T:
    for attempt in range(ATTEMPTS):
        try:
            async with transaction():
                return await work()
        except Contention:
            if attempt == ATTEMPTS - 1:
                raise
            await asyncio.sleep(0.01 * 2**attempt)
    raise AssertionError


async def fetch(sql: str, *args: Any) -> list[dict[str, Any]]:
    """Rows of a statement with $1, $2 … placeholders; INSERT … RETURNING works on both engines."""
    return await get_connection("default").execute_query_dict(sql, list(args))


async def fetch_one(sql: str, *args: Any) -> dict[str, Any] | None:
    """The first row, or None."""
    rows = await fetch(sql, *args)
    return rows[0] if rows else None


async def commit_statement(sql: str, *args: Any) -> list[dict[str, Any]]:
    """PostgreSQL only: one statement that is a transaction of its own, one round trip, planned by index."""
    return await get_connection(HOT).execute_query_dict(sql, list(args))


async def ask(sql: str, *args: Any) -> list[dict[str, Any]]:
    """Rows of a short question that reads by index, outside the current transaction: the way of hot paths.

    PostgreSQL plans it by index whatever size the tables had; SQLite answers it in the event loop's thread.
    """
    if dialect() == "postgres":
        return await commit_statement(sql, *args)
    return await get_connection("default").ask(sql, args)  # type: ignore[attr-defined,no-any-return]  # our client's


async def commit_work(work: Callable[[sqlite3.Connection], T]) -> T:
    """SQLite only: ``work`` as a transaction of its own, run by the event loop itself: a batch, nothing long.

    It uses ``?`` placeholders, and nothing in it may wait for anything but this database.
    """
    whole: T = await get_connection("default").commit_work(work)  # type: ignore[attr-defined]  # our client's
    return whole


async def execute(sql: str, *args: Any) -> int:
    """Run a statement and return how many rows it touched."""
    affected, _ = await get_connection("default").execute_query(sql, list(args))
    return affected


async def execute_within(seconds: int, sql: str, *args: Any) -> None:
    """Run a statement of the current transaction that may take so long.

    The pool's own limits are for work that somebody waits for. SQLite has none.
    """
    if dialect() == "postgres":
        await get_connection("default").execute_within(seconds, sql, args)  # type: ignore[attr-defined]  # our client's
    else:
        await execute(sql, *args)
