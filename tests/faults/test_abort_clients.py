"""Clients that go away in the middle of everything: 400 of them, and then a normal request is answered.

Stock Sanic with stock Tortoise hangs for good within twenty of these on SQLite: the cancellation lands in a
BEGIN and its lock, or its connection, never comes back.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.site import Site

ABORTING = 400
AT_ONCE = 20


async def go_away(port: int, request: bytes, *, after_seconds: float) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    await asyncio.sleep(after_seconds)
    writer.transport.abort()


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.readline(), 4)
    writer.close()
    return answer


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(get("/readyz"), id="readyz"),
        pytest.param(get("/c/nowhere"), id="a page that asks the database"),
        pytest.param(post("/login", b"login=nobody&password=wrong"), id="a login that writes"),
        pytest.param(post("/hooks/doudian/unknown", b"[]"), id="a hook"),
    ],
)
async def test_four_hundred_aborting_clients_do_not_hang_the_service(
    client: Site, request_bytes: bytes
) -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    chance, port = random.Random(seed), client.url.port
    assert port is not None
    before = await ask(port, request_bytes)

    for _ in range(ABORTING // AT_ONCE):
        waits = [chance.random() * 0.006 for _ in range(AT_ONCE)]
        await asyncio.gather(*(go_away(port, request_bytes, after_seconds=wait) for wait in waits))

    assert await ask(port, request_bytes) == before
    assert await ask(port, get("/readyz")) == b"HTTP/1.1 200 OK\r\n"
