"""Whose a lease is: its token names the seat of the process that took it, so that an heir knows what is free.

A seat is a file that its process keeps locked for as long as it lives. The kernel lets go of the lock however
the process ends, so whoever gets the lock knows that nobody lives who had the seat before, and that what was
leased from it is free. Leases without a seat, of other machines and of processes that only hang end by time;
whatever is taken back too early is fenced off by its token, as ever.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

SEATS = 64  # as many processes on one data directory have a seat of their own
_BITS = 31  # of a token for the seat, and as many for the single lease

_seat = 0  # nobody's


def token() -> int:
    """A fresh token of this process."""
    return _seat << _BITS | secrets.randbits(_BITS)


def inherited() -> tuple[int, int]:
    """The first and the last token of this process's seat: before its first lease, those of the dead."""
    first = _seat << _BITS
    return first, first | (1 << _BITS) - 1


def has_seat() -> bool:
    """Whether there can be anything to inherit."""
    return _seat != 0


@contextmanager
def seated(folder: Path) -> Iterator[None]:
    """Keep the first free seat of a folder; where none can be kept, leases end by time only."""
    global _seat  # noqa: PLW0603 -- a process has one seat, as it has one set of keys
    file = _locked(folder)
    _seat = _number(file) if file is not None else 0
    try:
        yield
    finally:
        _seat = 0
        if file is not None:
            os.close(file)


def _locked(folder: Path) -> int | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(SEATS):
            file = os.open(folder / str(number), os.O_RDWR | os.O_CREAT, 0o600)
            if _is_ours(file):
                return file
            os.close(file)
    except OSError as error:
        log.warning("leases.no_seat", folder=str(folder), error=str(error))
        return None
    log.warning("leases.no_seat", folder=str(folder), error="all are taken")
    return None


def _is_ours(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _number(file: int) -> int:
    """What the seat is called in tokens: drawn once, by whoever had it first."""
    told = os.pread(file, 64, 0).decode()
    if told.isdigit() and 0 < int(told) < 1 << _BITS:
        return int(told)
    drawn = secrets.randbelow((1 << _BITS) - 1) + 1
    os.ftruncate(file, 0)
    os.pwrite(file, str(drawn).encode(), 0)
    return drawn
