"""报表 in a real browser: the list, a draft, what is signed with its pack, and how it prints."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from playwright.async_api import expect

from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.reports import packing
from tests.browser.desktop import desktop
from tests.browser.phone import CHROMIUM, fits, picture
from tests.browser.test_refunds import session_of
from tests.factories.reports import a_month, linked
from tests.factories.vouchers import NOW
from tests.site import Site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


async def test_a_report_is_prepared_by_one_and_signed_by_another(client: Site) -> None:
    async with a_month(client.app.ctx.settings) as books:
        world = books.town.till.world
        with time_machine.travel(NOW + timedelta(days=20), tick=True):
            officer, signer = [
                await session_of(Role.BUREAU, world, bureau_id=world.bureau.id) for _ in range(2)
            ]
            async with desktop(client, session=officer, width=1280) as page:
                await page.goto("/bureau/reports")
                await page.get_by_role("link", name="编制报表").first.click()
                await page.get_by_label("起日").fill("2026-05-31")
                await page.get_by_label("止日").fill("2026-05-01")
                await page.get_by_role("button", name="生成草稿").click()
                await expect(page.get_by_text("止日要在起日之后")).to_be_visible()
                await picture(page, "bureau-report-new")
                await page.get_by_label("起日").fill("2026-05-01")
                await page.get_by_label("止日").fill("2026-05-31")
                await page.get_by_role("button", name="生成草稿").click()
                await expect(page.get_by_text("由另一位同事签字").first).to_be_visible()
                at = page.url.partition("?")[0]
                await picture(page, "bureau-report-draft")
                await page.get_by_role("link", name="355.00").first.click()
                await expect(page.get_by_role("heading").first).to_be_visible()
            async with desktop(client, session=signer, width=1280) as page:
                page.on("dialog", lambda dialog: dialog.accept())
                await page.goto(at)
                await page.get_by_role("button", name="签字").click()
                await expect(page.get_by_text("正在生成资料包").first).to_be_visible()
                await linked()
                assert await packing.build_next(now=clock.now()) == 1
                await page.goto(at)
                await expect(page.get_by_role("link", name="下载资料包")).to_be_visible()
                assert await fits(page)
                await picture(page, "bureau-report")
                await page.emulate_media(media="print")
                await picture(page, "bureau-report-print")
            auditor = await session_of(Role.AUDITOR, world)
            async with desktop(client, session=auditor, width=1280) as page:
                await page.goto("/desk/reports")
                await expect(page.get_by_role("cell", name="已签字")).to_be_visible()
                await picture(page, "desk-reports")
            async with desktop(client, session=auditor, width=390) as page:
                await page.goto(at.replace("/bureau", "/desk"))
                assert await fits(page)
                await picture(page, "desk-report-narrow")
