"""A class at the desk and on the trainee's phone, in a real browser: a roster with a mistake, a lesson, a paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from playwright.async_api import expect

from livehub.accounts.models import Role
from livehub.web.streamer import door
from streamers import links
from streamers.models import Streamer
from streamers.training import certificates, graduation
from tests.browser.phone import CHROMIUM, fits, phone, picture
from tests.browser.test_desk import seat, sit_down
from tests.factories.rooms import local
from tests.factories.training import (
    LATER,
    a_lesson,
    a_roster,
    a_school,
    a_trainee,
    an_ended_school,
    an_identity,
)
from tests.site import Site
from tests.web.desk.office import EVENING, an_office

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(EVENING, tick=True):
        yield


@pytest.mark.parametrize("width", [1360, 390])
async def test_a_roster_a_lesson_and_their_refusals(client: Site, tmp_path: Path, width: int) -> None:
    office = await an_office(client)
    school = await a_school(house=office.house)
    here = f"/desk/training/{school.cohort.public_id}"
    file = tmp_path / "名册.xlsx"
    file.write_bytes(a_roster(("林海", an_identity(), "", "侨港镇"), ("陈月", "990101199501010019", "", "")))
    async with seat(client, width=width) as page:
        await sit_down(page, office, Role.MANAGER)
        for path, name in (
            ("/desk/training", "list"),
            ("/desk/training/programmes", "programmes"),
            (here, "cohort"),
        ):
            await page.goto(path)
            assert await fits(page)
            await picture(page, f"desk-training-{name}-{width}")
        for mode, shown in (("整批导入", "整批没有导入"), ("部分导入", "导入结果")):
            await page.goto(f"{here}/roster")
            await page.set_input_files("#file", file)
            await page.get_by_label(mode).check()
            await page.get_by_role("button", name="上传").click()
            await expect(page.get_by_text(shown).first).to_be_visible()
        await expect(page.get_by_text("校验位不对").first).to_be_visible()
        assert await fits(page)
        await picture(page, f"desk-training-roster-{width}")
        await page.goto(f"{here}/lessons")
        await page.fill("#title", "选品")
        await page.select_option("#kind", "theory")
        await page.fill("#starts_at", "2026-03-02T21:00")
        await page.select_option("#room", office.house.room.public_id)
        await page.get_by_role("button", name="排课").click()
        await expect(page.get_by_text("这个时间排不进去")).to_be_visible()
        assert await page.input_value("#title") == "选品"
        await picture(page, f"desk-training-clash-{width}")
        await page.select_option("#room", "")
        await page.fill("#starts_at", "2026-03-02T15:00")
        await page.get_by_role("button", name="排课").click()
        await page.get_by_role("main").get_by_role("link", name="选品").first.click()
        await page.get_by_label("迟到").check()
        await page.get_by_role("button", name="保存考勤").click()
        await expect(page.get_by_text("考勤已保存")).to_be_visible()
        assert await fits(page)
        await picture(page, f"desk-training-lessons-{width}")


async def test_a_trainees_phone_and_a_certificate_that_anybody_verifies(client: Site) -> None:
    office = await an_office(client)
    school = await a_school(house=office.house)
    trainee, lesson = await a_trainee(school, name="林小海"), await a_lesson(school, local(2, 20, 15))
    streamer = await Streamer.get(person_id=trainee.person_id)
    issued = await links.issue(streamer.public_id, actor=school.manager, now=EVENING)
    opened = await links.open_link(issued.token, device_token=None, now=EVENING)
    ended, _ = await an_ended_school(house=office.house)
    await graduation.confirm(ended.cohort.public_id, actor=school.manager, now=LATER)
    (paper,) = await certificates.issue(ended.cohort.public_id, actor=school.manager, now=LATER)

    async with phone(site=client, cookies={door.DEVICE: opened.device_token}) as page:
        await page.goto("/s/training")
        await expect(page.get_by_text("下一节：选品与话术")).to_be_visible()
        assert await fits(page)
        await picture(page, "phone-training")
        await page.goto(f"/s/checkin/{lesson.public_id}/a-stale-code")
        await page.get_by_role("button", name="签到").click()
        await expect(page.get_by_text("没有签上")).to_be_visible()
        assert await fits(page)
        await page.goto(f"/verify/{paper.verify_code}")
        await expect(page.get_by_text("证书有效")).to_be_visible()
        assert await fits(page)
        await picture(page, "verify")
    async with seat(client) as page:
        await sit_down(page, office, Role.MANAGER)
        await page.goto(f"/desk/training/{ended.cohort.public_id}/graduation")
        await page.get_by_text("作废", exact=True).first.click()
        await page.get_by_placeholder("写明原因").last.fill("替考")
        await page.get_by_role("button", name="确定").last.click()
        await expect(page.get_by_text("证书已作废，核验页会显示原因")).to_be_visible()
        await picture(page, "desk-training-graduation")
        await page.goto(f"/desk/training/lessons/{lesson.public_id}/screen")
        await expect(page.get_by_text("人已签到")).to_be_visible()
        await picture(page, "desk-training-screen")
