"""What bureaus share, in a real browser: the bureau's week and line, the desk's rooms, closures, quotas."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine
from playwright.async_api import Page, expect

from livehub import database
from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Role
from livehub.kit import clock
from rooms import booking, closures, quotas
from rooms.closures import Plan
from rooms.conflicts import Hours
from rooms.models import Theme
from rooms.quotas import Rule
from rooms.registry import Changes, change
from rooms.sharing_models import QuotaWindow
from tests.browser.desktop import desktop
from tests.browser.phone import CHROMIUM, fits, picture
from tests.factories.accounts import PASSWORD, a_user
from tests.factories.rooms import NOW, House, a_house, a_room, an_approved, local, waits
from tests.factories.streamers import a_streamer
from tests.site import Site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
    pytest.mark.parametrize("settings", ["sqlite"], indirect=True),
]


@pytest.fixture(autouse=True)
def _sunday() -> Iterator[None]:
    with time_machine.travel(local(1, 12), tick=True):
        yield


async def a_shared_house() -> House:
    """Two rooms, quotas, somebody in line, an offer and a closure."""
    house = await a_house(name="农特直播间")
    party = await a_room(house.centre, name="党建直播间", theme=Theme.PARTY_BUILDING, approvals=2)
    weekly = tuple(Hours(day, 540, 1080) for day in range(5))
    await change(party.public_id, Changes(weekly=weekly), actor=house.manager, now=NOW)
    for by, limit in ((0, 12), (1, 9)):
        rules = [
            Rule(window=QuotaWindow.WEEKLY, limit=limit),
            Rule(rooms=(house.room.public_id,), window=QuotaWindow.WEEKLY, limit=4, prime_only=True),
        ]
        await quotas.put(house.bureaus[by].id, rules, actor=house.manager, now=NOW)
    for day in (3, 4, 5, 6):
        await an_approved(house, local(day, 20), title="乡村振兴·沙田沙虫")
    others = [(await a_streamer(house.centre)).public_id for _ in range(2)]
    given = await an_approved(house, local(3, 14), by=1, title="商务局的专场", streamer=others[0])
    await waits(house, local(3, 14), by=0, title="农特·合浦大蚝")
    await database.unit(lambda: booking.cancel(given.public_id, actor=house.officers[1], now=NOW))
    await an_approved(house, local(5, 14), by=1, title="海丝名品周", streamer=others[0])
    await waits(house, local(5, 14), by=0, title="农特·香山鸡嘴荔枝")
    await waits(house, local(5, 14), by=2, title="乡村振兴·海鸭蛋", streamer=others[1])
    plan = Plan(rooms=(party.public_id,), starts_at=local(2, 13), ends_at=local(2, 18), reason="空调检修")
    await closures.close(plan, actor=house.manager, now=NOW)
    return house


async def session(house: House, role: Role) -> str:
    grant = Grant(role, house.bureaus[0].id if role is Role.BUREAU else 0)
    user = await a_user(grant, centre=house.centre, name="陈静")
    token, _ = await logins.log_in(user.login, PASSWORD, ip="127.0.0.1", agent="t", now=clock.now())
    return token


async def look(page: Page, path: str, name: str) -> None:
    await page.goto(path)
    assert await fits(page)
    await picture(page, name)


async def test_an_officer_answers_an_offer_and_stands_in_line(client: Site) -> None:
    house = await a_shared_house()
    token = await session(house, Role.BUREAU)
    async with desktop(client, session=token, width=390, height=844) as page:
        await look(page, "/bureau", "bureau-offer-narrow")
        await page.goto("/bureau/bookings/new")
        await page.get_by_label("内容").fill("夜游侨港")
        await page.get_by_label("直播间").select_option(label="农特直播间")
        await page.get_by_label("开始").fill("2026-03-08T20:00")
        await page.get_by_label("主播").select_option(index=1)
        await page.get_by_role("button", name="提交审批").click()
        await expect(page.get_by_role("alert")).to_contain_text("额度已用完")
        await picture(page, "bureau-quota-narrow")
    async with desktop(client, session=token) as page:
        await look(page, "/bureau", "bureau-offer")
        page.on("dialog", lambda dialog: dialog.accept())
        await page.get_by_role("button", name="接受并送审批").click()
        await expect(page.get_by_role("status").first).to_contain_text("等中心审批")
        await page.goto("/bureau/bookings/new")
        await page.get_by_label("内容").fill("抢个下午")
        await page.get_by_label("直播间").select_option(label="农特直播间")
        await page.get_by_label("开始").fill("2026-03-05T14:30")
        await page.get_by_label("时长").select_option(label="1 小时")
        await page.get_by_label("主播").select_option(index=1)
        await page.get_by_role("button", name="提交审批").click()
        await page.get_by_role("button", name="候补这个时段").click()
        await expect(page.locator("body")).to_contain_text("已登记候补")


async def test_the_desk_looks_before_it_closes(client: Site) -> None:
    house = await a_shared_house()
    token = await session(house, Role.MANAGER)
    async with desktop(client, session=token) as page:
        page.on("dialog", lambda dialog: dialog.accept())
        for path, name in (
            ("/desk/rooms", "desk-rooms"),
            (f"/desk/rooms/{house.room.public_id}", "desk-room"),
            ("/desk/quotas", "desk-quotas"),
            ("/desk/waitlist", "desk-waitlist"),
        ):
            await look(page, path, name)
        await page.goto("/desk/closures")
        await page.get_by_label("农特直播间").check()
        await page.get_by_label("开始").fill("2026-03-05T13:00")
        await page.get_by_label("结束").fill("2026-03-05T23:00")
        await page.get_by_label("原因").fill("消防检查")
        await page.get_by_role("button", name="封场", exact=True).click()
        await expect(page.locator("#preview")).to_contain_text("会影响 2 条排期")
        assert await fits(page)
        await picture(page, "desk-closures")
        await page.get_by_role("button", name="强制封场").click()
        await expect(page.get_by_role("status")).to_contain_text("已封场")
        await page.goto("/desk/bookings?state=approved")
        await page.get_by_role("link", name="乡村振兴·沙田沙虫").first.click()
        await expect(page.get_by_role("button", name="对调")).to_be_visible()
        assert await fits(page)
        await picture(page, "desk-booking")
