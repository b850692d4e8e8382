"""The streamer ticks her list and goes on air; an officer picks products, the centre publishes a week."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
import time_machine
from playwright.async_api import expect

from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Centre, Role
from livehub.kit import clock
from streamers import links
from tests.browser.desktop import desktop
from tests.browser.phone import CHROMIUM, fits, phone, picture
from tests.factories.accounts import PASSWORD, a_user
from tests.factories.merchants import a_paper, a_product
from tests.factories.rooms import a_broadcast, a_house, an_approved, local
from tests.site import Site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(local(3, 19, 50), tick=True):
        yield


async def a_session(centre: Centre, grant: Grant) -> str:
    user = await a_user(grant, centre=centre, name="陈静")
    token, _ = await logins.log_in(user.login, PASSWORD, ip="127.0.0.1", agent="t", now=clock.now())
    return token


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_she_ticks_her_list_and_goes_on_air(client: Site) -> None:
    house = await a_house(name="农特直播间")
    await a_broadcast(house, local(3, 20), check=False, title="开海第一网·沙虫专场")
    link = await links.issue(house.streamer.public_id, actor=house.manager, now=clock.now())

    async with phone(site=client) as page:
        await page.goto(f"/s/{link.token}")
        await page.get_by_role("button", name="就用这部手机").click()
        await expect(page.get_by_role("button", name="开播", exact=True)).to_have_count(0)
        assert await fits(page)
        await page.get_by_role("button", name="都确认了，签字").click()
        await expect(page.locator(".alert.bad")).to_contain_text("请逐项确认")
        for box in await page.locator("input[name=ticked]").all():
            await box.check()
        await picture(page, "streamer-check")
        await page.get_by_role("button", name="都确认了，签字").click()
        page.on("dialog", lambda dialog: dialog.accept())
        await page.get_by_role("button", name="开播", exact=True).click()
        await expect(page.locator(".alert.ok")).to_contain_text("已开播")


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_products_are_picked_and_a_week_is_published(client: Site) -> None:
    house = await a_house(name="农特直播间")
    show = await a_broadcast(house, local(6, 20), minutes=120, title="海味之夜")
    await an_approved(house, local(5, 20), title="荔枝预售")
    ending = await a_product(house.centre, "墨鱼干 250g")
    await a_paper(ending, "inspection_report", valid_to=date(2026, 3, 12))
    await a_product(house.centre, "虾酱 2罐", category="prepackaged", papers=False)
    officer = await a_session(house.centre, Grant(Role.BUREAU, bureau_id=house.bureaus[0].id))

    async with desktop(client, session=officer) as page:
        await page.goto(f"/bureau/broadcasts/{show.public_id}")
        await expect(page.locator("tr.amber")).to_have_count(2)
        await expect(page.locator("input[name=product]:disabled")).to_have_count(1)
        await page.get_by_label("墨鱼干 250g").check()
        await page.get_by_role("button", name="加到最后").click()
        await expect(page.locator(".alert.ok")).to_contain_text("已加入脚本")
        assert await fits(page)
        await picture(page, "bureau-rundown")

    async with desktop(client, session=await a_session(house.centre, Grant(Role.MANAGER))) as page:
        await page.goto("/desk/plans")
        await expect(page.locator("#diff li")).to_have_count(2)
        await picture(page, "desk-plans")
        page.on("dialog", lambda dialog: dialog.accept())
        await page.get_by_role("button", name="发布第 1 版").click()
        await expect(page.locator("#diff")).to_contain_text("没有可发布的变化")
        await page.goto("/desk/papers")
        assert await fits(page)
        await picture(page, "desk-papers")
    async with desktop(client, session=officer, width=390, height=844) as page:
        for path in (f"/bureau/broadcasts/{show.public_id}", "/bureau/series/new", "/desk/feeds"):
            await page.goto(path)
            assert await fits(page)
