"""平台对账 in a real browser: found on the list, explained by a form, and read on a narrow screen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from playwright.async_api import expect

from livehub import database
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.orders.pull_models import DifferenceKind
from livehub.platforms.contract import FetchKind
from tests.browser.phone import CHROMIUM, fits, picture
from tests.browser.test_desk import seat, sit_down
from tests.factories.differences import a_difference, a_found
from tests.factories.platforms import a_shop, an_endpoint
from tests.site import Site
from tests.web.desk.office import EVENING, Office, an_office

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(EVENING, tick=True):
        yield


async def compared(office: Office) -> str:
    """A shop with differences of every kind on three days, and a window given up; its public id."""
    owner = office.house.bureaus[0]
    shop = await a_shop(owner, endpoint=await an_endpoint(owner, api_base_url="http://127.0.0.1:9"))
    now = clock.now()
    found = [
        a_found(
            n,
            kind=kind,
            about=FetchKind.REFUND if n % 4 == 3 else FetchKind.ORDER,
            day=clock.day_number(clock.local_day(now - timedelta(days=n % 3))),
            ours_fen=None if kind is DifferenceKind.MISSING else 12_800 + n,
            theirs_fen=None if kind is DifferenceKind.EXTRA else 12_700 + n,
        )
        for n, kind in enumerate(list(DifferenceKind) * 3)
    ]
    await a_difference(shop, *found)
    await database.execute(
        "UPDATE sync_cursor SET status = 'dead', pages = 3, last_error = 'refused: 30001: access_token 不存在'"
    )
    return shop.public_id


async def test_a_difference_is_found_explained_and_read_on_a_narrow_screen(client: Site) -> None:
    office = await an_office(client)
    shop = await compared(office)
    async with seat(client) as page:
        await sit_down(page, office, Role.MANAGER)
        await page.goto("/desk/sales")
        await expect(page.get_by_text("未对账自")).to_be_visible()
        await picture(page, "desk-sales-unreconciled")
        await page.get_by_role("link", name="平台对账").click()
        await expect(page.get_by_text("超过一天未对账")).to_be_visible()
        assert await fits(page)
        await picture(page, "desk-reconcile")
        await page.goto(f"/desk/reconcile/shops/{shop}")
        await expect(page.get_by_text("access_token")).to_be_visible()
        assert await fits(page)
        await picture(page, "desk-reconcile-shop")
        await page.goto("/desk/reconcile?kind=amount")
        await page.get_by_role("link", name="说明").first.click()
        await picture(page, "desk-reconcile-difference")
        await page.select_option("#reason", "price_changed")
        await page.fill("#note", "客服确认平台当晚改过价")
        await page.get_by_role("button", name="保存说明").click()
        await expect(page.get_by_text("已记录说明")).to_be_visible()
        await expect(page.get_by_text("客服确认平台当晚改过价")).to_be_visible()
    async with seat(client, width=390, scripts=False) as page:
        await sit_down(page, office, Role.AUDITOR)
        for name, path in (
            ("desk-reconcile-narrow", "/desk/reconcile"),
            ("desk-reconcile-shop-narrow", f"/desk/reconcile/shops/{shop}"),
        ):
            await page.goto(path)
            assert await fits(page)
            await picture(page, name)
