"""A fifth of all pushes is lost, and every figure equals the platform's own books once its lists were read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from msgspec import Struct

from livehub import database, sandbox
from livehub.inbox import queue
from livehub.kit import clock
from livehub.orders import cursors, differences, intake
from livehub.orders.fetching import Fetcher
from livehub.orders.invariants import buckets, contributions, folds, reconciled
from livehub.orders.pace import Paces
from livehub.orders.pull_models import Cadence, SyncCursor, SyncDifference
from livehub.orders.pulling import Puller
from livehub.orders.windows import Planned
from livehub.platforms.contract import FetchKind
from livehub.settings import Settings
from tests.factories.accounts import a_bureau
from tests.factories.platforms import DOUDIAN_SECRET, a_shop, an_endpoint
from tests.site import Site, running

ORDERS = 60
HOUR_MS = 3_600_000


class Door(Struct, frozen=True):
    """How a platform knows its shop."""

    shop_ref: str
    app_key: str
    secret: str


DOORS = {
    "doudian": Door("900001", "7000000000000000009", DOUDIAN_SECRET),
    "kuaishou": Door("2100000001", "ks700000000000000001", "signsecret01:MDEyMzQ1Njc4OWFiY2RlZg=="),
    "wechat_store": Door(
        "gh_0123456789", "wx0123456789", "Token0123456789:abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
    ),
}


class Town(Struct):
    """The hub with one shop, and the platform that pushes to it and loses some."""

    site: Site
    box: sandbox.Box
    shop: cursors.Listable
    fetcher: Fetcher
    puller: Puller

    async def control(self, path: str, body: Any) -> Any:
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.box.base_url}{path}", json=body) as answer,
        ):
            assert answer.status < 400, await answer.text()
            return await answer.json()

    async def work(self) -> None:
        """Everything that waits, as the jobs process would do it."""
        taken = 1
        while taken:
            taken = await intake.run_once(now=clock.now(), lease_seconds=30)
            await database.execute("UPDATE fetch_job SET due_at = 0 WHERE status = 'waiting'")
            taken += await self.fetcher.run_once()

    async def pull(self) -> None:
        """A window of each list that covers the last hour."""
        now = clock.now()
        end = clock.to_ms(now)
        planned = [Planned(kind, Cadence.RECENT, end - HOUR_MS, end) for kind in FetchKind]
        await database.unit(lambda: cursors.open_windows(self.shop, planned, now=now))
        while await SyncCursor.filter(status="waiting").exists():
            await database.execute("UPDATE sync_cursor SET due_at = 0")
            await self.puller.run_once()
            await self.work()
        await differences.settle(now=clock.now())


@asynccontextmanager
async def a_town(db: Settings, platform: str) -> AsyncIterator[Town]:
    door, bureau = DOORS[platform], await a_bureau()
    async with sandbox.running() as box, running(db) as site:
        endpoint = await an_endpoint(
            bureau,
            platform=platform,
            app_key=door.app_key,
            secret=door.secret,
            api_base_url=f"{box.base_url}/{platform}",
        )
        await database.execute("UPDATE endpoint SET calls_per_second = 1000")
        await a_shop(bureau, endpoint=endpoint, shop_ref=door.shop_ref)
        paces = Paces()
        (shop,) = await cursors.listable()
        town = Town(site, box, shop, Fetcher(paces=paces), Puller(paces=paces))
        await town.control(
            "/control/shops",
            {
                "platform": platform, "shop_ref": door.shop_ref, "app_key": door.app_key,
                "secret": door.secret, "access_token": "access-token-of-tests",
                "hook_url": str(site.url / f"hooks/{platform}/{endpoint.endpoint_key}"),
                "products": [{"product_ref": "21000000000001", "title": "沙虫干", "price_fen": 9900, "sku_ref": "1"}],
            },
        )  # fmt: skip
        yield town
        await town.fetcher.close()
        await town.puller.close()


def sold(shop_ref: str) -> list[dict[str, Any]]:
    """Orders of the last hour; of every fourth the money went back."""
    now = clock.to_ms(clock.now()) // 1000 * 1000
    orders = []
    for n in range(ORDERS):
        paid = now - 2_400_000 + n * 30_000
        refund = {"line": 0, "applied_at_ms": paid + 60_000, "succeeded_at_ms": paid + 120_000}
        orders.append(
            {
                "shop": shop_ref,
                "created_at_ms": paid - 1000,
                "paid_at_ms": paid,
                "lines": [{"product_ref": "21000000000001", "quantity": 1 + n % 3, "platform_disc_fen": 100}],
                "refunds": [refund] if n % 4 == 0 else [],
            }
        )
    return orders


async def booked() -> dict[str, int]:
    """In the words of the sandbox's books."""
    row = await database.fetch_one(
        "SELECT sum(orders) AS orders, sum(units) AS units, sum(buyer_paid) AS g1,"
        " sum(buyer_paid + platform_disc + other_disc + voucher_subsidy) AS g2, sum(refund_done) AS back,"
        " sum(refund_cash) AS cash, sum(pending) AS pending FROM rollup_bucket"
    )
    assert row is not None
    return {name: int(value or 0) for name, value in row.items()}


def truth(town: Town) -> dict[str, int]:
    totals: Any = town.box.store.books()["totals"]
    names = {"orders": "orders", "units": "units", "g1": "g1_fen", "g2": "g2_fen", "back": "refund_g2_fen"}
    return {ours: totals[theirs] for ours, theirs in names.items()} | {
        "cash": totals["refund_cash_fen"],
        "pending": 0,
    }


@pytest.mark.parametrize("platform", DOORS)
async def test_what_pushes_lost_is_in_the_figures_and_told(db: Settings, platform: str) -> None:
    async with a_town(db, platform) as town:
        await town.control("/control/orders", {"orders": sold(DOORS[platform].shop_ref), "seed": 7})
        how = {"loss": 0.2, "duplicates": 0.1, "shuffle": True, "seed": 11}
        assert (await town.control("/control/push", how))["lost"] > 10
        await town.work()
        assert (await booked())["orders"] < ORDERS

        await town.pull()

        assert await booked() == truth(town)
        statuses = {str(each.status) for each in await SyncDifference.all()}
        kinds = {str(each.kind) for each in await SyncDifference.all()}
        assert (statuses, kinds) == ({"closed"}, {"missing"})
        for invariant in (buckets, contributions, folds, reconciled):
            assert await invariant.check() == []

        before = await SyncDifference.all().count()
        await town.pull()

        assert await booked() == truth(town)
        assert await SyncDifference.all().count() == before
        assert await queue.backlog() == []


@pytest.mark.parametrize("platform", DOORS)
async def test_the_jobs_own_plan_finds_it(db: Settings, platform: str) -> None:
    """The windows that the clock opens, instead of one that a test opens."""
    async with a_town(db, platform) as town:
        now = clock.now()
        await database.execute("UPDATE shop SET created_at = $1", clock.to_ms(now - timedelta(hours=2)))
        await town.control("/control/orders", {"orders": sold(DOORS[platform].shop_ref)[:5], "seed": 7})

        assert await cursors.plan(now=clock.now()) >= 2
        while await SyncCursor.filter(status="waiting").exists():
            await database.execute("UPDATE sync_cursor SET due_at = 0")
            await town.puller.run_once()
            await town.work()

        assert await booked() == truth(town)
