"""Giving loose lines to a show in a real browser: on the order's page, on the show's list, on a phone's width too."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import expect

from livehub import database
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.orders import auditing
from tests.browser.phone import CHROMIUM, fits, picture
from tests.browser.test_desk import _evening, seat, sit_down
from tests.orders.test_auditing import unprotected
from tests.orders.test_races import hand_out
from tests.site import Site
from tests.web.desk.office import EVENING, an_office

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]
evening = _evening


@pytest.mark.parametrize("width", [1360, 390])
async def test_a_clerk_finds_loose_lines_and_gives_them_to_their_show(client: Site, width: int) -> None:
    office = await an_office(client)
    for n in range(3):
        await office.sell(f"L{n}", paid_fen=12_800 + n, room_ref="", at=EVENING - timedelta(minutes=n + 1))
    await office.sell("A1", paid_fen=5_000)
    show, sizes = f"/desk/broadcasts/{office.broadcast.public_id}", f"-{width}"
    async with seat(client, width=width) as page:
        await sit_down(page, office, Role.MANAGER)
        await page.goto(f"/desk/sales/lines?broadcast={office.broadcast.public_id}")
        await picture(page, f"lines{sizes}")
        await page.get_by_role("link", name="本场店铺的未归属明细").click()
        await picture(page, f"unattributed{sizes}")
        assert await fits(page)
        await page.get_by_label("选择 L0").check()
        await page.get_by_label("选择 L1").check()
        await page.fill("#reason", "主播核对了小票")
        await page.get_by_role("button", name="把选中的归到本场").click()
        await expect(page.get_by_role("status")).to_contain_text("已归到这一场")
        await expect(page.get_by_role("row")).to_have_count(2)

        await page.get_by_role("link", name="L2").click()
        await page.select_option("#broadcast", office.broadcast.public_id)
        await page.fill("#reason", "客服截图")
        await picture(page, f"order-assign{sizes}")
        await page.get_by_role("button", name="认定", exact=True).click()
        await expect(page.get_by_role("status")).to_contain_text("已归到这一场")
        await picture(page, f"order-assigned{sizes}")
        assert await fits(page)
        await page.goto(show)
        await page.goto("/desk/sales?by=attribution")
        await picture(page, f"sales-classes{sizes}")
        assert await fits(page)

        await hand_out()
        await unprotected()
        await database.execute(
            "UPDATE contribution_entry SET buyer_paid = buyer_paid + 100 WHERE order_id = 1"
        )
        await auditing.audit(now=clock.now())
        await page.goto("/desk/repairs")
        await picture(page, f"repairs{sizes}")
        assert await fits(page)
        await page.goto(f"/desk/shops/{office.shop.public_id}/accounts")
        await picture(page, f"accounts{sizes}")
        await page.select_option("#account", "standard_webhooks erp")
        await page.get_by_role("button", name="登记").click()
        await expect(page.get_by_role("status")).to_contain_text("已登记")
        await picture(page, f"accounts-bound{sizes}")
        assert await fits(page)
        await page.goto("/desk/shops")
        await picture(page, f"shops{sizes}")
        assert await fits(page)
