"""A mistake of ours is never told as an outage, and an outage never as a mistake."""

from __future__ import annotations

import sqlite3
from contextlib import AsyncExitStack
from pathlib import Path

import aiosqlite
import asyncpg
import pytest
from tortoise.connection import get_connection
from tortoise.exceptions import OperationalError

from livehub import database
from livehub.database import postgres
from livehub.database.errors import Busy, DatabaseUnavailable, translate
from livehub.settings import Settings


@pytest.mark.parametrize("column", ["closed", "locked_until", "is_busy", "readonly"])
async def test_a_wrong_column_is_a_mistake_whatever_it_is_called(db: Settings, column: str) -> None:
    for sql in (f"SELECT {column} FROM shop", f"UPDATE shop SET {column} = 1"):
        with pytest.raises(OperationalError, match=column):
            await database.fetch(sql)
        with pytest.raises(OperationalError, match=column):
            await database.unit(lambda sql=sql: database.fetch(sql))


async def test_too_many_arguments_are_a_mistake(db: Settings) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 -- each driver has its own
        await database.fetch("SELECT CAST($1 AS TEXT) AS one", "a", "b")
    assert not isinstance(caught.value, DatabaseUnavailable)


def test_a_held_and_a_full_and_a_readonly_file_are_outages(tmp_path: Path) -> None:
    one = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    two = sqlite3.connect(tmp_path / "x.db", isolation_level=None, timeout=0)
    one.execute("CREATE TABLE t (a TEXT)")
    one.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as held:
        two.execute("BEGIN IMMEDIATE")
    one.execute("COMMIT")
    two.execute("PRAGMA query_only=ON")
    with pytest.raises(sqlite3.OperationalError) as readonly:
        two.execute("INSERT INTO t VALUES ('a')")
    one.execute("PRAGMA max_page_count=2")
    with pytest.raises(sqlite3.OperationalError) as full:
        one.execute("INSERT INTO t VALUES (hex(zeroblob(100000)))")
    with pytest.raises(sqlite3.OperationalError) as absent:
        sqlite3.connect(tmp_path / "no" / "x.db")
    two.close()
    with pytest.raises(sqlite3.ProgrammingError) as closed:
        two.execute("SELECT 1")
    one.close()

    assert type(translate(held.value)) is Busy
    for outage in (readonly, full, absent, closed):
        assert type(translate(outage.value)) is DatabaseUnavailable, outage.value


async def test_a_closed_connection_of_the_asynchronous_driver_is_an_outage(tmp_path: Path) -> None:
    connection = await aiosqlite.connect(tmp_path / "x.db")
    await connection.close()
    with pytest.raises(ValueError) as closed:  # noqa: PT011 -- its words are what is tested
        await connection.execute("SELECT 1")

    assert type(translate(closed.value)) is DatabaseUnavailable


async def test_a_session_that_is_ended_inside_a_savepoint_is_an_outage(db: Settings) -> None:
    if db.is_sqlite:
        pytest.skip("SQLite has no sessions")
    other = await asyncpg.connect(db.database)
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction():
            row = await database.fetch_one("SELECT pg_backend_pid() AS pid")
            async with database.transaction():
                await other.execute("SELECT pg_terminate_backend($1)", row["pid"])
                await other.close()
                raise ValueError("whatever was wrong")


async def test_a_savepoint_that_a_full_disk_took_away_does_not_hide_it(db: Settings) -> None:
    if not db.is_sqlite:
        pytest.skip("PostgreSQL keeps its savepoints")
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction(), database.transaction():
            await database.execute("ROLLBACK")  # as SQLite does by itself when it cannot go on
            raise DatabaseUnavailable


async def test_who_gets_no_connection_in_time_is_told(db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    if db.is_sqlite:
        pytest.skip("SQLite has no pool")
    monkeypatch.setattr(postgres, "ACQUIRE_SECONDS", 0.2)
    async with AsyncExitStack() as stack:
        pool = get_connection("default")._pool
        for _ in range(db.pool_size):
            await stack.enter_async_context(pool.acquire())

        with pytest.raises(DatabaseUnavailable):
            await database.fetch("SELECT 1")
    assert await database.fetch("SELECT 1 AS one") == [{"one": 1}]
