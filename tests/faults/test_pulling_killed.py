"""The process that reads a platform's lists is killed at every point of a page: nothing is lost, nothing doubled."""

from __future__ import annotations

import pytest

from livehub import database, sandbox
from livehub.kit import clock
from livehub.orders import cursors
from livehub.orders.pull_models import SyncCursor
from livehub.sandbox.spec import LineSpec, OrderSpec, OrdersRequest
from livehub.settings import Settings
from tests.faults import reckoning
from tests.faults.installation import Installation, founded
from tests.faults.platform import Shops, is_fetched
from tests.faults.processes import becomes
from tests.faults.reckoning import opened
from tests.faults.test_processes_killed import back, quick_on, reached

POINTS = ("pull.after_lease", "pull.after_reply", "pull.before_commit", "pull.after_page")
SHOP = "910001"
ORDERS = 420  # five pages


@pytest.mark.faults
@quick_on("postgres")
async def test_jobs_die_at_every_point_of_a_windowed_pull(settings: Settings) -> None:
    async with sandbox.running() as box, founded(settings, people=1, stock=1) as installation:
        async with installation.serve("--with-jobs") as installation.serving:
            serving = installation.serving
            await Shops(box, {SHOP: box.base_url}).open(installation)
            _sold(box)
            await _opened(installation)
            for point in POINTS:
                (jobs,) = serving.children("livehub-jobs")
                await reached(installation.arm(point))
                await back(serving, "livehub-jobs", without=jobs, count=1)
            async with opened(installation.settings):
                await becomes(_is_read, seconds=30)
                for over in (is_fetched, reckoning.is_drained, is_fetched):
                    await becomes(over, seconds=30)
                row = await database.fetch_one(
                    "SELECT sum(orders) AS orders, sum(buyer_paid) AS paid FROM rollup_bucket"
                )
                listed = await database.fetch_one(
                    "SELECT count(*) AS n FROM listed_item WHERE kind = 'order'"
                )
            truth = box.store.books()["totals"]

        assert row == {"orders": truth["orders"], "paid": truth["g1_fen"]}  # type: ignore[index]
        assert listed == {"n": ORDERS}
        await reckoning.audit(installation.settings)


def _sold(box: sandbox.Box) -> None:
    """Orders that no push ever tells of."""
    now = clock.to_ms(clock.now())
    specs = [
        OrderSpec(shop=SHOP, lines=[LineSpec(product_ref="1")], paid_at_ms=now - 3_000_000 + n * 1000)
        for n in range(ORDERS)
    ]
    box.create(OrdersRequest(orders=specs))
    box.runs.waiting.clear()


async def _opened(installation: Installation) -> None:
    async with opened(installation.settings):
        (shop,) = [each for each in await cursors.listable() if each.platform == "doudian"]
        hour = clock.from_ms(clock.to_ms(clock.now()) - 3_600_000)
        await database.unit(lambda: cursors.backfill(shop.id, since=hour, now=clock.now()))


async def _is_read() -> bool:
    return not await SyncCursor.filter(status="waiting").exists() and await SyncCursor.all().exists()
