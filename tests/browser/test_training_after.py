"""What comes after a class, in a real browser at the desk's width and a phone's: nothing sticks out, steps work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from playwright.async_api import expect

from livehub.accounts.models import Role
from streamers.training import claims, incubations, mentors
from tests.browser.phone import CHROMIUM, fits, picture
from tests.browser.test_desk import seat, sit_down
from tests.factories.claims import a_closed_school, checked
from tests.factories.outcomes import sold, streamed
from tests.factories.training import LATER, a_person
from tests.site import Site
from tests.web.desk.office import EVENING, an_office

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]
TODAY = LATER + timedelta(days=91)


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(EVENING, tick=True):
        yield


@pytest.mark.parametrize("width", [1280, 390])
async def test_outcomes_incubation_claim_and_archive(client: Site, width: int) -> None:
    office = await an_office(client)
    school, (first, second, *_) = await a_closed_school(trainees=5, house=office.house)
    for number, (who, days, fen, back) in enumerate(
        ((first, 3, 128_800, 8_800), (first, 75, 53_000, 0), (second, 40, 9_900, 0))
    ):
        show = await streamed(school, who, LATER + timedelta(days=days), minutes=95)
        with time_machine.travel(TODAY, tick=True):
            await sold(office.shop, show, f"o-{number}", fen=fen, back=back)
    here = f"/desk/training/{school.cohort.public_id}"
    await checked(school, first)
    await claims.draw(school.cohort.public_id, actor=school.staff, now=LATER)
    teacher, someone = await a_person(school, name="王导师"), await a_person(school, name="小符")
    mentor = await mentors.appoint(teacher.public_id, field="选品与控场", actor=school.manager, now=LATER)
    incubated = await incubations.nominate(
        someone.public_id, bureau_id=school.bureau.id, mentor=mentor.public_id, actor=school.staff, now=LATER
    )
    with time_machine.travel(TODAY, tick=True):
        async with seat(client, width=width) as page:
            await sit_down(page, office, Role.MANAGER)
            for path, name in (
                ("/desk/training/outcomes", "outcomes"),
                (f"{here}/outcomes", "class-outcomes"),
                (f"/desk/training/enrolments/{first.public_id}/outcomes", "graduate"),
                ("/desk/training/followups", "followups"),
                ("/desk/training/incubations", "incubations"),
                (f"/desk/training/incubations/{incubated.public_id}", "incubation"),
                (f"{here}/claim", "claim"),
                (f"{here}/archive", "archive"),
            ):
                await page.goto(path)
                assert await fits(page), name
                await picture(page, f"desk-training-{name}-{width}")
            await page.goto(f"/desk/training/incubations/{incubated.public_id}")
            await page.get_by_role("button", name="批准入孵").click()
            await page.get_by_role("button", name="开始孵化").click()
            await page.fill("#note", "看了三场回放，改了脚本")
            await page.get_by_role("button", name="登记走访").click()
            await expect(page.get_by_text("已登记走访")).to_be_visible()
            assert await fits(page)
            await picture(page, f"desk-training-incubating-{width}")
            await page.goto(f"/desk/training/enrolments/{first.public_id}/outcomes")
            await page.select_option("#employment", "streaming")
            await page.get_by_role("button", name="登记").click()
            await expect(page.get_by_text("第 30 天 · 直播")).to_be_visible()
            await picture(page, f"desk-training-called-{width}")
