"""Figures that are counted in memory and added to the database every second or two: no commit for each.

They are figures, neither money nor stock: what was counted since the last writing is lost with a process that
is killed, and nothing else ever is.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Generic, TypeVar

import structlog

from livehub.kit.errors import Unavailable

Key = TypeVar("Key")

log = structlog.get_logger(__name__)


class Sums(Generic[Key]):
    """Sums by a key; ``add`` puts them into the database, wholly or not at all."""

    def __init__(
        self, name: str, add: Callable[[Mapping[Key, int]], Awaitable[object]], *, seconds: float
    ) -> None:
        self.name = name
        self._add = add
        self._seconds = seconds
        self._counts: Counter[Key] = Counter()
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start writing in the running loop."""
        self._ending.clear()
        self._task = asyncio.create_task(self._flush_forever(), name=self.name)

    async def stop(self) -> None:
        """Write what is left, then end; harmless when called twice."""
        self._ending.set()
        if self._task is not None:
            task, self._task = self._task, None
            await task

    def count(self, counts: Mapping[Key, int]) -> None:
        """So many more."""
        self._counts.update(counts)

    async def flush(self) -> None:
        """Write the sums; on an outage they wait for the next time."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            await self._add(counts)
        except Unavailable:
            log.warning("sums.wait", sums=self.name, number=counts.total())
            self._counts.update(counts)
        except Exception:
            log.exception("sums.wait", sums=self.name, number=counts.total())
            self._counts.update(counts)

    async def _flush_forever(self) -> None:
        while not self._ending.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), self._seconds)
            await self.flush()
        await self.flush()  # what came while the last one was under way
