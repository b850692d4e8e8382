"""Calls to platforms: a line that died holds its place for a few seconds only, a slow answer is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from livehub.kit import outgoing

Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until who asked hangs up


async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for part in (b"HTTP/1.1 200 OK\r\n", b"content-length: 3\r\n\r\n", b"y", b"e", b"s"):
        writer.write(part)
        await asyncio.sleep(0.2)


async def wrongly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"no HTTP at all\r\n\r\n")


@asynccontextmanager
async def a_platform(answer: Answering) -> AsyncIterator[str]:
    """Takes a call, and answers it so."""
    hung_up = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await answer(reader, writer)
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        await hung_up.wait()


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[outgoing.Client]:
    monkeypatch.setattr(outgoing, "SILENCE_SECONDS", 0.5)
    opened = outgoing.Client()
    yield opened
    await opened.close()


async def test_silence_is_not_waited_out(client: outgoing.Client) -> None:
    began = monotonic()
    async with a_platform(never) as url:
        with pytest.raises(outgoing.OutgoingFailed):
            await client.send(url)

    assert monotonic() - began < 3


async def test_an_answer_that_comes_in_drops_is_waited_for(client: outgoing.Client) -> None:
    async with a_platform(slowly) as url:
        answer = await client.send(url)

    assert answer.body == b"yes"


async def test_what_went_wrong_is_told_without_the_address(client: outgoing.Client) -> None:
    told = []
    async with a_platform(wrongly) as url:
        for address in (url, "http://127.0.0.1:9/", "http://[broken/"):
            with pytest.raises(outgoing.OutgoingFailed) as caught:
                await client.send(address, query={"access_token": "a-secret"})
            told.append(str(caught.value))

    assert [each for each in told if "a-secret" in each or "access_token" in each] == []
    assert all(told)
