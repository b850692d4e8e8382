"""Server-sent events: one reader of the database for many screens, and a stream that stays open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from contextvars import Context
from time import monotonic

import structlog
from msgspec import Struct
from sanic import Request

HEARTBEAT_SECONDS = 10.0
_log = structlog.get_logger(__name__)


class Event(Struct, frozen=True):
    """One event as a browser's EventSource receives it."""

    data: str
    name: str = ""
    id: str = ""

    def encode(self) -> str:
        """The event on the wire."""
        lines = [f"event: {self.name}"] if self.name else []
        lines += [f"id: {self.id}"] if self.id else []
        lines += [f"data: {line}" for line in self.data.split("\n")]
        return "\n".join(lines) + "\n\n"


async def stream(
    request: Request,
    events: AsyncGenerator[Event, None],
    *,
    may_stay: Callable[[], Awaitable[bool]],
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> None:
    """Send events until they end or the browser goes away; a comment keeps proxies from closing it.

    ``may_stay`` is asked once per heartbeat: a stream ends soon after the login that opened it.
    """
    response = await request.respond(
        content_type="text/event-stream; charset=utf-8",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
    if response is None:
        return
    async with aclosing(events):
        async for text in _with_heartbeat(events, heartbeat_seconds, may_stay):
            await response.send(text)
    await response.eof()


async def _with_heartbeat(
    events: AsyncIterator[Event], seconds: float, may_stay: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[str, None]:
    yield "retry: 2000\n\n"
    asked = monotonic()
    waiting = asyncio.ensure_future(anext(events, None))
    try:
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=seconds)
            if monotonic() - asked >= seconds:
                asked = monotonic()
                if not await may_stay():
                    return
            if not done:
                yield ": still here\n\n"
                continue
            event = waiting.result()
            if event is None:
                return
            yield event.encode()
            waiting = asyncio.ensure_future(anext(events, None))
    finally:
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting


class Shared:
    """A figure that many screens watch: read once per interval in this worker, while somebody looks."""

    def __init__(self, load: Callable[[], Awaitable[str]], *, every_seconds: float) -> None:
        self._load = load
        self._every_seconds = every_seconds
        self._latest: str | None = None
        self._number = 0
        self._changed = asyncio.Event()
        self._watchers = 0
        self._reader: asyncio.Task[None] | None = None

    @property
    def is_watched(self) -> bool:
        """Whether the reader is at work."""
        return self._reader is not None

    async def watch(self) -> AsyncGenerator[Event, None]:
        """The latest value at once, then each change."""
        self._watchers += 1
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_on(), context=Context())  # nobody's request
        seen = 0
        try:
            while True:
                changed = self._changed
                if self._latest is not None and self._number != seen:
                    seen = self._number
                    yield Event(data=self._latest, id=str(seen))
                    continue
                await changed.wait()
        finally:
            self._watchers -= 1
            if self._watchers == 0 and self._reader is not None:
                self._reader.cancel()
                self._reader, self._latest = None, None

    async def _read_on(self) -> None:
        while True:
            try:
                value = await self._load()
            except Exception:  # noqa: BLE001 -- the screens keep the last value; the next round tries again
                _log.exception("live_figure_failed")
            else:
                self._publish(value)
            await asyncio.sleep(self._every_seconds)

    def _publish(self, value: str) -> None:
        if value == self._latest:
            return
        self._latest = value
        self._number += 1
        self._changed.set()
        self._changed = asyncio.Event()
