"""While the database does not answer, whoever asks the book is told so at once, not one after the other."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from livehub import process
from livehub.database import DatabaseUnavailable
from livehub.kit import clock
from livehub.platforms.queries import EndpointBook
from livehub.settings import Settings
from tests.conftest import KEYS

SECONDS = 0.3


async def test_those_who_wait_share_one_attempt() -> None:
    attempts = 0

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        await asyncio.sleep(SECONDS)
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with suppress(DatabaseUnavailable):
            await process.start(Settings(database_url=f"postgres://x@127.0.0.1:{port}/x", keys=KEYS))
        book, attempts = EndpointBook(), 0
        began = time.monotonic()
        first, *others = await asyncio.gather(
            *(book.get("key", now=clock.now()) for _ in range(20)), return_exceptions=True
        )
        took = time.monotonic() - began
    finally:
        await process.stop()
        server.close()

    assert isinstance(first, DatabaseUnavailable)
    assert {type(each) for each in others} == {type(first)}
    assert attempts < 5, f"{attempts} attempts in {took:.1f} s"
