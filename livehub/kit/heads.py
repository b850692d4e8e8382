"""How far a worker has read a queue of rows, so that it reads past what is dead once and not each time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

Rows = list[dict[str, Any]]

LATE_MS = 1000  # a row may become visible so long after it was due ...
WHOLE_LOOK_SECONDS = 5.0  # ... and one that does later is met within these
LOOKING_SHARE = 0.02  # of the time may go into looking for what hardly ever is there


class Head:
    """How far one worker has read a queue: before that lie only entries of rows it has seen taken.

    They are dead, but while anybody holds an old snapshot PostgreSQL cannot remove them, and to read past all
    of them takes longer with each row. What appears before the head nevertheless (its commit took long, a
    lease was rolled back or ran out, the clock was set back) is met by a look from the very beginning every
    few seconds, and more rarely when that takes long.
    """

    def __init__(self) -> None:
        self._at = 0
        self._whole_look_at = 0.0

    async def read(self, take: Callable[[int], Awaitable[Rows]]) -> Rows:
        """What ``take`` takes from where it is told to start, in the order of ``next_attempt_at``."""
        start, began = self._begin(), monotonic()
        rows = await take(start)
        if rows:
            self._at = max(row["next_attempt_at"] for row in rows) - LATE_MS
        if start == 0:
            took = monotonic() - began
            self._whole_look_at = monotonic() + max(WHOLE_LOOK_SECONDS, took / LOOKING_SHARE)
        return rows

    def _begin(self) -> int:
        if monotonic() < self._whole_look_at:
            return self._at
        self._whole_look_at = monotonic() + WHOLE_LOOK_SECONDS  # even when this one fails
        return 0
