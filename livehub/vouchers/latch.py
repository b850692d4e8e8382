"""Remembers for a second, in this process, that a link has nothing left: it may only say no.

The database alone says yes. A latch is shut by a committed stock of nothing, and opened by time and by
every change in this process that could bring stock back.
"""

from __future__ import annotations

import time

SECONDS = 1.0

_shut: dict[tuple[str, str], tuple[float, int]] = {}
_openings = 0


def openings() -> int:
    """How often stock came back so far; to be asked before the stock is."""
    return _openings


def shut(name: tuple[str, str], *, round_id: int, since: int) -> None:
    """Say no to a link (and template) for a second, unless stock came back after ``since`` openings."""
    if since != _openings:
        return
    if len(_shut) > 10_000:  # old names are forgotten together
        _shut.clear()
    _shut[name] = (time.monotonic() + SECONDS, round_id)


def round_of(name: tuple[str, str]) -> int | None:
    """The round of a link that is shut now, or None."""
    found = _shut.get(name)
    if found is None:
        return None
    if found[0] <= time.monotonic():
        del _shut[name]
        return None
    return found[1]


def clear() -> None:
    """Ask the database again: a drop opened, a round opened, stock was added."""
    global _openings  # noqa: PLW0603 -- one counter per process is the point
    _openings += 1
    _shut.clear()
