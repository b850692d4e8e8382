"""消费券 in a real browser: an officer drafts and submits, finance signs, the officer plans a round and opens it."""

from __future__ import annotations

import pytest
import time_machine
from playwright.async_api import Page, expect

from livehub.accounts.models import Role
from livehub.web.doors import SESSION
from tests.browser.desktop import desktop
from tests.browser.phone import CHROMIUM, fits, phone, picture
from tests.browser.test_refunds import session_of
from tests.factories.vouchers import NOW, a_world
from tests.site import Site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


async def fill(page: Page, **labels: str) -> None:
    for label, text in labels.items():
        await page.get_by_label(label).fill(text)


async def test_a_campaign_is_drafted_signed_and_planned(client: Site) -> None:
    with time_machine.travel(NOW, tick=True):
        world = await a_world()
        officer = await session_of(Role.BUREAU, world, bureau_id=world.bureau.id)
        finance = await session_of(Role.FINANCE, world)
        async with desktop(client, session=officer, width=1280) as page:
            page.on("dialog", lambda dialog: dialog.accept())
            await page.goto("/bureau")
            await page.get_by_role("link", name="消费券").click()
            await picture(page, "bureau-campaigns")
            await page.get_by_role("link", name="起草活动").first.click()
            await fill(page, 活动名称="沙田沙虫消费券", 发券单位="合浦县乡村振兴局", 用途="助农")
            await page.get_by_label("预算（元）").fill("0")
            await page.get_by_role("button", name="保存草稿").click()
            await expect(page.locator("#budget-wrong")).to_contain_text("大于 0 的金额")
            await expect(page.get_by_label("活动名称")).to_have_value("沙田沙虫消费券")
            await picture(page, "bureau-campaign-draft")
            await page.get_by_label("预算（元）").fill("60,000")
            await page.get_by_role("button", name="保存草稿").click()
            await expect(page.get_by_text("草稿已保存")).to_be_visible()
            await page.get_by_role("button", name="提交会签").click()
            await expect(page.get_by_text("已提交，等待另一人（财务）会签")).to_be_visible()
            await picture(page, "bureau-campaign-submitted")
            address = page.url.partition("?")[0]
        async with desktop(client, session=finance, width=1280) as page:
            page.on("dialog", lambda dialog: dialog.accept())
            await page.goto(address.replace("/bureau/", "/desk/"))
            await page.get_by_role("button", name="会签 ¥60,000.00").click()
            await expect(page.get_by_text("已会签，预算已锁定")).to_be_visible()
            assert await fits(page)
        async with desktop(client, session=officer, width=1280) as page:
            page.on("dialog", lambda dialog: dialog.accept())
            await page.goto(address)
            await page.get_by_role("link", name="安排轮次").first.click()
            await page.get_by_label("领取开始").fill("2026-05-21T10:00")
            await page.get_by_label("领取截止").fill("2026-05-28T10:00")
            await page.get_by_label("面额（元）").fill("20")
            await page.get_by_label("满多少可用（元）").fill("100")
            await page.get_by_label("数量（张）").fill("3100")
            await page.get_by_role("button", name="安排这一轮").click()
            await expect(page.locator("#k1-quantity-wrong")).to_contain_text("多 2,000.00 元")
            await picture(page, "bureau-round-refused")
            await page.get_by_label("数量（张）").fill("2000")
            await page.get_by_role("button", name="加一个券种").click()
            await page.locator("#k2-face").fill("50")
            await page.locator("#k2-threshold").fill("400")
            await page.locator("#k2-quantity").fill("300")
            await page.locator("#k2-quantity").press("Enter")
            await expect(page.get_by_role("row", name="还剩 5,000.00")).to_be_visible()
            await picture(page, "bureau-round-new")
            await page.get_by_role("button", name="安排这一轮").click()
            await expect(page.get_by_text("轮次已安排，资金已划出")).to_be_visible()
            await page.get_by_role("button", name="开放领取").click()
            await expect(page.get_by_text("已开放领取")).to_be_visible()
            assert await fits(page)
            await picture(page, "bureau-campaign")


async def test_it_is_read_and_counted_on_a_phone_without_scripts(client: Site) -> None:
    with time_machine.travel(NOW, tick=True):
        world = await a_world(budget_fen=6_000_000)
        officer = await session_of(Role.BUREAU, world, bureau_id=world.bureau.id)
        path = f"/bureau/campaigns/{world.campaign.public_id}"
        async with phone(site=client, scripts=False, cookies={SESSION: officer}) as page:
            await page.goto("/bureau/campaigns")
            assert await fits(page)
            await page.goto(path)
            await expect(page.get_by_text("最坏情况支出")).to_be_visible()
            assert await fits(page)
            await picture(page, "bureau-campaign-phone")
            await page.goto(f"{path}/rounds/new")
            await page.get_by_label("面额（元）").fill("20")
            await page.get_by_label("满多少可用（元）").fill("100")
            await page.get_by_label("数量（张）").fill("100")
            await page.get_by_role("button", name="算一算").last.click()
            await expect(page.get_by_role("row", name="还剩")).to_be_visible()
            assert await fits(page)
            await picture(page, "bureau-round-phone")
