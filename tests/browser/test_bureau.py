"""The officer at her desk, and a developer at the document, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
import time_machine
from playwright.async_api import Page, expect

from livehub import database
from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Role
from livehub.kit import clock
from rooms import booking, onair
from rooms.models import Broadcast, Room, Theme
from rooms.wishes import Wish
from streamers.models import Streamer
from tests.browser.desktop import desktop
from tests.browser.phone import CHROMIUM, fits, picture
from tests.factories.accounts import PASSWORD, a_user
from tests.factories.rooms import House, a_house, a_room, checked, local
from tests.factories.streamers import a_streamer
from tests.site import Site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]

NOW = local(2, 19, 40)  # Monday evening
ROOMS = (
    ("乡村振兴直播间", Theme.RURAL_REVITALIZATION),
    ("党建直播间", Theme.PARTY_BUILDING),
    ("魅力北海直播间", Theme.CHARMING_CITY),
)


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(NOW, tick=True):
        yield


class Week:
    """A house with a busy week: three bureaus, four rooms, three streamers."""

    def __init__(self, house: House, rooms: list[Room], streamers: list[Streamer]) -> None:
        self.house, self.rooms, self.streamers = house, rooms, streamers

    async def book(
        self,
        by: int,
        room: int,
        streamer: int,
        at: datetime,
        minutes: int,
        title: str,
        *,
        approve: bool = True,
    ) -> str:
        """A booking made days ago, by a bureau; its public id."""
        house = self.house
        wish = Wish(
            room=self.rooms[room].public_id,
            bureau_id=house.bureaus[by].id,
            title=title,
            starts_at=at,
            minutes=minutes,
            streamer=self.streamers[streamer].public_id,
        )
        asked = local(1, 9)
        made = await database.unit(lambda: booking.request(wish, actor=house.officers[by], now=asked))
        if approve:
            await database.unit(lambda: booking.approve(made.public_id, actor=house.manager, now=asked))
        return made.public_id

    async def sign_in(self) -> str:
        """The session of an officer of 农业农村局."""
        grant = Grant(Role.BUREAU, self.house.bureaus[0].id)
        user = await a_user(grant, centre=self.house.centre, name="陈静")
        token, _ = await logins.log_in(user.login, PASSWORD, ip="127.0.0.1", agent="t", now=clock.now())
        return token


@pytest.fixture
async def week(client: Site) -> Week:
    house = await a_house(name="农特直播间")
    rooms = [
        house.room,
        *[
            await a_room(house.centre, name=name, theme=theme, approvals=2 if "党建" in name else 1)
            for name, theme in ROOMS
        ],
    ]
    names = ("侨港小林", "沙田阿珍", "涠洲老陈")
    week = Week(house, rooms, [await a_streamer(house.centre, stage_name=name) for name in names])
    await week.book(0, 0, 0, local(2, 19), 150, "开海第一网·沙虫专场")
    show = (await Broadcast.get()).public_id
    await checked(await Broadcast.get(public_id=show))
    await database.unit(lambda: onair.start(show, actor=house.manager, now=local(2, 19)))
    await week.book(0, 1, 1, local(2, 10), 120, "合浦大蚝上新")
    await week.book(1, 1, 2, local(2, 14, 30), 180, "商务局的专场")
    await week.book(2, 2, 1, local(2, 20), 120, "侨港夜市")
    await week.book(1, 3, 2, local(2, 23), 120, "午夜场")
    await week.book(0, 0, 1, local(4, 20), 120, "香山鸡嘴荔枝预售", approve=False)
    rejected = await week.book(0, 3, 0, local(5, 15), 60, "海鸭蛋试播", approve=False)
    await database.unit(
        lambda: booking.reject(
            rejected, reason="当天设备检修，请改到周六", actor=house.manager, now=local(1, 10)
        )
    )
    await week.book(0, 0, 0, local(7, 10), 240, "周末大集·乡村振兴")
    return week


async def look(page: Page, path: str, name: str) -> None:
    await page.goto(path)
    assert await fits(page)
    await picture(page, name)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_the_week_reads_at_a_glance(client: Site, week: Week) -> None:
    async with desktop(client, session=await week.sign_in()) as page:
        await look(page, "/bureau", "bureau-week")
        live = page.locator(".slot.live")
        await expect(live).to_contain_text("开海第一网·沙虫专场")
        await expect(page.locator(".slot.other")).to_have_count(3)
        await expect(page.locator("body")).not_to_contain_text("商务局的专场")
        await expect(page.locator(".now-line").first).to_be_visible()
        await expect(page.locator("tbody tr")).to_have_count(5)
        await expect(page.locator("tbody tr").nth(3)).to_contain_text("当天设备检修")

    async with desktop(client, session=await week.sign_in(), width=390, height=844, dark=True) as page:
        await look(page, "/bureau", "bureau-week-narrow")


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_a_taken_time_becomes_a_free_one_with_one_tap(client: Site, week: Week) -> None:
    async with desktop(client, session=await week.sign_in()) as page:
        await page.goto("/bureau")
        await page.get_by_role("link", name="申请排期").last.click()
        await page.get_by_label("内容").fill("乡村振兴·沙田沙虫")
        await page.get_by_label("直播间").select_option(label="魅力北海直播间")
        await page.get_by_label("开始").fill("2026-03-02T22:00")
        await page.get_by_label("时长").select_option(label="2 小时")
        await page.get_by_label("主播").select_option(label="沙田阿珍 · 侨港镇")
        await page.get_by_role("button", name="提交审批").click()

        refusal = page.get_by_role("alert")
        await expect(refusal).to_contain_text("这个时段已被占用")
        await expect(refusal).to_contain_text("商务局 3月2日 22:30–01:30（含准备和收场）")
        await expect(page.get_by_label("内容")).to_have_value("乡村振兴·沙田沙虫")
        assert await fits(page)
        await picture(page, "bureau-taken")

        await refusal.get_by_role("button").first.click()
        await expect(page.get_by_role("status")).to_contain_text("已提交")
        await expect(page.locator("tbody")).to_contain_text("乡村振兴·沙田沙虫")


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_without_scripts_a_booking_is_given_back(client: Site, week: Week) -> None:
    async with desktop(client, session=await week.sign_in(), scripts=False) as page:
        await page.goto("/bureau")
        row = page.locator("tbody tr", has_text="周末大集")
        await row.get_by_role("button", name="取消").click()
        await expect(page.get_by_role("status")).to_contain_text("时段已让出")
        await expect(page.locator("tbody tr", has_text="周末大集")).to_contain_text("已取消")
        await expect(page.locator("tbody tr", has_text="周末大集").get_by_role("button")).to_have_count(0)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_mistakes_are_said_beside_the_fields(client: Site, week: Week) -> None:
    async with desktop(client, session=await week.sign_in(), scripts=False) as page:
        await page.goto("/bureau/bookings/new")
        assert await fits(page)
        await picture(page, "bureau-new")
        await page.get_by_label("内容").fill("早场")
        await page.get_by_label("直播间").select_option(index=1)
        await page.get_by_label("开始").fill("2026-03-03T05:00")
        await page.get_by_role("button", name="提交审批").click()
        await expect(page.locator("#starts_at-wrong")).to_contain_text("不在开放时间内")
        await expect(page.locator("#streamer-wrong")).to_contain_text("直播需要指定主播")
        await picture(page, "bureau-mistakes")


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_the_document_opens_call_by_call(client: Site) -> None:
    async with desktop(client) as page:
        await look(page, "/api/v1/docs", "api-docs")
        call = page.locator("details", has_text="/api/v1/bookings/check")
        await call.locator("summary").first.click()
        await expect(call).to_contain_text("时长，分钟")
        figures = page.locator("details", has_text="/api/v1/sales/figures")
        await figures.locator("summary").first.click()
        await expect(figures).to_contain_text("净成交额")
        await figures.get_by_text("答复的字段").click()
        await expect(figures).to_contain_text("rows[].evidence_url")
        assert await fits(page)
        await picture(page, "api-docs-open")
