"""Tortoise's SQLite engine made safe against cancellation, with BEGIN IMMEDIATE and readers of its own.

Stock Tortoise keeps its lock for good when a client's cancellation lands in BEGIN. Here every lock that
was taken is given back by a task that no cancellation reaches. Plain SELECTs outside a transaction go
to a second, read-only connection, so that pages do not wait for a commit, and the short questions of hot
paths to a third, so that they do not wait for pages.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, nullcontext, suppress
from functools import lru_cache, partial, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import aiosqlite
from tortoise.backends.base.client import ConnectionWrapper
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError, OperationalError

from livehub.database import marker
from livehub.database.errors import DatabaseUnavailable, translate
from livehub.database.savepoint import Savepoint

P = ParamSpec("P")
T = TypeVar("T")

_NUMBERED = re.compile(r"\$(\d+)")
BUSY_TIMEOUT_MS = 5000
# How often the file's lock is asked for. SQLite itself sleeps up to 100 ms between two looks, and a process
# that commits one batch after the other is never found between two of them.
LOOK_SECONDS = 0.0005
ASKING_SECONDS = 0.1  # while the loop waits; readers hardly ever meet a lock
# The connection's thread and the event loop share the interpreter: with Python's 5 ms each begin and each
# commit may wait so long until its end is noticed.
_SWITCH_SECONDS = 0.0005


@lru_cache(maxsize=2048)
def _dialect(query: str) -> str:
    """PostgreSQL's $1 as SQLite's ?1."""
    return _NUMBERED.sub(r"?\1", query)


def _translated(method: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    @wraps(method)
    async def inner(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(*args, **kwargs)
        except sqlite3.IntegrityError as error:
            raise IntegrityError(error) from error
        except (sqlite3.OperationalError, sqlite3.ProgrammingError, ValueError) as error:
            raise (translate(error) or OperationalError(error)) from error

    return inner


class _Held(ConnectionWrapper[aiosqlite.Connection]):
    """The connection under its lock; a cancellation while opening gives the lock back."""

    async def __aenter__(self) -> aiosqlite.Connection:
        await self._lock.acquire()
        try:
            await self.ensure_connection()
        except BaseException:
            self._lock.release()
            raise
        return self.connection


class _Transaction(SqliteTransactionContext):
    """BEGIN IMMEDIATE … COMMIT that leaves no lock behind, however it ends."""

    async def __aenter__(self) -> Any:
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            await self.connection.begin()
        except BaseException as error:
            await _beyond_cancellation(self._end(commit=False))
            raise (translate(error) or error) from error
        self.token = get_connections().set(self.connection_name, self.connection)
        return self.connection

    async def __aexit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        get_connections().reset(self.token)
        try:
            await _beyond_cancellation(self._end(commit=exc_type is None))
        except sqlite3.Error as error:
            raise (translate(error) or OperationalError(error)) from error

    async def _end(self, *, commit: bool) -> None:
        raw = self.connection._connection  # noqa: SLF001 -- our own subclass of it
        try:
            if raw is None or self.connection._finalized:  # noqa: SLF001 -- as above
                return
            if commit:
                try:
                    await raw.commit()
                except BaseException:
                    await raw.rollback()
                    raise
            else:
                await raw.rollback()
        finally:
            self._trxlock.release()


async def _beyond_cancellation(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end even if the awaiting task is cancelled; the cancellation is passed on after."""
    await asyncio.shield(asyncio.ensure_future(work))


def _begin(connection: sqlite3.Connection) -> None:
    """Begin as the only writer."""
    _patiently(connection.execute, "BEGIN IMMEDIATE")


