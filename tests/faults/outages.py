"""Taking the database away and giving it back: a cut cable to PostgreSQL, a locked SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from livehub.database.sqlite import BUSY_TIMEOUT_MS
from livehub.settings import Settings


class Outage:
    """``settings`` reach the database through something that can be taken away."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.noticed_after_seconds = 1.0

    async def begin(self) -> None: ...

    async def end(self) -> None: ...


class LockedFile(Outage):
    """Another program holds SQLite's write lock longer than anybody is willing to wait."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.noticed_after_seconds = BUSY_TIMEOUT_MS / 1000 + 1.5
        self._holder: sqlite3.Connection | None = None

    async def begin(self) -> None:
        file = self.settings.database.removeprefix("sqlite://")
        self._holder = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        await asyncio.to_thread(self._holder.execute, "BEGIN IMMEDIATE")  # it may have to wait its turn

    async def end(self) -> None:
        if self._holder is not None:
            self._holder.execute("ROLLBACK")
            self._holder.close()
            self._holder = None


class MissingFile(Outage):
    """There is a folder where SQLite's file should be: not even root can open it."""

    async def begin(self) -> None:
        file = self._file()
        file.rename(file.with_suffix(".away"))
        file.mkdir()

    async def end(self) -> None:
        file = self._file()
        file.rmdir()
        file.with_suffix(".away").rename(file)

    def _file(self) -> Path:
        return Path(self.settings.database.removeprefix("sqlite://"))


class CutCable(Outage):
    """A TCP proxy before PostgreSQL: while it is down connections are refused, and the old ones are dead."""

    def __init__(self, settings: Settings) -> None:
        url = urlsplit(settings.database)
        self._far = (url.hostname or "127.0.0.1", url.port or 5432)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._url = url
        super().__init__(settings)

    async def end(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._connect, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]
            netloc = f"{self._url.username}@127.0.0.1:{self._port}"
            self.settings = replace(self.settings, database_url=self._url._replace(netloc=netloc).geturl())

    async def begin(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._far)
        ends = {writer, far_writer}
        self._open |= ends
        try:
            await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()


@asynccontextmanager
async def outage_of(settings: Settings) -> AsyncIterator[Outage]:
    """The database is there until ``begin``."""
    if settings.is_sqlite:
        locked = LockedFile(settings)
        yield locked
        await locked.end()
        return
    cable = CutCable(settings)
    await cable.end()
    yield cable
    await cable.begin()


@asynccontextmanager
async def absent(settings: Settings) -> AsyncIterator[Outage]:
    """The database is away from the beginning, until ``end``."""
    if settings.is_sqlite:
        missing = MissingFile(settings)
        await missing.begin()
        yield missing
        return
    cable = CutCable(settings)
    await cable.end()
    await cable.begin()
    yield cable
    await cable.begin()
