"""Figures of a hot path: counted in memory, written to Prometheus once a second.

A labelled figure of prometheus-client that several processes add up costs five microseconds; a webhook costs
a hundred. A cell here costs half of one.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress

from prometheus_client import Counter, Histogram

EVERY_SECONDS = 1.0


class Cell:
    """How often something happened since the last writing, and how long it took."""

    __slots__ = ("count", "seconds", "steps")

    def __init__(self, bounds: int) -> None:
        self.count = 0
        self.seconds = 0.0
        self.steps = [0] * (bounds + 1)


class Tally:
    """Counts and times by a key; ``labels`` says what a key is called."""

    def __init__(
        self,
        counts: Counter,
        times: Histogram,
        *,
        bounds: tuple[float, ...],
        labels: Callable[[tuple[str, ...]], tuple[tuple[str, ...], tuple[str, ...]]],
    ) -> None:
        self._counts = counts
        self._times = times
        self._bounds = bounds
        self._labels = labels
        self._cells: dict[tuple[str, ...], Cell] = {}
        self._writer: asyncio.Task[None] | None = None

    def add(self, key: tuple[str, ...], seconds: float) -> None:
        """One more."""
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = Cell(len(self._bounds))
        cell.count += 1
        cell.seconds += seconds
        cell.steps[bisect_left(self._bounds, seconds)] += 1

    def write(self) -> None:
        """Hand everything over to Prometheus."""
        cells, self._cells = self._cells, {}
        for key, cell in cells.items():
            of_counts, of_times = self._labels(key)
            self._counts.labels(*of_counts).inc(cell.count)
            times = self._times.labels(*of_times)
            times._sum.inc(cell.seconds)  # noqa: SLF001 -- observe() takes one at a time
            for step, number in enumerate(cell.steps):
                if number:
                    times._buckets[step].inc(number)  # noqa: SLF001 -- as above

    def start(self) -> None:
        """Write every second from now on."""
        self._writer = asyncio.create_task(self._write_forever(), name="tally")

    async def stop(self) -> None:
        """Write what is left, then end; harmless when called twice."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer
            self.write()

    async def _write_forever(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            self.write()
