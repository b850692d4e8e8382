"""Handlers outlive their client: what was begun is finished, unless a handler says that it may be cut.

Sanic cancels a handler when the browser goes away. Here every handler runs in a task of its own which that
cancellation does not reach, so that no unit of work is left half done. Two kinds ask not to be wrapped: a
handler whose work is done by a group commit, or given to ``finish``, and a live stream, which has to end with
its client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from inspect import isawaitable
from typing import Any, TypeVar

import structlog
from sanic import Sanic

from livehub.kit.errors import LivehubError

T = TypeVar("T")
Handler = TypeVar("Handler", bound=Callable[..., Any])

_log = structlog.get_logger(__name__)
_CUT = "__may_be_cut__"


def committed_in_groups(handler: Handler) -> Handler:
    """Mark a handler that writes through a group commit, or in ``finish``: nothing of it can be cut.

    That saves it a task of its own.
    """
    setattr(handler, _CUT, "group")
    return handler


def live_stream(handler: Handler) -> Handler:
    """Mark a handler that sends until the client goes away; it also ends when the server stops."""
    setattr(handler, _CUT, "stream")
    return handler


class Unfinished:
    """The handlers of one application that run right now."""

    def __init__(self) -> None:
        self._shielded: set[asyncio.Task[Any]] = set()
        self._streams: set[asyncio.Task[Any]] = set()
        self._until: float | None = None

    def install(self, app: Sanic[Any, Any]) -> None:
        """Wrap every handler; call it after the last route was added."""
        for route in app.router.routes:
            kind = getattr(route.handler, _CUT, "")
            if kind == "stream":
                route.handler = self._streaming(route.handler)
            elif kind != "group":
                route.handler = self._shielding(route.handler)

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do what must not be left half done, whether or not its client waits for it."""
        task = asyncio.ensure_future(work)
        self._shielded.add(task)
        task.add_done_callback(self._shielded.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_tell)
            raise

    def end_streams(self) -> None:
        """End every live stream; browsers come back by themselves."""
        for task in self._streams:
            task.cancel()

    async def finished(self, *, within_seconds: float) -> None:
        """Wait for the handlers whose clients may already have gone; the time runs from the first call."""
        now = asyncio.get_running_loop().time()
        self._until = self._until or now + within_seconds
        if self._shielded and now < self._until:
            await asyncio.wait(self._shielded, timeout=self._until - now)

    def _shielding(self, handler: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        @wraps(handler)
        async def shielded(*args: Any, **kwargs: Any) -> Any:
            return await self.finish(_called(handler, args, kwargs))

        return shielded

    def _streaming(self, handler: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        @wraps(handler)
        async def streaming(*args: Any, **kwargs: Any) -> Any:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 -- a handler always runs in one
            self._streams.add(task)
            try:
                return await _called(handler, args, kwargs)
            finally:
                self._streams.discard(task)

        return streaming


async def _called(handler: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    answer = handler(*args, **kwargs)
    return await answer if isawaitable(answer) else answer


def _tell(task: asyncio.Task[Any]) -> None:
    """The client is gone, so nobody else will see the failure of its handler."""
    if not task.cancelled() and (error := task.exception()) and not isinstance(error, LivehubError):
        _log.error("handler_failed_after_its_client_left", exc_info=error)
