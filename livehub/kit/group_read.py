"""Many lookups, one question: what is asked for while an answer is on its way is asked together next.

Who is behind a cookie is one short statement, but in a rush there is one for every request, and each is a
round trip. Here a worker has one question under way; nobody waits for a timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import chain
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

MOST_AT_ONCE = 256


class GroupRead(Generic[Key, Value]):
    """Reads values by their keys; ``fetch`` gets different keys and leaves out those that have no value."""

    def __init__(self, fetch: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]]) -> None:
        self._fetch = fetch
        self._wanted: dict[Key, list[asyncio.Future[Value | None]]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def get(self, key: Key) -> Value | None:
        """The value as it is now or a moment later, None when there is none; raises what ``fetch`` raises."""
        future: asyncio.Future[Value | None] = asyncio.get_running_loop().create_future()
        self._wanted.setdefault(key, []).append(future)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="group-read")
        return await future

    async def _ask(self) -> None:
        try:
            while self._wanted:
                await self._answer(self._next())
        finally:
            self._asking = None

    def _next(self) -> dict[Key, list[asyncio.Future[Value | None]]]:
        """Whoever asks from now on gets an answer that was asked for after they came."""
        keys = list(self._wanted)[:MOST_AT_ONCE]
        return {key: self._wanted.pop(key) for key in keys}

    async def _answer(self, asked: dict[Key, list[asyncio.Future[Value | None]]]) -> None:
        try:
            found = await self._fetch(list(asked))
        except Exception as error:  # noqa: BLE001 -- told to everybody who asked
            for future in chain.from_iterable(asked.values()):
                if not future.done():  # who asked may have gone
                    future.set_exception(error)
            return
        for key, futures in asked.items():
            for future in futures:
                if not future.done():
                    future.set_result(found.get(key))
