"""One event again and again, faster than any platform repeats: one message, one delivery, the rest counted."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from livehub import database, process
from livehub.settings import Settings
from tests.factories.accounts import a_bureau
from tests.factories.platforms import an_endpoint
from tests.faults.installation import seconds
from tests.faults.processes import Serving, cpu_seconds, memory_mib, serve
from tests.faults.test_database_away import paid, signed
from tests.faults.test_processes_killed import quick_on

pytestmark = pytest.mark.faults

TIMES = int(seconds(5_000, long=100_000))
CONNECTIONS = 32
CPU_MS_EACH = 2.0  # of the web process: a repetition costs no more than a new delivery
GROWTH_MIB = 20


@quick_on("postgres")
async def test_a_storm_of_one_event_is_one_message(settings: Settings) -> None:
    await process.start(settings)
    endpoint = await an_endpoint(await a_bureau())
    await process.stop()
    body = msgspec.json.encode([paid(1)])
    headers = [f"{name}: {value}" for name, value in signed(body, endpoint).items()]
    path = f"/hooks/doudian/{endpoint.endpoint_key}"
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    request = "\r\n".join(lines).encode() + body

    async with serve(settings) as serving:
        (worker,) = serving.children("livehub-web")
        await repeat(serving, request, times=1000)
        cpu, memory = cpu_seconds(worker), memory_mib(worker)
        await repeat(serving, request, times=TIMES - 1000)
        cpu, memory = cpu_seconds(worker) - cpu, memory_mib(worker) - memory
        assert serving.children("livehub-web") == {worker}

    await process.start(settings)
    try:
        assert await database.fetch("SELECT count(*) AS n FROM inbox_delivery") == [{"n": 1}]
        assert await database.fetch("SELECT count(*) AS n FROM inbox_message") == [{"n": 1}]
        counted = await database.fetch(
            "SELECT sum(deliveries) AS deliveries, sum(messages) AS messages FROM duplicate_count"
        )
        assert counted == [{"deliveries": TIMES - 1, "messages": TIMES - 1}]
    finally:
        await process.stop()
    assert cpu * 1000 / (TIMES - 1000) < CPU_MS_EACH
    assert memory < GROWTH_MIB


async def repeat(serving: Serving, request: bytes, *, times: int) -> None:
    """Send one request so often on a few connections; every answer is 200."""
    left = times

    async def knock() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
        while left:
            left -= 1
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.split(b":")[1]))
        writer.close()

    await asyncio.gather(*(knock() for _ in range(CONNECTIONS)))
