"""A refund in a real browser: the merchant gives back, the desk reads it, at desk's and phone's width."""

from __future__ import annotations

import pytest
import time_machine
from playwright.async_api import expect

from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Centre, Role
from livehub.kit import clock
from livehub.vouchers.after_models import LateRedemption
from tests.browser.desktop import desktop
from tests.browser.phone import CHROMIUM, fits, phone, picture
from tests.factories.accounts import PASSWORD, a_user
from tests.factories.vouchers import NOW
from tests.site import Site
from tests.web.claim.test_claim import claimed
from tests.web.merchant.test_redeem import a_shop, token

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


async def session_of(role: Role, world, **given: int) -> str:
    centre = await Centre.get(id=world.bureau.centre_id)
    user = await a_user(Grant(role, **given), centre=centre, name="周建平")
    found, _ = await logins.log_in(user.login, PASSWORD, ip="198.51.100.7", agent="tests", now=clock.now())
    return found


async def test_a_refund_from_the_till_to_the_desk(client: Site) -> None:
    with time_machine.travel(NOW, tick=True):
        shop = await a_shop(client)
        mine = await claimed(client, shop.world.link.slug, "13900008877")
        from livehub.vouchers.models import Voucher  # noqa: PLC0415 -- one use

        voucher = await Voucher.get()
        _, _, where = await shop.tap(token(voucher), "100.00", receipt_no="A-1029")
        cookies = {each.key: each.value for each in client.session.cookie_jar}
        async with phone(site=client, cookies=cookies) as page:
            page.on("dialog", lambda dialog: dialog.accept())
            await page.goto(where)
            await page.get_by_text("顾客退货，办理退款").click()
            await picture(page, "merchant-refund")
            assert await fits(page)
            await page.get_by_label("退掉的消费金额（元）").fill("50.00")
            await page.get_by_role("button", name="确认退款").click()
            await expect(page.get_by_text("已登记退款")).to_be_visible()
            await picture(page, "merchant-refunded")
            assert await fits(page)
            await page.goto("/m")
            await picture(page, "merchant-home-refunded")
            await page.goto(mine.partition("?")[0])
            await expect(page.get_by_text("补贴收回")).to_be_visible()
            await picture(page, "claim-refunded")
            assert await fits(page)
        await LateRedemption.create(
            voucher_id=voucher.id, campaign_id=shop.world.campaign.id, platform="standard_webhooks",
            shop_id=0, order_no="E-20260520-7", order_fen=12_800, subsidy_fen=2_000, paid_at=NOW, seen_at=NOW,
        )  # fmt: skip
        manager = await session_of(Role.MANAGER, shop.world)
        for width, name in ((1440, ""), (390, "-narrow")):
            async with desktop(client, session=manager, width=width) as page:
                await page.goto(where.replace("/m/", "/desk/"))
                await expect(page.get_by_text("代为退款")).to_be_visible()
                await picture(page, f"desk-redemption{name}")
                assert await fits(page)
                await page.goto(f"/desk/campaigns/{shop.world.campaign.public_id}")
                await expect(page.get_by_text("券的去向")).to_be_visible()
                await picture(page, f"desk-campaign-funnel{name}")
                assert await fits(page)
