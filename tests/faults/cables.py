"""A cable of our own: a TCP proxy on loopback that is slow, silent or torn when it is told to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from msgspec import Struct

SLICES_PER_SECOND = 10


class Manner(Struct, frozen=True):
    """How a cable treats what the far side says; what the near side says always arrives, but in silence."""

    name: str
    delay_seconds: float = 0.0
    bytes_per_second: int = 0  # of each connection; 0: as fast as it goes
    silent: bool = False  # connections are accepted, and nothing is heard of them ever again
    tears_after: int = 0  # bytes of an answer, then both sides are reset
    tears_at: bytes = b""  # both sides are reset instead of passing an answer on that says this


HONEST = Manner("honest")
LATE = Manner("half a second late", delay_seconds=0.5)
SLOW = Manner("a kilobyte a second", bytes_per_second=1024)
SILENT = Manner("half-open", silent=True)
TORN = Manner("torn in the middle of an answer", tears_after=20)


class Cable:
    """Leads to ``url``; ``manner`` may change at any time, ``torn`` counts what it has reset."""

    def __init__(self, url: str) -> None:
        self.manner = HONEST
        self.torn = 0
        self.url = ""
        self._far = urlsplit(url)
        self._connections: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[Cable]:
        """Listen at ``self.url`` while the block runs."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        user = f"{self._far.username}@" if self._far.username else ""
        self.url = self._far._replace(netloc=f"{user}127.0.0.1:{port}").geturl()
        try:
            yield self
        finally:
            server.close()
            for each in self._connections:
                each.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._connect(near, back))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _connect(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_connection(self._far.hostname, self._far.port)
        answers: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        works = [
            asyncio.create_task(work)
            for work in (self._ask(near, forth), self._hear(far, answers), self._answer(answers, back))
        ]
        try:
            await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in works:
                each.cancel()
            await asyncio.gather(*works, return_exceptions=True)
            for end in (back, forth):
                end.transport.abort()

    async def _ask(self, near: asyncio.StreamReader, forth: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await near.read(65536):
                await self._listen()
                forth.write(data)
                await forth.drain()

    async def _hear(self, far: asyncio.StreamReader, answers: asyncio.Queue[tuple[float, bytes]]) -> None:
        now = asyncio.get_running_loop().time
        with suppress(OSError):
            while data := await far.read(65536):
                answers.put_nowait((now() + self.manner.delay_seconds, data))
            await answers.join()

    async def _answer(self, answers: asyncio.Queue[tuple[float, bytes]], back: asyncio.StreamWriter) -> None:
        now = asyncio.get_running_loop().time
        with suppress(OSError):
            while True:
                due, data = await answers.get()
                await asyncio.sleep(max(0.0, due - now()))
                await self._listen()
                await self._pass_on(data, back)
                answers.task_done()

    async def _pass_on(self, data: bytes, back: asyncio.StreamWriter) -> None:
        manner = self.manner
        if manner.tears_at and manner.tears_at in data:
            self.torn += 1
            self.manner = HONEST  # once
            raise ConnectionResetError
        if manner.tears_after:
            self.torn += 1
            back.write(data[: manner.tears_after])
            await back.drain()
            raise ConnectionResetError
        step = manner.bytes_per_second // SLICES_PER_SECOND or len(data)
        for start in range(0, len(data), step):
            back.write(data[start : start + step])
            await back.drain()
            if manner.bytes_per_second:
                await asyncio.sleep(1 / SLICES_PER_SECOND)

    async def _listen(self) -> None:
        """A connection that once was silent stays so until somebody gives it up."""
        if self.manner.silent:
            await asyncio.Event().wait()
