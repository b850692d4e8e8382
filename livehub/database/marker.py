"""A SQLite file says in its header whether it is open, so that a copy without its -wal is noticed.

While a process of ours has the file, the header's ``user_version`` is OPEN: written and checkpointed before
anything else, and 0 again once the last process has closed it. OPEN without a -wal beside it is a copy that
left the newest commits behind. Who is the first and who the last is decided behind a door that lets one
process at a time open or close the file; the kernel gives back the locks of a process that was killed, and
SQLite leaves the -wal of one that was. Who is not the last leaves it too: the others may be killed while this
one closes, which then is the last for SQLite, and would fold the -wal into a file that is marked OPEN.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, nullcontext, suppress
from pathlib import Path

from livehub.database.errors import Busy

OPEN = 0x6F70656E  # "open"
_AT = 60  # where the header keeps user_version, big-endian; see https://www.sqlite.org/fileformat.html
DOOR_SECONDS = 30.0  # closing checkpoints, which takes its time when much was written


class WalMissing(Exception):
    """The file was copied while it was open, and its newest commits were left behind."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file} was copied while it was in use, and {file.name}-wal is not beside it: the newest commits"
            " are missing. Put the -wal of the same moment beside it, or restore a copy made by"
            " `livehub backup`; to go on without those commits: livehub migrate --accept-missing-wal"
        )


class Guest:
    """This process at a file, from before its first connection until after its last; made behind the door."""

    def __init__(self, file: Path) -> None:
        self._handle = _locked(_beside(file, "guests"), fcntl.LOCK_SH)

    def is_last(self) -> bool:
        """Whether nobody else has the file; ask behind the door, and leave after it."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def leave(self) -> None:
        """Be gone; harmless when called twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


@asynccontextmanager
async def door(file: Path) -> AsyncIterator[None]:
    """Open or close the file while nobody else does; Busy when somebody takes too long."""
    until = time.monotonic() + DOOR_SECONDS
    while (handle := _try_door(file)) is None:
        if time.monotonic() > until:
            raise Busy
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def visiting(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection of a thread that only looks; it leaves a file which nobody else has as closed."""
    with held(_beside(file, "door")):
        guest = Guest(file)
        try:
            check(file)
            connection = _connected(file)
        except BaseException:
            guest.leave()
            raise
    try:
        yield connection
    finally:
        with held(_beside(file, "door")):
            closed = guest.is_last() and _is_unmarked(connection)
            with nullcontext() if closed else wal_kept(file):
                connection.close()
            guest.leave()


def _connected(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=30)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")  # connected from now on
    except BaseException:
        with wal_kept(file):
            connection.close()
        raise
    return connection


def _is_unmarked(connection: sqlite3.Connection) -> bool:
    """Take the mark away, be it in the header or still in the -wal; False when that cannot be written."""
    with suppress(sqlite3.Error):
        if connection.execute("PRAGMA user_version").fetchone() == (OPEN,):
            connection.execute("PRAGMA user_version = 0")
        return True
    return False


@contextmanager
def wal_kept(file: Path) -> Iterator[None]:
    """Close connections in here, and the -wal stays, whoever else is there or gone by then.

    SQLite folds it in and removes it with the file's last connection, but not with one that may only read.
    Where there is none, none is made: it would hide that it is missing.
    """
    with ExitStack() as stack:
        if _beside(file, "wal", "-").exists():
            with suppress(sqlite3.Error):  # no database of ours
                reader = stack.enter_context(closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)))
                reader.execute("SELECT count(*) FROM sqlite_master").fetchall()  # connected from now on
        yield


def check(file: Path) -> None:
    """WalMissing when the file is a copy without its -wal; ask behind the door."""
    if is_open(file) and not _beside(file, "wal", "-").exists():
        raise WalMissing(file)


def refuse_copy(file: Path) -> None:
    """The same for somebody who is not behind the door yet."""
    if file.exists():
        with held(_beside(file, "door")):
            check(file)


def accept(file: Path) -> None:
    """Go on without the commits that are missing."""
    with held(_beside(file, "door")), closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 0")


def is_open(file: Path) -> bool:
    """What the header says, read without SQLite, which would make a -wal by looking."""
    try:
        with file.open("rb") as handle:
            return handle.read(_AT + 4)[_AT:] == OPEN.to_bytes(4, "big")
    except OSError:
        return False


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Wait for a lock and hold it."""
    handle = _locked(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


def _try_door(file: Path) -> int | None:
    try:
        return _locked(_beside(file, "door"), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def _locked(lock: Path, how: int) -> int:
    """A descriptor that holds a lock; reading is enough, so that a file which root made serves everybody."""
    handle = os.open(lock, os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, how)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _beside(file: Path, name: str, sign: str = ".") -> Path:
    return file.with_name(f"{file.name}{sign}{name}")
