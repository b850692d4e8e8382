"""How often claims and redemptions were refused, by round, reason and minute: a rush leaves a few rows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

import structlog

from livehub import database
from livehub.kit import clock

Counted = tuple[int, str, int]  # round id (0: none), reason code, minute in ms

FLUSH_SECONDS = 1.0

log = structlog.get_logger(__name__)

COLUMNS = {"round_id": "bigint", "reason": "text", "minute": "bigint", "n": "int"}
ADD = (
    "INSERT INTO refusal_count (round_id, reason, minute, count)"
    " SELECT round_id, reason, minute, n FROM {of} WHERE true ON CONFLICT (round_id, reason, minute)"
    " DO UPDATE SET count = refusal_count.count + excluded.count"
)


def key(round_id: int, reason: str, *, now: datetime) -> Counted:
    """The count one refusal belongs to."""
    return round_id, reason, clock.to_ms(now) // 60_000 * 60_000


async def add(counts: Mapping[Counted, int]) -> None:
    """Add a batch's refusals in the current transaction, in key order."""
    await database.with_rows(COLUMNS, rows(counts), ADD.format(of="v"))


def rows(counts: Mapping[Counted, int]) -> list[tuple[int, str, int, int]]:
    """The counts as rows, in key order."""
    return [(*each, number) for each, number in sorted(counts.items())]


class Refusals:
    """Counts refused claims in memory and writes the sums once a second and at the end.

    Somebody is told that nothing is left without waiting for a commit. Counts are a figure, neither money nor
    stock: those of the last second are lost with a process that is killed, and no claim ever is.
    """

    def __init__(self) -> None:
        self._counts: Counter[Counted] = Counter()
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start writing in the running loop."""
        self._ending.clear()
        self._task = asyncio.create_task(self._flush_forever(), name="refusals")

    async def stop(self) -> None:
        """Write what is left, then end; harmless when called twice."""
        self._ending.set()
        if self._task is not None:
            task, self._task = self._task, None
            await task

    def count(self, counts: Mapping[Counted, int]) -> None:
        """So many more."""
        self._counts.update(counts)

    async def flush(self) -> None:
        """Write the sums; on an outage they wait for the next time."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            await database.unit(lambda: add(counts))
        except database.DatabaseUnavailable:
            log.warning("refusals.counts_wait", refusals=counts.total())
            self._counts.update(counts)

    async def _flush_forever(self) -> None:
        while not self._ending.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), FLUSH_SECONDS)
            await self.flush()
