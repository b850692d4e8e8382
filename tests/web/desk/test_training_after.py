"""What comes after a class on the desk, over real HTTP: outcomes, calls, incubation, the claim, the archive."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import timedelta

import aiohttp
import msgspec
import pytest
import time_machine

from livehub.accounts.models import Role
from streamers.training import mentors
from streamers.training.after_models import Incubation
from tests.factories.claims import a_closed_school
from tests.factories.outcomes import sold, streamed
from tests.factories.training import LATER, a_person
from tests.web.desk.office import Office
from tests.web.phones import hidden, visible

PATH = "/desk/training"


@pytest.fixture
def _spring() -> Iterator[None]:
    """Day 31 after the graduation."""
    with time_machine.travel(LATER + timedelta(days=30, hours=1), tick=True):
        yield


pytestmark = pytest.mark.usefixtures("_spring")


async def test_a_figure_of_training_opens_down_to_its_orders(office: Office) -> None:
    school, (first, *_) = await a_closed_school(house=office.house)
    show = await streamed(school, first, LATER + timedelta(days=2), minutes=90)
    await sold(office.shop, show, "o-training", fen=12_300, back=300)
    officer = await office.visitor(Role.BUREAU)

    everything = visible(await officer.page(f"{PATH}/outcomes"))
    none = visible(await officer.page(f"{PATH}/outcomes?period=2020"))
    refused = await officer.get(f"{PATH}/outcomes?period=soon")
    klass = await officer.page(f"{PATH}/{school.cohort.public_id}/outcomes")
    hers = await officer.page(f"{PATH}/enrolments/{first.public_id}/outcomes")
    lines = await officer.page(
        re.search(r'href="(/desk/sales/lines\?basis=G3[^"]+)"', hers)[1].replace("&amp;", "&")
    )

    assert "¥120.00" in everything
    assert ("没有开过课的班" in none, refused[0]) == (True, 422)
    assert f"{PATH}/enrolments/{first.public_id}/outcomes" in klass
    assert "沙田沙虫" in hers
    assert ("¥120.00" in lines, "o-training" in lines) == (True, True)


async def test_who_is_due_is_called_and_who_is_promising_is_incubated(office: Office) -> None:
    school, (first, *_) = await a_closed_school(house=office.house)
    staff, officer = await office.visitor(Role.STAFF), await office.visitor(Role.BUREAU)
    teacher, someone = await a_person(school, name="王导师"), await a_person(school, name="小符")
    bureau = office.house.bureaus[0].public_id

    due = await staff.page(f"{PATH}/followups")
    here = f"{PATH}/enrolments/{first.public_id}"
    wrong = await staff.post(f"{here}/followups", day=90, employment="streaming")
    called = await staff.post(f"{here}/followups", day=30, employment="streaming", note="每周两场")
    seen = visible(await officer.page(f"{here}/outcomes"))
    left = await staff.page(f"{PATH}/followups")
    await staff.post(f"{PATH}/mentors", person=teacher.public_id, field="选品")
    twice = await staff.post(f"{PATH}/mentors", person=teacher.public_id, field="选品")
    (mentor,) = await mentors.listing(school.manager)
    lost = await staff.post(f"{PATH}/incubations", person=someone.public_id, bureau="nowhere")
    made = await staff.post(
        f"{PATH}/incubations", person=someone.public_id, bureau=bureau, mentor=mentor.public_id
    )
    there = made[2].partition("?")[0]
    too_long = await staff.post(f"{there}/step/admit", version=1, months=37)
    await staff.post(f"{there}/step/admit", version=1, months=24)
    stale = await staff.post(f"{there}/step/begin", version=1)
    await staff.post(f"{there}/step/begin", version=2)
    visited = await staff.post(f"{there}/visits", on_day="2026-04-30", note="看了账本")
    await staff.post(f"{there}/step/extend", version=3, months=6, reason="旺季还没到")
    unknown = await staff.post(f"{there}/step/jump", version=4)
    one = visible(await officer.page(there))
    await staff.post(f"{there}/step/leave", version=4, into="graduated", reason="开了网店")
    listed = visible(await officer.page(f"{PATH}/incubations?stage=graduated"))

    assert first.public_id in due
    assert (wrong[0], "还没到这次回访的日子" in wrong[1], called[0]) == (422, True, 303)
    assert "第 30 天 · 直播" in seen
    assert first.public_id not in left
    assert (twice[0], "已经是导师" in twice[1], lost[0]) == (409, True, 422)
    assert (too_long[0], "1 到 36 个月" in too_long[1] or "孵化期不对" in too_long[1]) == (422, True)
    assert (stale[0], visited[0], unknown[0]) == (412, 303, 404)
    assert ("看了账本" in one, "含延期 6 个月" in one) == (True, True)
    assert "小符" in listed
    assert (await Incubation.get()).stage == "graduated"


async def test_a_claim_is_drawn_up_checked_approved_and_paid_on_pages(office: Office) -> None:
    school, (first, *_) = await a_closed_school(house=office.house)
    here = f"{PATH}/{school.cohort.public_id}"
    staff, officer, finance = [await office.visitor(role) for role in (Role.STAFF, Role.BUREAU, Role.FINANCE)]

    trial = visible(await staff.page(f"{here}/claim"))
    await staff.post(f"{here}/claim/draw")
    late = await staff.post(f"{here}/claim/submit", version=1)
    submitted = await staff.post(f"{here}/claim/submit", version=1, late_reason="等证书补发")
    await staff.post(f"{here}/claim/publicise", version=2)
    early = await officer.post(f"{here}/claim/approve", version=3)
    unsaid = await staff.post(
        f"{here}/spot-checks", enrolment=first.public_id, method="phone", confirmed="false"
    )
    await staff.post(f"{here}/spot-checks", enrolment=first.public_id, method="phone")
    approved = await officer.post(f"{here}/claim/approve", version=3)
    forbidden = await officer.post(f"{here}/claim/pay", version=4, reference="P1")
    paid = await finance.post(f"{here}/claim/pay", version=4, reference="P-2026-1")
    end = visible(await officer.page(f"{here}/claim"))

    assert "¥480.00" in trial
    assert (late[0], "仍要提交" in late[1], submitted[0]) == (409, True, 303)
    assert (early[0], "抽查人数不够" in early[1], unsaid[0]) == (409, True, 422)
    assert (approved[0], forbidden[0], paid[0]) == (303, 403, 303)
    assert "P-2026-1" in end


async def test_the_archive_comes_as_one_file_masked_or_in_clear_for_a_reason(office: Office) -> None:
    school, _ = await a_closed_school(house=office.house)
    here = f"{PATH}/{school.cohort.public_id}"
    manager, staff = await office.visitor(Role.MANAGER), await office.visitor(Role.STAFF)
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("csrf", hidden(await staff.page("/desk"), "csrf"))
    form.add_field("kind", "photo")
    form.add_field("file", io.BytesIO(b"%PDF-1.7 x"), filename="合影.pdf", content_type="application/pdf")

    async with staff.session.post(f"{here}/evidence", data=form, allow_redirects=False) as answer:
        kept = answer.status
    listed = visible(await staff.page(f"{here}/archive"))
    async with staff.session.get(f"{here}/archive.zip") as answer:
        kind, masked = answer.content_type, zipfile.ZipFile(io.BytesIO(await answer.read()))
    token = hidden(await manager.page("/desk"), "csrf")
    async with manager.session.post(f"{here}/archive.zip", data={"csrf": token, "reason": "验收"}) as answer:
        clear = zipfile.ZipFile(io.BytesIO(await answer.read()))
    nameless = await manager.post(f"{here}/archive.zip", reason="")
    refused = await staff.post(f"{here}/archive.zip", reason="验收")

    assert (kept, "合影.pdf" in listed, kind) == (303, True, "application/zip")
    index = msgspec.json.decode(masked.read("index.json"))
    assert (index["numbers"], index["files"][-1]["included"]) == ("masked", False)
    assert clear.read("90-佐证材料/001-合影.pdf") == b"%PDF-1.7 x"
    assert (nameless[0], refused[0]) == (422, 403)
