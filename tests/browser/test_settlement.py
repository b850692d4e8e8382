"""Settlement in a real browser, at desk's and phone's width."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from playwright.async_api import expect

from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.settlement import batches, collecting, holds
from livehub.settlement.models import SettlementBatch
from livehub.vouchers import refunds, rounds
from tests.browser.desktop import desktop
from tests.browser.phone import CHROMIUM, fits, phone, picture
from tests.browser.test_refunds import session_of
from tests.factories.accounts import an_actor
from tests.factories.vouchers import NOW, a_kind
from tests.site import Site
from tests.web.claim.test_claim import claimed
from tests.web.merchant.test_redeem import a_shop, token

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]
DAY = timedelta(days=1)


async def test_a_batch_at_the_desk_and_on_the_merchants_phone(client: Site) -> None:
    with time_machine.travel(NOW, tick=True) as traveller:
        shop = await a_shop(client)
        from livehub.vouchers.models import Redemption, Voucher  # noqa: PLC0415 -- two uses

        for number, mobile in enumerate(("13900008877", "13900008878", "13900008879")):
            async with client.browser() as hers:
                await claimed(client, shop.world.link.slug, mobile, browser=hers)
            voucher = await Voucher.all().order_by("-id").first()
            await shop.tap(token(voucher), "100.00", receipt_no=f"A-{1029 + number}")
        centre_id = shop.world.bureau.centre_id
        clerk = an_actor(Role.FINANCE, centre_id=centre_id)
        used = [each.public_id for each in await Redemption.all().order_by("id")]

        async def back(redemption: str, fen: int | None) -> None:
            await refunds.refund(
                redemption, refund_no="T1", refund_fen=fen, key=redemption, source="desk",
                reason="顾客退货", actor=clerk, now=clock.now(),
            )  # fmt: skip

        await back(used[0], 5_000)
        first, second = await a_later_plan(shop.world)
        traveller.move_to(clock.at_local(clock.local_day(NOW) + DAY, hour=9))
        await collecting.run(clock.local_day(NOW), actor=clerk, now=clock.now())
        batch = await SettlementBatch.get()
        await holds.place(redemption=used[2], reason="核对小票", actor=clerk, now=clock.now())
        await rounds.close_round(second, actor=shop.world.officer, now=clock.now())
        finance, manager = [await session_of(role, shop.world) for role in (Role.FINANCE, Role.MANAGER)]
        path = f"/desk/settlement/{batch.public_id}"
        for width, name in ((1440, ""), (390, "-narrow")):
            async with desktop(client, session=finance, width=width) as page:
                await page.goto("/desk/settlement/")
                await expect(page.get_by_text(f"#{batch.number}")).to_be_visible()
                await picture(page, f"desk-settlement{name}")
                assert await fits(page)
                await page.goto(path)
                await picture(page, f"desk-settlement-draft{name}")
                assert await fits(page)
                await page.goto("/desk/settlement/holds")
                await picture(page, f"desk-settlement-holds{name}")
                assert await fits(page)
            async with desktop(client, session=manager, width=width) as page:
                await page.goto(f"/desk/campaigns/{shop.world.campaign.public_id}")
                await expect(page.get_by_text("滚存做不到")).to_be_visible()
                await page.get_by_text("改滚入别的轮次").click()
                await picture(page, f"desk-campaign-rollover{name}")
                assert await fits(page)
        await batches.submit(batch.public_id, actor=clerk, now=clock.now())
        await back(used[1], None)
        cashier = await session_of(Role.MERCHANT, shop.world, merchant_id=shop.merchant.id)
        async with phone(site=client, cookies={"__Host-session": cashier}) as page:
            page.on("dialog", lambda dialog: dialog.accept())
            await page.goto("/m/settlements/")
            await picture(page, "merchant-settlements")
            assert await fits(page)
            await page.get_by_text(f"批次 #{batch.number}").click()
            await page.get_by_text("金额不对，提出异议").click()
            await picture(page, "merchant-settlement")
            assert await fits(page)
            await page.get_by_role("button", name="确认无误").click()
            await expect(page.get_by_text("已确认，等待付款")).to_be_visible()
        for width, name in ((1440, ""), (390, "-narrow")):
            async with desktop(client, session=manager, width=width) as page:
                await page.goto(path)
                await expect(page.get_by_role("button", name="登记已付")).to_be_visible()
                await picture(page, f"desk-settlement-confirmed{name}")
                assert await fits(page)
        payer = an_actor(Role.FINANCE, centre_id=centre_id)
        await batches.pay(batch.public_id, reference="ICBC-1", actor=payer, now=clock.now())
        traveller.move_to(clock.at_local(clock.local_day(NOW) + 2 * DAY, hour=9))
        await collecting.run(clock.local_day(NOW) + DAY, actor=clerk, now=clock.now())
        late = await SettlementBatch.get(state="draft")
        await batches.submit(late.public_id, actor=clerk, now=clock.now())
        finance, manager = [await session_of(role, shop.world) for role in (Role.FINANCE, Role.MANAGER)]
        await paid_back(client, late, finance=finance, manager=manager)
    assert first


async def paid_back(site: Site, late: SettlementBatch, *, finance: str, manager: str) -> None:
    """What is owed back is seen, noted by finance and confirmed by the manager."""
    async with desktop(site, session=finance) as page:
        await page.goto("/desk/settlement/")
        await page.get_by_role("link", name="商户应退").click()
        await page.get_by_label("商户和活动").select_option(late.public_id)
        for label, text in (("收到多少", "1.00"), ("收据号", "S-0520-01")):
            await page.get_by_label(label).fill(text)
        await picture(page, "desk-repayments-form")
        assert await fits(page)
        await page.get_by_role("button", name="登记，等待另一人确认").click()
        await expect(page.get_by_text("须另一人确认")).to_be_visible()
    for width, name in ((1440, ""), (390, "-narrow")):
        async with desktop(site, session=manager, width=width) as page:
            page.on("dialog", lambda dialog: dialog.accept())
            await page.goto("/desk/settlement/repayments")
            await picture(page, f"desk-repayments{name}")
            assert await fits(page)
            if name:
                await page.get_by_role("button", name="确认收到").click()
                await expect(page.get_by_text("已确认收到")).to_be_visible()


async def a_later_plan(world) -> tuple[int, int]:
    """Two later rounds; the first of them, which was to take what the open one leaves, will be over first."""
    made = [world.round.id]
    for _ in range(2):
        planned = await rounds.schedule(
            world.campaign.id,
            templates=[a_kind(quantity=0)],
            claim_from=NOW,
            claim_until=NOW + 60 * DAY,
            actor=world.officer,
            now=NOW,
            rollover_from=made[-1:],
        )
        made.append(planned.id)
    return made[2], made[1]
