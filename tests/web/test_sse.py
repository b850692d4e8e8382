"""A live stream sends the latest value, stays open while nothing happens, and reads only while somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import aiohttp
from sanic import Request

from livehub.web import sse
from livehub.web.sse import Event
from tests.web.serving import App, served


async def read_until(answer: aiohttp.ClientResponse, wanted: bytes) -> bytes:
    got = b""
    async with asyncio.timeout(5):
        while wanted not in got:
            got += await answer.content.readany()
    return got


async def always() -> bool:
    return True


async def test_events_arrive_with_a_heartbeat_between_and_end() -> None:
    async def three() -> AsyncGenerator[Event, None]:
        yield Event(data="one\ntwo", name="figure", id="7")
        await asyncio.sleep(0.25)
        yield Event(data="last")

    def routes(app: App) -> None:
        @app.get("/live")
        async def _live(request: Request) -> None:
            await sse.stream(request, three(), may_stay=always, heartbeat_seconds=0.1)

    async with served(routes) as client, client.get("/live") as answer:
        async with asyncio.timeout(5):
            body = (await answer.read()).decode()

    assert answer.content_type == "text/event-stream"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert body == (
        "retry: 2000\n\nevent: figure\nid: 7\ndata: one\ndata: two\n\n: still here\n\n: still here\n\ndata: last\n\n"
    )


async def test_many_screens_share_one_reader_that_rests_when_nobody_looks() -> None:
    reads = 0

    async def load() -> str:
        nonlocal reads
        reads += 1
        if reads == 2:
            raise RuntimeError("the database was away")
        return f"figure {min(reads, 3)}"

    shared = sse.Shared(load, every_seconds=0.02)

    def routes(app: App) -> None:
        @app.get("/live")
        async def _live(request: Request) -> None:
            await sse.stream(request, shared.watch(), may_stay=always)

    async with served(routes) as client:
        async with client.get("/live") as first, client.get("/live") as second:
            for answer in (first, second):
                got = await read_until(answer, b"figure 3")
                assert got.count(b"figure 3") == 1
        async with asyncio.timeout(5):
            while shared.is_watched:  # noqa: ASYNC110 -- the server notices the closed connections by itself
                await asyncio.sleep(0.01)
        at_rest = reads
        await asyncio.sleep(0.1)
        assert reads == at_rest

        async with client.get("/live") as later:
            await read_until(later, b"figure 3")
    assert reads > at_rest


async def test_a_browser_that_goes_away_ends_its_source() -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncGenerator[Event, None]:
        try:
            while True:
                yield Event(data="x")
                await asyncio.sleep(0.02)
        finally:
            ended.set()

    def routes(app: App) -> None:
        @app.get("/live")
        async def _live(request: Request) -> None:
            await sse.stream(request, endless(), may_stay=always)

    async with served(routes) as client:
        async with client.get("/live") as answer:
            await read_until(answer, b"data: x")
        async with asyncio.timeout(5):
            await ended.wait()
