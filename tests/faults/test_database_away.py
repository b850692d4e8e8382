"""The database goes away and comes back: loops go on, the web says 503 and never yes without having stored."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from jobs import loops
from jobs.loops import Loops
from livehub import database, process
from livehub.orders.fetching import Fetcher
from livehub.orders.pulling import Puller
from livehub.platforms.models import Endpoint
from livehub.settings import Settings
from tests.factories.accounts import a_bureau
from tests.factories.platforms import DOUDIAN_SECRET, an_endpoint
from tests.faults.outages import absent, outage_of
from tests.faults.processes import becomes
from tests.site import Site, running


async def test_the_loops_go_on_after_an_outage(settings: Settings) -> None:
    async with outage_of(settings) as outage, working(outage.settings) as every:
        health = every.health.values()
        await becomes(lambda: all(each.rounds for each in health), seconds=5)

        await outage.begin()
        await becomes(lambda: any(each.failures for each in health), seconds=outage.noticed_after_seconds)
        await outage.end()

        before = {name: each.rounds for name, each in every.health.items()}
        await becomes(
            lambda: all(each.rounds > before[each.name] and not each.failures for each in health), seconds=12
        )


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[Loops]:
    """Every loop of the jobs process, in this one."""
    fetcher, stop = Fetcher(), asyncio.Event()
    every = Loops(
        loops.every_loop(fetcher=fetcher, puller=Puller(), lease_seconds=30), first_wait_seconds=0.05
    )
    await process.start(settings)
    running = asyncio.create_task(every.run(stop))
    try:
        yield every
    finally:
        stop.set()
        await asyncio.wait_for(running, 30)
        await fetcher.close()
        await process.stop()


async def test_a_delivery_is_refused_or_stored_but_never_lost(settings: Settings) -> None:
    async with outage_of(settings) as outage, running(outage.settings) as site:
        endpoint = await an_endpoint(await a_bureau())

        async def push(order: int) -> tuple[int, bool]:
            body = msgspec.json.encode([paid(order)])
            headers = signed(body, endpoint)
            path = f"/hooks/doudian/{endpoint.endpoint_key}"
            async with site.post(path, data=body, headers=headers) as answer:
                return answer.status, int(answer.headers.get("Retry-After", 0)) > 0

        assert await push(1) == (200, False)

        await outage.begin()
        refused = await asyncio.gather(*(push(order) for order in range(2, 12)))
        async with site.get("/healthz") as alive:
            assert alive.status == 200
        await outage.end()

        assert refused == [(503, True)] * 10
        assert await database.fetch("SELECT count(*) AS n FROM inbox_message") == [{"n": 1}]
        assert await push(2) == (200, False)


def paid(order: int) -> dict[str, str]:
    data = {"p_id": order, "shop_id": 900001, "order_status": 2, "pay_time": 1760000010, "pay_amount": 3980}
    return {"tag": "101", "msg_id": f"{order}:101", "data": msgspec.json.encode(data).decode()}


def signed(body: bytes, endpoint: Endpoint) -> dict[str, str]:
    sign = hashlib.md5(endpoint.app_key.encode() + body + DOUDIAN_SECRET.encode()).hexdigest()
    return {"app-id": endpoint.app_key, "event-sign": sign, "content-type": "application/json"}


async def test_a_start_without_the_database_answers_503_and_recovers_by_itself(settings: Settings) -> None:
    async with absent(settings) as outage, running(outage.settings) as site:
        assert await readiness(site) == (503, True)

        await outage.end()

        await becomes(lambda: is_ready(site), seconds=5)


async def readiness(site: Site) -> tuple[int, bool]:
    async with site.get("/readyz") as answer:
        return answer.status, "Retry-After" in answer.headers


async def is_ready(site: Site) -> bool:
    return await readiness(site) == (200, False)
