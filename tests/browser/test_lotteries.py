"""A lottery in a real browser: signed up and won on a phone, set up and drawn at two desks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from playwright.async_api import Page, expect

from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Centre, Role
from livehub.kit import clock
from livehub.vouchers import draws
from tests.browser.desktop import desktop
from tests.browser.phone import CHROMIUM, fits, phone, picture
from tests.factories.accounts import PASSWORD, a_user
from tests.factories.lotteries import CLOSES, DRAW, OPENS, RANDOMNESS, UNTIL, Drawing, a_lottery
from tests.factories.vouchers import NOW, a_crowd, a_kind
from tests.site import Site
from tests.web.phones import code_sent_to

PHONE = "13900001234"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.fixture
def travel() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(NOW + timedelta(minutes=1), tick=True) as coordinates:
        yield coordinates


async def verified(page: Page, button: str) -> None:
    """Phone, code, and the button below them."""
    await page.fill("#phone", PHONE)
    await page.get_by_role("button", name="获取验证码").click()
    await expect(page.get_by_text("验证码已发出")).to_be_visible()
    await page.fill("#code", await code_sent_to(PHONE[-4:]))
    await page.get_by_role("button", name=button).click()


async def shown(page: Page, name: str, words: str) -> None:
    """The page says it, keeps within the phone, and is a picture."""
    await expect(page.get_by_role("heading", name=words)).to_be_visible()
    assert await fits(page)
    await picture(page, name)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
async def test_a_phone_signs_up_waits_wins_and_claims(
    client: Site, scripts: bool, travel: time_machine.Coordinates
) -> None:
    lottery = await a_lottery(
        a_kind(name="南珠节消费券", face_fen=20_000, threshold_fen=80_000, quantity=200)
    )
    await lottery.enter(*await a_crowd(lottery.world, 120), now=clock.now())
    url = f"/c/{lottery.link.slug}"
    async with phone(scripts=scripts, site=client) as page:
        await page.goto(url)
        await expect(page.get_by_text("已报名 120 人")).to_be_visible()
        await picture(page, "lottery-signup")
        await verified(page, "报名摇号")
        await shown(page, "lottery-entered", "已报名")
        await page.goto(url)
        await expect(page.get_by_role("heading", name="已报名")).to_be_visible()

        travel.move_to(DRAW - timedelta(minutes=10))
        await draws.advance(now=clock.now())
        await page.goto(url)
        await shown(page, "lottery-waiting", "已报名")
        await page.get_by_role("link", name="怎样保证公平，怎样核对").click()
        await expect(page.get_by_role("heading", name="摇号怎样核对")).to_be_visible()

        travel.move_to(DRAW + timedelta(minutes=1))
        await draws.enter(lottery.round.id, RANDOMNESS, actor=lottery.world.officer, now=clock.now())
        await draws.confirm(lottery.round.id, RANDOMNESS, actor=lottery.countersigner, now=clock.now())
        await page.goto(f"{url}/draw")
        await shown(page, "lottery-proof", "摇号怎样核对")
        await page.goto(url)
        await shown(page, "lottery-won", "您中签了")

        travel.move_to(OPENS + timedelta(minutes=1))
        await draws.advance(now=clock.now())
        await page.goto(url)
        await expect(page.get_by_text("您中签了")).to_be_visible()
        assert await fits(page)
        await picture(page, "lottery-claim")
        await page.get_by_role("button", name="领取 1 张").click()
        await expect(page.get_by_text("领到了")).to_be_visible()


async def test_who_was_not_drawn_reads_it_and_may_look_from_another_phone(
    client: Site, travel: time_machine.Coordinates
) -> None:
    lottery = await a_lottery(a_kind(quantity=1))
    await lottery.enter(*await a_crowd(lottery.world, 40), now=clock.now())
    url = f"/c/{lottery.link.slug}"
    travel.move_to(UNTIL + timedelta(minutes=1))
    await lottery.drawn(now=DRAW)
    travel.move_to(DRAW + timedelta(minutes=1))
    async with phone(site=client) as page:
        await page.goto(url)
        await picture(page, "lottery-look")
        await verified(page, "查询我的报名")
        await expect(page.get_by_text("这个号码没有报名")).to_be_visible()
        assert await fits(page)


async def a_desk(lottery: Drawing, role: Role) -> str:
    bureau_id = lottery.world.bureau.id if role is Role.BUREAU else 0
    centre = await Centre.get(id=lottery.world.bureau.centre_id)
    user = await a_user(Grant(role, bureau_id=bureau_id), centre=centre)
    session, _ = await logins.log_in(user.login, PASSWORD, ip="198.51.100.7", agent="tests", now=clock.now())
    return session


FIELDS = {
    "name": "南珠节消费券",
    "quantity": "1",
    "face": "20",
    "threshold": "100",
    "signup_from": "2026-05-20T20:00",
    "signup_until": "2026-05-22T20:00",
    "source": "中国福利彩票双色球第 2026058 期开奖号码",
    "source_at": "2026-05-22T21:15",
    "draw_at": "2026-05-22T22:00",
    "claim_from": "2026-05-23T10:00",
    "claim_until": "2026-06-01T10:00",
}


async def test_two_desks_set_it_up_and_draw_it(client: Site, travel: time_machine.Coordinates) -> None:
    lottery = await a_lottery(a_kind(quantity=1))
    campaign = f"/desk/campaigns/{lottery.world.campaign.public_id}"
    await lottery.enter(*await a_crowd(lottery.world, 40), now=clock.now())
    officer = await a_desk(lottery, Role.BUREAU)
    async with desktop(client, session=officer, width=1280) as page:
        await page.goto(f"{campaign}/lotteries/new")
        for name, value in FIELDS.items():
            await page.fill(f"#{name}", value)
        await picture(page, "desk-lottery-new")
        await page.get_by_role("button", name="安排摇号").click()
        await expect(page.get_by_role("alert")).to_have_text("活动可用资金不足，不能再安排这么多券。")

    travel.move_to(DRAW)  # two days later, after a login of that day
    await draws.advance(now=clock.now())
    officer = await a_desk(lottery, Role.BUREAU)
    async with desktop(client, session=officer, width=1280) as page:
        await page.goto(f"{campaign}/lotteries/{lottery.round.public_id}")
        await page.fill("#randomness", RANDOMNESS)
        await page.get_by_role("button", name="填写号码").click()
        await expect(page.get_by_text("等另一人（财务）核对")).to_be_visible()
        await picture(page, "desk-lottery-entered")
    finance = await a_desk(lottery, Role.FINANCE)
    async with desktop(client, session=finance, width=1280, scripts=False) as page:
        await page.goto(f"{campaign}/lotteries/{lottery.round.public_id}")
        await page.fill("#randomness", RANDOMNESS)
        await picture(page, "desk-lottery-confirm")
        await page.get_by_role("button", name="核对并开奖").click()
        await expect(page.get_by_text("已开奖，结果和证明已经公布")).to_be_visible()
        await picture(page, "desk-lottery")
    assert clock.now() < CLOSES
