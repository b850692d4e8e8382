"""How long a client may take to say what it wants, and how many may stand at the door at once.

Sanic's own time-outs begin anew with every byte, so a client that sends one byte a second keeps a connection
for days, and nothing limits how many do. Here a request, head and body, has to be there within
REQUEST_TIMEOUT of its first byte; above a number of connections the longest idle ones are closed, and where
none is idle the newest is turned away; and the bodies of all unfinished requests together have a limit, so
that a crowd is answered 503 and not taken into memory.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from sanic.exceptions import RequestTimeout
from sanic.http import Http, Stage
from sanic.server.protocols.http_protocol import HttpProtocol

from livehub.kit.errors import Unavailable

SPARE_FILES = 128  # for the database, logs and files beside the connections
ROOM = 16  # so many idle connections are closed at once: looking for them costs a walk over all

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)


class TooCrowded(Unavailable):
    """现在人太多了，请稍后再试。"""

    code = "TOO_CROWDED"


def allow_many_files() -> None:
    """Let this process and its children open as many files as the system lets them; a thousand is too few."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # where that is forbidden, Crowd counts with what there is
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Crowd:
    """The limits of one worker, and the bytes its unfinished requests hold.

    ``tell`` hears why a connection was ended: late, idle, turned_away or crowded. The figure itself is not
    made here, because the supervisor imports this before it is decided where figures are kept.
    """

    def __init__(self, *, connections: int, body_bytes: int, tell: Callable[[str], None]) -> None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.connections = max(1, min(connections, files - SPARE_FILES))
        self.body_bytes = body_bytes
        self.held_bytes = 0
        self.tell = tell


class _Exchange(Http):
    """One request after another; each counts what its body holds."""

    __slots__ = ()
    protocol: Connection

    def init_for_request(self) -> None:
        super().init_for_request()  # type: ignore[no-untyped-call]  # Sanic's
        self.protocol.begin_anew()

    async def read(self) -> bytes | None:
        data = await super().read()
        if data and self.stage is Stage.HANDLER:  # after the answer the rest of a body is only thrown away
            self.protocol.hold(len(data))
        return data


class Connection(HttpProtocol):
    """One client; ``app.ctx.crowd`` is what it shares with the others of its worker."""

    HTTP_CLASS = _Exchange
    __slots__ = ("_arriving_since", "_granted_seconds", "_held_bytes")

    def connection_made(self, transport: Any) -> None:
        """Welcome a client, or turn it away when nobody idle can make room for it."""
        self._arriving_since, self._granted_seconds, self._held_bytes = 0.0, 0.0, 0
        if len(self.connections) >= self._crowd.connections and not self._make_room():
            self._crowd.tell("turned_away")
            transport.write(_FULL)
            transport.close()
            return
        super().connection_made(transport)  # type: ignore[no-untyped-call]  # Sanic's

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back what it held."""
        self._let_go()
        if self.conn_info is not None:  # None: it was turned away
            super().connection_lost(exc)  # type: ignore[no-untyped-call]  # Sanic's

    def data_received(self, data: bytes) -> None:
        """The first byte of a request starts its time."""
        if not self._arriving_since:
            self._arriving_since = monotonic()
        super().data_received(data)

    def check_timeouts(self) -> None:
        """Cut a request that is late, besides what Sanic looks for."""
        http = self._http
        if self._is_late(http):
            self._crowd.tell("late")
            if http.stage in (Stage.REQUEST, Stage.HANDLER):
                http.exception = RequestTimeout("the request took too long to arrive")
                if self._task is not None:
                    self._task.cancel()
            else:  # it was answered long ago, and its body still drips in
                self.close()
        super().check_timeouts()  # type: ignore[no-untyped-call]  # Sanic's

    def begin_anew(self) -> None:
        """A request is answered, or the first one awaited; what came early belongs to the next."""
        self._let_go()
        self._arriving_since = monotonic() if self.recv_buffer else 0.0
        self._granted_seconds = 0.0

    def grant(self, seconds: float) -> None:
        """Let this request take longer to arrive: somebody who may uploads a large file."""
        self._granted_seconds = seconds

    def hold(self, size: int) -> None:
        """Count bytes of a body; TooCrowded when all bodies together are too much."""
        self._held_bytes += size
        self._crowd.held_bytes += size
        if self._crowd.held_bytes > self._crowd.body_bytes:
            self._crowd.tell("crowded")
            self._let_go()
            self._http.keep_alive = False
            raise TooCrowded

    @property
    def arriving_since(self) -> float:
        """When the first byte of the request came, by the monotonic clock; 0 between two requests."""
        return self._arriving_since

    @property
    def _crowd(self) -> Crowd:
        crowd: Crowd = self.app.ctx.crowd
        return crowd

    def _let_go(self) -> None:
        self._crowd.held_bytes -= self._held_bytes
        self._held_bytes = 0

    def _is_late(self, http: Http | None) -> bool:
        if http is None or not self._arriving_since:
            return False
        is_arriving = http.stage is Stage.REQUEST or bool(http.request_body)
        return is_arriving and monotonic() - self._arriving_since > self._patience

    @property
    def _patience(self) -> float:
        return max(float(self.request_timeout), self._granted_seconds)

    def _make_room(self) -> bool:
        """Close the connections that wait longest between two requests; browsers and proxies come back."""
        idle = [each for each in self.connections if each.http is not None and each.http.stage is Stage.IDLE]
        idle.sort(key=lambda each: each._time)  # noqa: SLF001 -- our own class
        for each in idle[:ROOM]:
            self._crowd.tell("idle")
            self.connections.discard(each)  # counted no more, although it takes a moment to be gone
            each.close()
        return bool(idle)
