"""A small application of our own parts, served over real HTTP in the test's loop."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp
from sanic import Sanic

from livehub.connections import Connection, Crowd
from livehub.web import answers, assets, headers, numbering

App = Sanic[Any, Any]


@asynccontextmanager
async def served(
    add_routes: Callable[[App], None], *, body_limit: int = 4096, proxies: int | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    Sanic.test_mode = True
    app: App = Sanic(f"probe-{uuid4().hex[:8]}", configure_logging=False, request_class=numbering.Request)
    app.config.update({"TOUCHUP": False, "REQUEST_MAX_SIZE": body_limit, "ACCESS_LOG": False})
    app.config.PROXIES_COUNT = proxies
    answers.install(app)
    headers.install(app)
    assets.install(app)
    add_routes(app)
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    app.ctx.crowd = Crowd(connections=100, body_bytes=1 << 20, tell=lambda _: None)
    server = await app.create_server(sock=sock, protocol=Connection, return_asyncio_server=True)
    assert server is not None
    await server.startup()
    port = sock.getsockname()[1]
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", auto_decompress=True) as client:
            yield client
    finally:
        server.close()
        await server.wait_closed()
        Sanic.unregister_app(app)
