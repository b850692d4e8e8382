"""A client that goes away stops nothing that was begun, and ends what only it was watching."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sanic import Request, Sanic
from sanic.response import HTTPResponse, text

from livehub.connections import Crowd
from livehub.serving import listen, serving
from livehub.web.shielding import Unfinished, committed_in_groups, live_stream


@asynccontextmanager
async def served(handler: Any) -> AsyncIterator[tuple[int, Unfinished]]:
    Sanic.test_mode = True
    app: Sanic[Any, Any] = Sanic(f"probe-{uuid.uuid4().hex[:8]}", configure_logging=False)
    app.ctx.crowd = Crowd(connections=100, body_bytes=1 << 20, tell=lambda _: None)
    app.config.update({"TOUCHUP": False, "GRACEFUL_SHUTDOWN_TIMEOUT": 2.0})
    app.add_route(handler, "/")
    unfinished = Unfinished()
    unfinished.install(app)

    async def end_streams(_: Sanic[Any, Any]) -> None:
        unfinished.end_streams()

    app.before_server_stop(end_streams)
    sock = listen("127.0.0.1", 0)
    async with serving(app, sock=sock):
        yield sock.getsockname()[1], unfinished


async def ask_and_leave(port: int, *, after_seconds: float) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await writer.drain()
    await asyncio.sleep(after_seconds)
    writer.transport.abort()


async def test_what_was_begun_is_finished_without_its_client() -> None:
    steps: list[str] = []

    async def handler(_: Request) -> HTTPResponse:
        steps.append("begun")
        await asyncio.sleep(0.1)
        steps.append("finished")
        return text("done")

    async with served(handler) as (port, unfinished):
        await ask_and_leave(port, after_seconds=0.03)
        await asyncio.sleep(0.02)
        assert steps == ["begun"]
        await unfinished.finished(within_seconds=1)

    assert steps == ["begun", "finished"]


async def test_a_handler_of_a_group_commit_may_be_cut() -> None:
    steps: list[str] = []

    @committed_in_groups
    async def handler(_: Request) -> HTTPResponse:
        steps.append("begun")
        await asyncio.sleep(0.1)
        steps.append("finished")
        return text("done")

    async with served(handler) as (port, _):
        await ask_and_leave(port, after_seconds=0.03)
        await asyncio.sleep(0.15)

    assert steps == ["begun"]


async def test_a_live_stream_ends_with_its_client_and_with_the_server() -> None:
    ended: list[str] = []

    @live_stream
    async def handler(request: Request) -> None:
        response = await request.respond(content_type="text/event-stream")
        assert response is not None
        try:
            while True:
                await response.send(": here\n\n")
                await asyncio.sleep(0.01)
        finally:
            ended.append("ended")

    loop = asyncio.get_running_loop()
    async with served(handler) as (port, _):
        await ask_and_leave(port, after_seconds=0.05)
        await asyncio.sleep(0.05)
        assert ended == ["ended"]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readline()
        before = loop.time()
    took = loop.time() - before
    writer.close()

    assert ended == ["ended", "ended"]
    assert took < 1
