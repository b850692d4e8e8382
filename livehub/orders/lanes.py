"""Lanes: each endpoint is asked by a task of its own, so that one that hangs keeps no other waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

MOST = 32  # endpoints asked at once
CLOSE_SECONDS = 9.0  # longer than a call takes, shorter than the supervisor waits

Lane = Callable[[int], Coroutine[Any, Any, None]]
Begin = Callable[[], Awaitable[int]]


class Lanes:
    """The lanes of one process for one kind of calls, by endpoint."""

    def __init__(self, lane: Lane, *, name: str) -> None:
        self._lane, self._name = lane, name
        self._running: dict[int, asyncio.Task[None]] = {}
        self.closing = False  # what runs begins nothing new

    async def begin(self, waiting: Callable[[], Awaitable[Iterable[int]]]) -> None:
        """A lane for each endpoint that waits and has none, as long as there is room.

        What made a lane fail is raised here, later.
        """
        ended = [number for number, lane in self._running.items() if lane.done()]
        for error in [self._running.pop(number).exception() for number in ended]:
            if error is not None:
                raise error
        if self.closing:
            return
        for number in await waiting():
            if number not in self._running and len(self._running) < MOST:
                lane = self._lane(number)
                self._running[number] = asyncio.create_task(lane, name=f"{self._name}-{number}")

    async def run_out(self, begin: Begin) -> int:
        """Begin until no lane is left; returns the sum of what ``begin`` returned."""
        done = await begin()
        while self._running:
            await asyncio.wait(self._running.values())
            done += await begin()
        return done

    async def close(self) -> None:
        """Let what is asked be answered and recorded, for a while."""
        self.closing = True
        if self._running:
            _, late = await asyncio.wait(self._running.values(), timeout=CLOSE_SECONDS)
            for lane in late:
                lane.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)