def _patiently(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Ask again while the file is locked; SQLite itself would look ever less often."""
    until = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            return call(*args, **kwargs)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(LOOK_SECONDS)  # noqa: TID251 -- in the connection's thread


class _Wrapper(SqliteTransactionWrapper):
    """A transaction's own view of the connection."""

    def _in_transaction(self) -> Any:
        return Savepoint(_Wrapper(self))

    def acquire_connection(self) -> Any:
        return _Held(self._lock, self)

    async def begin(self) -> None:
        raw = self._connection
        await raw._execute(_begin, raw._conn)  # type: ignore[no-untyped-call]  # noqa: SLF001 -- in its thread

    @_translated
    async def execute_query(self, query: str, values: list[Any] | None = None) -> tuple[int, Sequence[Any]]:
        async with self.acquire_connection() as connection:
            start = connection.total_changes
            rows = await connection.execute_fetchall(_dialect(query), values)
            return (connection.total_changes - start) or len(rows), rows

    @_translated
    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        async with self.acquire_connection() as connection:
            return [dict(row) for row in await connection.execute_fetchall(_dialect(query), values)]

    @_translated
    async def execute_for_each(self, query: str, rows: Sequence[Sequence[Any]]) -> int:
        async with self.acquire_connection() as connection:
            start = connection.total_changes
            await connection.executemany(_dialect(query), rows)
            written: int = connection.total_changes - start
            return written

    async def execute_script(self, query: str) -> None:
        """One statement after the other: ``executescript`` would commit the transaction first."""
        begun = ""
        for part in query.strip().removesuffix(";").split(";"):
            begun += part + ";"
            if sqlite3.complete_statement(begun):  # a trigger holds statements of its own
                await self.execute_query(begun)
                begun = ""
        if begun:
            await self.execute_query(begun)  # SQLite says what it lacks

    @_translated
    async def execute_insert(self, query: str, values: list[Any]) -> Any:
        async with self.acquire_connection() as connection:
            row = await connection.execute_insert(query, values)
            return row[0] if row else None


class Client(SqliteClient):
    """One writer, one reader; see the module's first lines."""

    def __init__(self, file_path: str, **kwargs: Any) -> None:
        kwargs.setdefault("journal_mode", "WAL")
        kwargs.setdefault("journal_size_limit", 64 * 1024 * 1024)
        kwargs.setdefault("synchronous", "FULL")
        kwargs.setdefault("busy_timeout", BUSY_TIMEOUT_MS)
        super().__init__(file_path, **kwargs)
        self._reader: aiosqlite.Connection | None = None
        self._reader_lock = asyncio.Lock()
        self._asking: sqlite3.Connection | None = None
        self._guest: marker.Guest | None = None

    def acquire_connection(self) -> Any:
        return _Held(self._lock, self)

    def _in_transaction(self) -> Any:
        return _Transaction(_Wrapper(self), self._lock)

    async def create_connection(self, with_db: bool) -> None:  # noqa: ARG002, FBT001 -- Tortoise's signature
        if self._connection is not None:
            return
        sys.setswitchinterval(_SWITCH_SECONDS)
        file = Path(self.filename)
        try:
            async with marker.door(file):
                self._guest = marker.Guest(file)
                try:
                    marker.check(file)
                    await self._open()
                    await self._mark_open()
                    await self._wait(0)
                except BaseException:
                    await _beyond_cancellation(self._drop())
                    raise
        except (sqlite3.OperationalError, OSError) as error:
            raise (translate(error) or OperationalError(error)) from error

    async def _open(self) -> None:
        """As Tortoise does it, but batches may run their statements outside the connection's thread."""
        self._connection = await aiosqlite.connect(
            self.filename, isolation_level=None, check_same_thread=False
        )
        self._connection._conn.row_factory = sqlite3.Row  # noqa: SLF001 -- as Tortoise sets it
        for pragma, value in self.pragmas.items():
            await self._connection.execute_fetchall(f"PRAGMA {pragma}={value}")

    async def _wait(self, milliseconds: int) -> None:
        """How long SQLite itself waits for the file's lock: not at all, but for what is rare."""
        connection = self._connection
        assert connection is not None  # noqa: S101 -- opened by the caller
        await connection.execute_fetchall(f"PRAGMA busy_timeout={milliseconds}")

    async def close(self) -> None:
        if self._guest is not None:
            async with AsyncExitStack() as stack:
                closed = False
                with suppress(DatabaseUnavailable):  # somebody hangs behind the door: then we go without
                    await stack.enter_async_context(marker.door(Path(self.filename)))
                    closed = self._guest.is_last() and await self._mark_closed()
                await self._drop(closed=closed)

    async def _mark_open(self) -> None:
        connection = self._connection
        assert connection is not None  # noqa: S101 -- opened by the caller
        (row,) = await connection.execute_fetchall("PRAGMA user_version")
        if row[0] != marker.OPEN:
            await connection.execute_fetchall(f"PRAGMA user_version = {marker.OPEN}")
            await connection.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")

    async def _mark_closed(self) -> bool:
        """Whether the mark was written; first the checkpoint: on a full disk it frees the room for that."""
        connection = self._connection
        assert connection is not None  # noqa: S101 -- a guest has one
        await self._wait(BUSY_TIMEOUT_MS)
        with suppress(sqlite3.Error):
            await connection.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        with suppress(sqlite3.Error):
            await connection.execute_fetchall("PRAGMA user_version = 0")
            return True
        return False

    async def _drop(self, *, closed: bool = False) -> None:
        """Close all that is ours; the -wal goes only from a file that says it is closed."""
        reader, self._reader = self._reader, None
        asking, self._asking = self._asking, None
        guest, self._guest = self._guest, None
        try:
            with nullcontext() if closed else marker.wal_kept(Path(self.filename)):
                if asking is not None:
                    asking.close()
                if reader is not None:
                    await reader.close()
                await super().close()
        finally:
            if guest is not None:
                guest.leave()

    @_translated
    async def execute_query(self, query: str, values: list[Any] | None = None) -> tuple[int, Sequence[Any]]:
        if _is_read(query):
            rows = await self._read(query, values)
            return len(rows), rows
        if _is_write(query):
            async with self._in_transaction() as transaction:
                touched: tuple[int, Sequence[Any]] = await transaction.execute_query(query, values)
                return touched
        async with self.acquire_connection() as connection:
            fetch = partial(connection._execute_fetchall, _dialect(query), values or [])  # noqa: SLF001 -- as below
            rows = list(await connection._execute(_patiently, fetch))  # noqa: SLF001 -- in its thread
            return len(rows), rows

    async def execute_script(self, query: str) -> None:
        """Statements that each commit by themselves are not tried again as a whole: here SQLite waits."""
        async with self.acquire_connection() as connection:
            try:
                await self._wait(BUSY_TIMEOUT_MS)
                await connection.executescript(query)
            finally:
                await self._wait(0)

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        _, rows = await self.execute_query(query, values)
        return [dict(row) for row in rows]

    async def execute_insert(self, query: str, values: list[Any]) -> Any:
        async with self._in_transaction() as transaction:
            return await transaction.execute_insert(query, values)

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        async with self._in_transaction() as transaction:
            await transaction.execute_many(query, values)

    async def execute_for_each(self, query: str, rows: Sequence[Sequence[Any]]) -> int:
        async with self._in_transaction() as transaction:
            written: int = await transaction.execute_for_each(query, rows)
            return written

    @_translated
    async def commit_work(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """``work`` in a transaction of its own, its statements in the event loop's own thread.

        There they need not ask for the interpreter's lock after each row, which costs more than the rows.
        What may take long, to wait for the file's lock and for the disk, is left to the connection's thread.
        """
        async with self._in_transaction() as transaction:
            return work(transaction._connection._conn)  # noqa: SLF001 -- the connection that has begun

    @_translated
    async def ask(self, query: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        """A short question outside any transaction, answered in the event loop's own thread as well.

        Its connection is nobody else's. A page's may still be reading for somebody who has gone, and a
        connection sees the file as it was when the oldest of its questions began.
        """
        if self._asking is None:
            async with self.acquire_connection():  # the writer first: it marks the file
                self._asking = self._asking or self._open_asking()
        return [dict(row) for row in self._asking.execute(_dialect(query), values).fetchall()]

    def _open_asking(self) -> sqlite3.Connection:
        asking = sqlite3.connect(self.filename, isolation_level=None, timeout=ASKING_SECONDS)
        asking.row_factory = sqlite3.Row
        asking.execute("PRAGMA query_only=ON")
        return asking

    async def _read(self, query: str, values: list[Any] | None) -> list[sqlite3.Row]:
        async with self._reader_lock:
            if self._reader is None:
                async with self.acquire_connection():  # the writer first: it marks the file
                    self._reader = await self._open_reader()
            return list(await self._reader.execute_fetchall(_dialect(query), values))

    async def _open_reader(self) -> aiosqlite.Connection:
        reader = await aiosqlite.connect(self.filename, isolation_level=None)
        reader._conn.row_factory = sqlite3.Row  # noqa: SLF001 -- as Tortoise sets it, before any await
        for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "query_only=ON"):
            await reader.execute(f"PRAGMA {pragma}")
        return reader


def _is_read(query: str) -> bool:
    return query.lstrip()[:6].upper() == "SELECT"


@lru_cache(maxsize=2048)
def _is_write(query: str) -> bool:
    """Whether a statement by itself has to wait for the file's lock; one that begins WITH may be either."""
    return _WRITING.match(query) is not None


_WRITING = re.compile(r"\s*(WITH\b.*\b)?(INSERT|UPDATE|DELETE|REPLACE)\b", re.DOTALL | re.IGNORECASE)


client_class = Client
