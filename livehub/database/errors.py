"""What a database that cannot answer looks like to the rest of the house."""

from __future__ import annotations

import sqlite3

import asyncpg

from livehub.kit.errors import Unavailable


class DatabaseUnavailable(Unavailable):
    """系统暂时无法保存数据，请稍后重试。"""

    code = "DATABASE_UNAVAILABLE"


class Busy(DatabaseUnavailable):
    """系统繁忙，请稍后重试。"""

    code = "DATABASE_BUSY"


class Contention(Busy):
    """系统繁忙，请稍后重试。"""  # a lost race: tried again at once


_GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # "cannot switch to state": the session was ended while nobody listened
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.QueryCanceledError,
    asyncpg.DiskFullError,
    asyncpg.OutOfMemoryError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    ConnectionError,
    TimeoutError,
    OSError,
)
_CONTENDED = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
)
_SQLITE_WAITED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE_GONE = {
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}
_CLOSED = ("closed database", "connection closed", "no active connection")  # in the words of the drivers


def translate(error: BaseException) -> DatabaseUnavailable | None:
    """The 503 behind a driver's exception, or None when it is not about availability."""
    if isinstance(error, DatabaseUnavailable):
        return error
    if isinstance(error, _CONTENDED):
        return Contention()
    if isinstance(error, sqlite3.Error | ValueError):
        return _translate_sqlite(error)
    if isinstance(error, asyncpg.InterfaceError) and "server expects" in str(error):
        return None  # a statement of ours with the wrong number of arguments
    return DatabaseUnavailable() if isinstance(error, _GONE) else None


def _translate_sqlite(error: sqlite3.Error | ValueError) -> DatabaseUnavailable | None:
    """Judged by SQLite's code: its words quote our own columns, such as ``closed`` and ``locked_until``."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without what extends it
    if code in _SQLITE_WAITED:
        return Busy()  # SQLite has waited its busy_timeout for BEGIN IMMEDIATE: not again five times
    if code in _SQLITE_GONE or any(words in str(error).lower() for words in _CLOSED):
        return DatabaseUnavailable()
    return None
