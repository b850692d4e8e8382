"""Orders of an imitated 抖店: its messages carry no money, so that livehub has to fetch each order."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import aiohttp
import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts.actors import system
from livehub.bench.sales import Town
from livehub.bench.started import BenchBroken, Service
from livehub.kit import clock
from livehub.platforms import shops
from livehub.sandbox import catalogue
from livehub.sandbox.platform_api import BASE
from livehub.sandbox.spec import LiveRequest, ProductSpec, ShopSpec

PLATFORM: Literal["doudian"] = "doudian"
SHOP, APP_KEY, SECRET, ACCESS_TOKEN = "900001", "700001", "bench-secret", "bench-token"  # opens nothing
CALLS_PER_SECOND = 500  # more than is sold: the platform's own limit is not what is measured
SETTLE_SECONDS = 30


class Platform(Struct, frozen=True):
    """The sandbox as a process, and the key of the endpoint to which it pushes."""

    url: str
    endpoint_key: str


async def seed(town: Town, *, url: str) -> Platform:
    """The shop and its endpoint, which asks the sandbox at ``url``."""
    now, clerk = clock.now(), system("bench", centre_id=town.centre_id)
    endpoint = await shops.add_endpoint(
        town.centre_id,
        platform=PLATFORM,
        name="抖店",
        app_key=APP_KEY,
        secret=SECRET,
        access_token=ACCESS_TOKEN,
        api_base_url=url + BASE,
        actor=clerk,
        now=now,
    )
    await database.execute(
        "UPDATE endpoint SET calls_per_second = $1 WHERE id = $2", CALLS_PER_SECOND, endpoint.id
    )
    await shops.add_shop(
        town.bureau_id, endpoint_id=endpoint.id, shop_ref=SHOP, name="抖店", actor=clerk, now=now
    )
    return Platform(url, endpoint.endpoint_key)


async def sell(platform: Platform, service: Service, *, rate: float, seconds: float, seed: int) -> int:
    """Sell so many orders a second, each told as it is paid; returns how many were sold."""
    shop = ShopSpec(
        platform=PLATFORM,
        shop_ref=SHOP,
        hook_url=f"{service.url}/hooks/{PLATFORM}/{platform.endpoint_key}",
        app_key=APP_KEY,
        secret=SECRET,
        access_token=ACCESS_TOKEN,
        products=[
            ProductSpec(product_ref=item.product_ref(PLATFORM), title=item.title, price_fen=item.price_fen)
            for item in catalogue.ITEMS
        ],
    )
    asked = LiveRequest(shop=SHOP, orders_per_second=rate, seconds=seconds, seed=seed)
    async with aiohttp.ClientSession(platform.url) as session:
        await _tell(session, "/control/shops", shop)
        await _tell(session, "/control/live", asked)
        await asyncio.sleep(seconds)
        for _ in range(SETTLE_SECONDS * 20):
            async with session.get("/control/status") as answer:
                status: dict[str, Any] = await answer.json()
            if status["idle"]:
                return int(status["orders"])
            await asyncio.sleep(0.05)
    raise BenchBroken(f"the sandbox still pushes: {status}")


async def _tell(session: aiohttp.ClientSession, path: str, what: Struct) -> None:
    async with session.post(path, data=msgspec.json.encode(what)) as answer:
        if answer.status != 200:
            raise BenchBroken(f"the sandbox refused {path}: {await answer.text()}")


async def fetched() -> list[int]:
    """When the first reply about each order came, in the order of time."""
    rows = await database.fetch(
        "SELECT min(received_at) AS at FROM inbox_message WHERE source = 'pull' GROUP BY order_key"
        " ORDER BY at"
    )
    return [row["at"] for row in rows]
