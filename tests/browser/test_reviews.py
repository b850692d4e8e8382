"""The review of a show in a real browser: on a desk, on a narrow screen, and on the streamer's phone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from playwright.async_api import expect

from livehub import database
from livehub.accounts.models import Role
from livehub.kit import clock, outbox
from livehub.merchants import registry as merchants
from livehub.reports import reviews
from livehub.vouchers import drops
from livehub.web.streamer import door
from rooms import onair, rundown
from streamers import links
from tests.browser.phone import CHROMIUM, fits, phone, picture
from tests.browser.test_desk import seat, sit_down
from tests.factories.merchants import a_product
from tests.factories.rooms import local
from tests.site import Site
from tests.web.desk.office import EVENING, Office, an_office
from tests.web.desk.test_broadcasts import a_template

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]
START, END = local(2, 20), local(2, 22, 30)


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(EVENING, tick=True):
        yield


async def an_ended_show(site: Site) -> Office:
    """Two hours and a half with a drop and three cues, then refunds, a tail and an order that came late."""
    office = await an_office(site)
    chance = random.Random(7)
    product = await a_product(office.house.centre)
    await merchants.map_product(
        office.shop.id, product_ref="p1", product=product.public_id, actor=office.house.manager, now=START
    )
    template = await a_template(office)
    drop = await drops.plan(
        office.broadcast.id, template_id=template.id, quantity=200, window_s=600, actor=office.house.manager,
        now=START,
    )  # fmt: skip
    at = START + timedelta(minutes=48)
    await database.unit(lambda: drops.open_drop(drop.id, actor=office.house.manager, now=at))
    for title, minute in (("开场与政策", 2), ("沙虫干专场", 30), ("返场答疑", 110)):
        cue = await rundown.add(
            office.broadcast.public_id,
            cue=rundown.Planned(kind=rundown.Kind.INTERACTION, title=title),
            actor=office.house.manager,
            now=START,
        )
        fired = START + timedelta(minutes=minute)
        await rundown.fire(cue.public_id, actor=office.house.manager, now=fired)
    for n in range(90):
        minute = 52 if n % 3 == 0 else chance.randrange(3, 149)
        await office.push(
            f"A{n}", paid_fen=chance.randrange(3_000, 39_900), at=START + timedelta(minutes=minute + n % 5)
        )
    await office.sell("A90", paid_fen=12_800)
    await database.unit(lambda: onair.end(office.broadcast.public_id, actor=office.house.manager, now=END))
    while await outbox.hand_out(now=END):
        pass
    return office


async def a_week_later(office: Office) -> None:
    await reviews.freeze_due(now=clock.now())
    for n in range(6):
        await office.sell(f"A{n}", paid_fen=39_900, refund_fen=2_000 + n)
    await office.sell("L1", paid_fen=8_800, at=END - timedelta(minutes=30))
    await office.sell("T1", paid_fen=26_600, at=END + timedelta(days=1))


async def test_the_review_is_read_on_a_desk_and_on_a_narrow_screen(client: Site) -> None:
    office = await an_ended_show(client)
    path = f"/desk/broadcasts/{office.broadcast.public_id}"
    with time_machine.travel(END + timedelta(days=2), tick=True):
        await a_week_later(office)
    with time_machine.travel(END + timedelta(days=8), tick=True):
        await reviews.freeze_due(now=clock.now())
        async with seat(client) as page:
            await sit_down(page, office, Role.MANAGER)
            await page.goto(path)
            await page.get_by_role("link", name="复盘").click()
            await expect(page.get_by_text("未到期")).to_have_count(1)
            await expect(page.locator(".plot.drawn canvas")).to_be_visible()
            assert await fits(page)
            await picture(page, "desk-review")
            await page.get_by_text("看数字").click()
            await expect(page.locator("[data-curve] tbody tr")).to_have_count(151)
            await page.locator(".stage .lead").first.click()
            await expect(page.get_by_text("相加 =")).to_be_visible()
        async with seat(client, width=390, scripts=False) as page:
            await sit_down(page, office, Role.AUDITOR)
            await page.goto(f"{path}/review")
            await expect(page.locator(".bars i")).to_have_count(151)
            assert await fits(page)
            await picture(page, "desk-review-narrow")
            refused = await page.goto("/desk/broadcasts/nosuchshow/review")
            assert refused is not None
            assert refused.status == 404


async def test_the_streamer_reads_hers_on_the_phone(client: Site) -> None:
    office = await an_ended_show(client)
    streamer = office.house.streamer.public_id
    with time_machine.travel(END + timedelta(days=2), tick=True):
        await a_week_later(office)
        issued = await links.issue(streamer, actor=office.house.manager, now=clock.now())
        opened = await links.open_link(issued.token, device_token=None, now=clock.now())
        async with phone(site=client, cookies={door.DEVICE: opened.device_token}) as page:
            await page.goto("/s/")
            await page.get_by_role("link", name="看复盘").click()
            await expect(page.get_by_text("这一场卖了")).to_be_visible()
            assert await fits(page)
            await picture(page, "streamer-review")
