"""Slow, idle and flooding clients beside honest ones, on a real process: the honest ones hardly notice."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, suppress
from time import monotonic

import aiohttp
import pytest
from msgspec.structs import replace

from livehub.connections import allow_many_files
from livehub.settings import Settings
from tests.faults.installation import installed, seconds
from tests.faults.processes import Serving, memory_mib, serve

IDLE, SLOW = 2000, 200
SLACK_SECONDS = 0.05  # of a shared machine
GROWTH_MIB = 60


async def slowest_of_hundred(serving: Serving, *, for_seconds: float) -> float:
    """The 99th percentile of an honest visitor's waits, a page every few milliseconds."""
    waits = []
    async with aiohttp.ClientSession(serving.url) as session:
        until = monotonic() + for_seconds
        while monotonic() < until:
            began = monotonic()
            async with session.get("/readyz") as answer:
                await answer.read()
                assert answer.status == 200
            waits.append(monotonic() - began)
            await asyncio.sleep(0.005)
    return sorted(waits)[int(len(waits) * 0.99)]


async def drip(serving: Serving, text: bytes) -> None:
    """One byte a second, and again when it is cut."""
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", serving.port)
            try:
                for byte in text:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(1)
            finally:
                writer.transport.abort()


@pytest.mark.faults
@pytest.mark.long
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)  # what waits here is no database
async def test_slow_and_idle_crowds_cost_the_others_little(settings: Settings) -> None:
    allow_many_files()
    async with serve(settings) as serving:
        (worker,) = serving.children("livehub-web")
        alone, calm = await slowest_of_hundred(serving, for_seconds=3), memory_mib(worker)
        head = b"POST /hooks/doudian/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n"
        slow = [asyncio.create_task(drip(serving, text)) for text in (head, head[40:] * 9) for _ in range(SLOW // 2)]  # fmt: skip
        idle = []
        for _ in range(IDLE // 100):
            idle += await asyncio.gather(*(asyncio.open_connection("127.0.0.1", serving.port) for _ in range(100)))  # fmt: skip

        beside, grown = await slowest_of_hundred(serving, for_seconds=seconds(4, long=30)), memory_mib(worker) - calm  # fmt: skip

        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        for _, writer in idle:
            writer.transport.abort()
    print(f"p99 {alone * 1000:.0f} ms alone, {beside * 1000:.0f} ms beside the crowd, {grown:.0f} MiB more")
    assert beside <= 2 * alone + SLACK_SECONDS
    assert grown < GROWTH_MIB


@pytest.mark.faults
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_a_lock_of_ten_seconds_loses_nothing_and_fills_no_memory(settings: Settings) -> None:
    """Another program holds the write lock longer than we wait: 503 for a while, and then on as before."""
    file = settings.database.removeprefix("sqlite://")
    async with installed(replace(settings, queue_limit=100)) as installation:
        (worker,) = installation.serving.children("livehub-web")
        async with installation.under_load(per_second=50, claims_per_second=10) as load:
            before = await load.steady(2)
            calm = memory_mib(worker)
            with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as holder:
                holder.execute("BEGIN IMMEDIATE")
                await asyncio.sleep(10)
                holder.execute("ROLLBACK")
            grown = memory_mib(worker) - calm
            await load.reaches(before)

        await installation.reckon()
        assert load.troubles.get("503", 0) > 0
        assert "500" not in load.troubles
        assert grown < GROWTH_MIB
