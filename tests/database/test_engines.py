"""Transactions, cancellation and many rows on both engines."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from time import monotonic

import pytest
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.kit import clock, ids
from livehub.kit.limits import RateWindow
from livehub.settings import Settings
from tests.contention import kinds

UPSERT = (
    "INSERT INTO rate_window (key, starts_at, count) SELECT key, 0, n FROM v WHERE true"
    " ON CONFLICT (key, starts_at) DO UPDATE SET count = rate_window.count + excluded.count RETURNING key, count"
)


async def test_rows_are_upserted_and_rolled_back(db: Settings) -> None:
    async with database.transaction():
        await database.with_rows({"key": "text", "n": "int"}, [("a", 1), ("b", 2)], UPSERT)
    with pytest.raises(KeyError):
        async with database.transaction():
            await database.with_rows({"key": "text", "n": "int"}, [("a", 5)], UPSERT)
            raise KeyError

    assert await database.fetch("SELECT key, count FROM rate_window ORDER BY key") == [
        {"key": "a", "count": 1},
        {"key": "b", "count": 2},
    ]


async def test_rows_are_written_and_counted(db: Settings) -> None:
    upsert = UPSERT.removesuffix(" RETURNING key, count")
    columns = {"key": "text", "n": "int"}
    add = "UPDATE rate_window SET count = count + v.n FROM v WHERE rate_window.key = v.key AND count < 3"

    assert await database.write_rows(columns, [("a", 1), ("b", 2)], upsert) == 2
    assert await database.write_rows(columns, [("a", 1), ("c", 9)], upsert) == 2
    assert await database.write_rows(columns, [], upsert) == 0
    assert await database.write_rows(columns, [("a", 10), ("c", 10), ("nobody", 10)], add) == 1

    rows = await database.fetch("SELECT key, count FROM rate_window ORDER BY key")
    assert [(row["key"], row["count"]) for row in rows] == [("a", 12), ("b", 2), ("c", 9)]


async def test_rows_are_written_wholly_or_not_at_all(db: Settings) -> None:
    insert = "INSERT INTO rate_window (key, starts_at, count) SELECT key, 0, n FROM v"

    with pytest.raises(IntegrityError):
        await database.write_rows({"key": "text", "n": "int"}, [("a", 1), ("b", 2), ("a", 3)], insert)

    assert await database.fetch("SELECT key FROM rate_window") == []


async def test_a_short_question_sees_what_is_committed_beside_a_page_nobody_waits_for(db: Settings) -> None:
    long = (
        "SELECT count(*) AS n FROM (WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 4000000)"
        " SELECT n FROM t) x, rate_window"
    )
    await database.with_rows({"key": "text", "n": "int"}, [("a", 1)], UPSERT)
    assert await database.ask("SELECT count FROM rate_window") == [{"count": 1}]
    reading = asyncio.ensure_future(database.fetch(long))
    await asyncio.sleep(0.05)
    assert not reading.done()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    await database.with_rows({"key": "text", "n": "int"}, [("a", 1)], UPSERT)
    began = monotonic()
    answer = await database.ask("SELECT count FROM rate_window")

    assert answer == [{"count": 2}]
    assert monotonic() - began < 0.2  # it does not wait for the page either


async def test_cancelled_units_leave_no_lock_and_no_half_work(db: Settings) -> None:
    async def work(n: int) -> None:
        async with database.transaction():
            await database.with_rows({"key": "text", "n": "int"}, [(f"k{n}", 1)], UPSERT)
            await asyncio.sleep(0)
            await database.with_rows({"key": "text", "n": "int"}, [(f"l{n}", 1)], UPSERT)

    for n in range(120):
        task = asyncio.create_task(work(n))
        await asyncio.sleep(0.0002 * (n % 20))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    await asyncio.wait_for(database.unit(lambda: work(999)), timeout=4)
    rows = await database.fetch(
        "SELECT substr(key, 2) AS n, count(*) AS both FROM rate_window GROUP BY substr(key, 2)"
    )
    assert {row["both"] for row in rows} == {2}
    assert any(row["n"] == "999" for row in rows)


async def test_a_unit_survives_the_client_that_went_away(db: Settings) -> None:
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        await asyncio.sleep(0.02)
        await database.with_rows({"key": "text", "n": "int"}, [("kept", 1)], UPSERT)

    task = asyncio.create_task(database.unit(work))
    await started.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.1)

    assert await database.fetch("SELECT key FROM rate_window") == [{"key": "kept"}]


async def add(*keys: str) -> None:
    for key in keys:
        await database.with_rows({"key": "text", "n": "int"}, [(key, 1)], UPSERT)


async def test_two_units_that_wait_in_a_ring_both_end_well(db: Settings) -> None:
    await database.unit(lambda: add("a", "b"))
    ring, seen = asyncio.Barrier(2), set[str]()

    async def hold_and_want(first: str, second: str) -> None:
        await add(first)
        if first not in seen and not db.is_sqlite:  # where the second one waits to begin
            seen.add(first)
            await asyncio.wait_for(ring.wait(), timeout=5)
        await add(second)

    answers = await asyncio.gather(
        database.unit(lambda: hold_and_want("a", "b")),
        database.unit(lambda: hold_and_want("b", "a")),
        return_exceptions=True,
    )

    assert kinds(answers) == ["NoneType", "NoneType"]
    rows = await database.fetch("SELECT count FROM rate_window")
    assert [row["count"] for row in rows] == [3, 3]


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_a_transaction_on_a_file_is_the_only_writer_from_its_beginning(db: Settings) -> None:
    """What it reads before its first write is still so when it writes."""
    file = db.database.removeprefix("sqlite://")
    refusals: list[str] = []
    async with database.transaction():
        await database.fetch("SELECT count(*) AS n FROM rate_window")
        with closing(sqlite3.connect(file, timeout=0.05, isolation_level=None)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                refusals.append(str(error))
        await add("a")

    assert refusals == ["database is locked"]


WRITES: dict[str, Callable[[], Awaitable[object]]] = {
    "a transaction": lambda: database.unit(lambda: add("a")),
    "a statement": lambda: database.execute("DELETE FROM rate_window"),
    "a row": lambda: RateWindow.create(key=ids.public_id(), starts_at=clock.now(), count=1),
}


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize("write", WRITES)
async def test_who_writes_now_and_then_gets_in_beside_a_process_that_never_rests(
    db: Settings, write: str
) -> None:
    """SQLite looks for the lock ever less often; it was found free by chance, after seconds, or never."""
    busy = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", NEVER_RESTS, db.database.removeprefix("sqlite://")),
        stdout=asyncio.subprocess.PIPE,
    )
    assert busy.stdout is not None
    await busy.stdout.readline()
    written, until = 0, monotonic() + 2
    while monotonic() < until:
        await WRITES[write]()
        written += 1
        await asyncio.sleep(0.01)
    assert await busy.wait() == 0

    assert written > 10  # SQLite by itself gets in three times in ten seconds


NEVER_RESTS = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
print("begun", flush=True)
until = time.monotonic() + 3
while time.monotonic() < until:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE rate_window SET count = count")
    time.sleep(0.02)
    connection.execute("COMMIT")
    time.sleep(0.0005)
"""
