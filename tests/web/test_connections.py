"""Slow, idle and greedy clients: each is ended or refused in time, and the others are served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from livehub.connections import Crowd
from livehub.settings import Settings
from tests.site import Site, running

PATH = "/hooks/doudian/unknown"
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\n".encode()
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


pytestmark = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)  # no database is asked here


class Client(NamedTuple):
    """One raw connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def drip(self, text: bytes, *, every: float = 0.05) -> None:
        """One byte at a time, for as long as somebody listens."""
        try:
            for byte in text:
                self.writer.write(bytes([byte]))
                await self.writer.drain()
                await asyncio.sleep(every)
        except OSError:
            return

    async def ask(self, text: bytes = HEALTH) -> int:
        self.writer.write(text)
        return await self.status()

    async def status(self) -> int:
        """The status of the next answer; 0 when the connection ended without one."""
        try:
            async with asyncio.timeout(5):
                head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await self.reader.readexactly(int(length.split(b":")[1]))
        return int(head.split(b" ")[1])

    async def ended(self) -> bool:
        """Whether the other side hangs up."""
        try:
            async with asyncio.timeout(3):
                return await self.reader.read(1) == b""
        except ConnectionError:
            return True


class Door:
    """A running application and the raw connections to it."""

    def __init__(self, site: Site) -> None:
        self.crowd: Crowd = site.app.ctx.crowd
        self._port = site.url.port
        self._clients: list[Client] = []

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self._port))
        self._clients.append(client)
        return client

    async def begun(self) -> Client:
        """A connection in the middle of a request."""
        client = await self.connect()
        client.writer.write(HEAD)
        await asyncio.sleep(0.005)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.writer.transport.abort()


@asynccontextmanager
async def a_door(settings: Settings, *, patience: float = 10) -> AsyncIterator[Door]:
    """The application; ``patience`` is how many seconds a request may take to arrive."""
    async with running(settings) as site:
        site.app.config.REQUEST_TIMEOUT = patience
        door = Door(site)
        try:
            yield door
        finally:
            door.close()
            await asyncio.sleep(0.01)


SLOW = {
    "the head": (b"", HEAD),
    "the body": (HEAD, b" " * 400),
    "a chunked body": (HEAD.replace(b"Content-Length: 400", b"Transfer-Encoding: chunked"), b"64\r\n" + b" " * 400),
    "the second request": (HEALTH, HEAD),
    "a second request that came with the first": (HEALTH + HEAD[:30], HEAD[30:]),
}  # fmt: skip


@pytest.mark.parametrize("case", SLOW)
async def test_a_request_that_drips_in_is_cut_although_every_byte_is_in_time(
    settings: Settings, case: str
) -> None:
    at_once, slowly = SLOW[case]
    async with a_door(settings, patience=0.4) as door:
        client = await door.connect()
        client.writer.write(at_once)
        if "second" in case:
            assert await client.status() == 200

        dripping = asyncio.create_task(client.drip(slowly))
        started = asyncio.get_running_loop().time()

        assert await client.status() == 408
        assert await client.ended()
        assert asyncio.get_running_loop().time() - started < 2
        await dripping
        assert not door.crowd.held_bytes


async def test_a_body_that_drips_on_after_its_refusal_is_cut_too(settings: Settings) -> None:
    async with a_door(settings, patience=0.4) as door:
        client = await door.connect()
        assert await client.ask(HEAD.replace(PATH.encode(), b"/nowhere")) == 404
        dripping = asyncio.create_task(client.drip(b" " * 390))

        assert await client.ended()
        await dripping


async def test_a_connection_that_is_used_again_and_again_is_never_late(settings: Settings) -> None:
    async with a_door(settings, patience=0.4) as door:
        client = await door.connect()
        answers = []
        for _ in range(20):
            dripping = asyncio.create_task(client.drip(HEALTH[-4:], every=0.02))
            client.writer.write(HEALTH[:-4])
            await dripping
            answers.append(await client.status())

        assert answers == [200] * 20


async def test_the_longest_idle_make_room_and_where_none_is_idle_the_newest_is_turned_away(
    settings: Settings,
) -> None:
    async with a_door(replace(settings, connection_limit=40)) as door:
        idle = [await door.connect() for _ in range(20)]
        for each in idle[:4]:
            assert await each.ask() == 200  # used last, and so they stay
        busy = [await door.begun() for _ in range(20)]

        assert await (await door.connect()).ask() == 200
        assert await idle[10].ended()
        assert await idle[0].ask() == 200
        more = [await door.begun() for _ in range(40)]

        assert {await each.status() for each in more[-5:]} <= {0, 503}
        for each in busy:
            assert await each.ask(b" " * 400) == 401
        assert await (await door.connect()).ask() == 200


async def test_the_bodies_of_a_crowd_are_refused_and_not_kept(settings: Settings) -> None:
    async with a_door(replace(settings, bodies_limit=300_000)) as door:
        head = HEAD.replace(b"400", b"100000")
        crowd = [await door.connect() for _ in range(10)]
        for each in crowd:
            each.writer.write(head + b" " * 60_000)
        await asyncio.sleep(0.2)
        assert 0 < door.crowd.held_bytes <= 300_000

        for each in crowd:
            each.writer.write(b" " * 40_000)
        statuses = await asyncio.gather(*(each.status() for each in crowd))

        assert sorted(set(statuses)) == [401, 503]
        assert door.crowd.held_bytes == 0
        assert await (await door.connect()).ask(head + b" " * 100_000) == 401
