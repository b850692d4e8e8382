"""Cases in a real browser, at desk and phone width: vouchers cashed out by night, a show buying from itself."""

from __future__ import annotations

import pytest
import time_machine
from playwright.async_api import expect

from livehub.accounts.models import Role
from livehub.settings import Settings
from livehub.settlement import evaluating
from livehub.settlement.case_models import IntegrityCase
from tests.browser.desktop import desktop
from tests.browser.phone import CHROMIUM, fits, phone, picture
from tests.browser.test_refunds import session_of
from tests.settlement.merchants import a_town
from tests.settlement.suspects import FACES, cash_out, fake_heat
from tests.settlement.test_cases import MORNING
from tests.site import Site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


async def test_cases_at_the_desk_and_on_the_merchants_phone(db: Settings, client: Site) -> None:
    async with a_town(db, *FACES, quantity=99) as town:
        await cash_out(town, town.first)
        await fake_heat(town)
        with time_machine.travel(MORNING, tick=True):
            await evaluating.run_all(now=MORNING)
            world = town.till.world
            finance, manager = [await session_of(role, world) for role in (Role.FINANCE, Role.MANAGER)]
            cases = {each.rule: f"/desk/integrity/{each.public_id}" for each in await IntegrityCase.all()}
            for width, name in ((1440, ""), (390, "-narrow")):
                async with desktop(client, session=manager, width=width) as page:
                    await page.goto("/desk/integrity/")
                    await expect(page.get_by_text("97.8").first).to_be_visible()
                    await picture(page, f"desk-integrity{name}")
                    assert await fits(page)
                    for rule in ("buyer_concentration", "repeat_people"):
                        await page.goto(cases[rule])
                        await picture(page, f"desk-integrity-{rule.partition('_')[0]}{name}")
                        assert await fits(page)
                    await page.goto("/wall")
                    await expect(page.get_by_text("6 件")).to_be_visible()
                    await picture(page, f"wall-cases{name}")
            cashier = await session_of(Role.MERCHANT, world, merchant_id=town.first.merchant.id)
            async with phone(site=client, cookies={"__Host-session": cashier}) as page:
                await page.goto("/m/settlements/")
                await expect(page.get_by_text("正在核查")).to_be_visible()
                await picture(page, "merchant-held")
                assert await fits(page)
            async with desktop(client, session=finance, width=1440) as page:
                page.on("dialog", lambda dialog: dialog.accept())
                await page.goto(cases["quick_use"])
                await page.get_by_label("看到了什么").fill("监控里是同一个人")
                await page.get_by_role("button", name="登记看过").click()
                await expect(page.get_by_text("恢复结算或认定须由")).to_be_visible()
            async with desktop(client, session=manager, width=1440) as page:
                page.on("dialog", lambda dialog: dialog.accept())
                await page.goto(cases["quick_use"])
                await page.get_by_label("依据").fill("商户补交了小票")
                await page.get_by_role("button", name="恢复结算").click()
                await expect(page.get_by_text("已恢复结算；涉及的核销还有别的暂缓")).to_be_visible()
                await picture(page, "desk-integrity-released")
