"""Serve the web application on a socket until told to stop, then let what is under way finish."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sanic import Sanic
from sanic.server.protocols.http_protocol import HttpProtocol

from livehub.connections import Connection

BACKLOG = 4096  # connections of a rush that wait; the kernel may allow fewer (net.core.somaxconn)


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket; of several ``shared`` ones on one port the kernel gives each a fair part."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    made.settimeout(0)
    return made


@asynccontextmanager
async def serving(
    app: Sanic[Any, Any], *, sock: socket.socket, protocol: type[HttpProtocol] = Connection
) -> AsyncIterator[None]:
    """Answer on the socket while the block runs; at its end drain, then close the database."""
    server: Any = await app.create_server(  # its methods are not typed
        sock=sock, backlog=BACKLOG, protocol=protocol, asyncio_server_kwargs={"start_serving": False}
    )
    await server.startup()
    await server.before_start()
    try:
        await server.start_serving()
        await server.after_start()
        yield
        await _drain(app, server)
    finally:
        await server.after_stop()


async def _drain(app: Sanic[Any, Any], server: Any) -> None:
    """No new connections; those between two requests end at once, the others after their answer."""
    server.close()
    await server.before_stop()
    waited = 0.0
    while server.connections and waited < app.config.GRACEFUL_SHUTDOWN_TIMEOUT:
        for connection in list(server.connections):
            connection.close_if_idle()
        await asyncio.sleep(0.05)
        waited += 0.05
    for connection in list(server.connections):
        connection.abort()
