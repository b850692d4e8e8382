"""What is noted of every answer: how often, how long, and a line in the log when it was slow or our fault."""

from __future__ import annotations

from time import monotonic
from typing import Any

import structlog
from prometheus_client import Counter, Histogram
from sanic import Request, Sanic
from sanic.response import BaseHTTPResponse

from livehub.kit.tally import Tally

SLOW_SECONDS = 1.0
LINES_A_SECOND = 10  # in an outage every request would write one
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

_SERVER_ERROR = 500

REQUESTS = Counter("livehub_http_requests_total", "Answers", ["method", "route", "status"])
SECONDS = Histogram(
    "livehub_http_request_seconds", "From a request's first byte to its answer", ["route"], buckets=BOUNDS
)

_log = structlog.get_logger(__name__)


class Watch:
    """What one worker notes."""

    def __init__(self) -> None:
        self._tally = Tally(REQUESTS, SECONDS, bounds=BOUNDS, labels=_labels)
        self._second = 0
        self._lines = 0

    def install(self, app: Sanic[Any, Any]) -> None:
        """Write the figures while the application runs."""
        app.before_server_start(self._start)
        app.after_server_stop(self._stop)

    def note(self, request: Request, response: BaseHTTPResponse) -> None:
        """One answer is ready."""
        now = monotonic()
        connection: Any = request.protocol
        seconds = now - (connection.arriving_since or now)  # 0: it sent what is no request
        route = request.route.path if request.route is not None else ""
        status = response.status or 0
        self._tally.add((request.method, route, str(status)), seconds)
        if status >= _SERVER_ERROR or seconds >= SLOW_SECONDS:
            self._tell(request, status, seconds, now=now)

    def write(self) -> None:
        """Hand the figures over now."""
        self._tally.write()

    def _tell(self, request: Request, status: int, seconds: float, *, now: float) -> None:
        """One line, of at most so many in a second; the route and not the path, which may be a secret."""
        left_out = 0
        if int(now) != self._second:
            left_out = max(0, self._lines - LINES_A_SECOND)
            self._second, self._lines = int(now), 0
        self._lines += 1
        if self._lines > LINES_A_SECOND:
            return
        more = {"left_out": left_out} if left_out else {}
        tell, event = (
            (_log.warning, "request.server_error") if status >= _SERVER_ERROR else (_log.info, "request.slow")
        )
        tell(
            event,
            method=request.method,
            route=request.uri_template or "",
            status=status,
            ms=round(seconds * 1000),
            **more,
        )

    async def _start(self, _app: Sanic[Any, Any]) -> None:
        self._tally.start()

    async def _stop(self, _app: Sanic[Any, Any]) -> None:
        await self._tally.stop()


def _labels(key: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    method, route, status = key
    if not route:  # nobody knows that address, and any word may stand for the method
        return ("", "", status), ("",)
    return (method, f"/{route}", status), (f"/{route}",)
