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
_SQLITE_GONE = ("disk is full", "disk i/o", "unable to open", "readonly", "closed", "no active connection")


def translate(error: BaseException) -> DatabaseUnavailable | None:
    """The 503 behind a driver's exception, or None when it is not about availability."""
    if isinstance(error, DatabaseUnavailable):
        return error
    if isinstance(error, _CONTENDED):
        return Contention()
    if isinstance(error, sqlite3.OperationalError | sqlite3.ProgrammingError | ValueError):
        text = str(error).lower()
        if "locked" in text or "busy" in text:
            return Busy()  # SQLite has waited its busy_timeout for BEGIN IMMEDIATE: not again five times
        if any(word in text for word in _SQLITE_GONE):
            return DatabaseUnavailable()
        return None
    return DatabaseUnavailable() if isinstance(error, _GONE) else None
