"""培训班 on the desk, on the trainee's phone and for whoever holds a certificate, over real HTTP."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import aiohttp
import pytest

from livehub.accounts.models import AuditEntry, Role
from livehub.kit.sheets import decoding
from livehub.web.streamer import door
from streamers import links as streamer_links
from streamers.models import Person, Streamer
from streamers.training import certificates, graduation
from streamers.training.course_models import Attendance, Certificate, Lesson
from streamers.training.models import Cohort, Enrolment
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
from tests.web.desk.office import EVENING, Office, Visitor
from tests.web.phones import hidden, visible

PATH = "/desk/training"


async def send(who: Visitor, path: str, raw: bytes, mode: str) -> tuple[int, str]:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("csrf", hidden(await who.page("/desk"), "csrf"))
    form.add_field("mode", mode)
    form.add_field("file", io.BytesIO(raw), filename="名册.xlsx", content_type="application/octet-stream")
    async with who.session.post(path, data=form, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def test_a_class_is_planned_filled_taught_and_ended_on_pages(office: Office) -> None:
    manager, officer = await office.visitor(Role.MANAGER), await office.visitor(Role.BUREAU)
    bureau = office.house.bureaus[0].public_id
    programme = {"name": "直播培训", "occupation": "主播", "preset": "plain", "bureau": bureau, "level": "5"}

    refused = await manager.post(f"{PATH}/programmes", **{**programme, "bureau": "nobody"})
    await manager.post(f"{PATH}/programmes", **programme)
    chosen = re.search(r'<option value="(\w{16})">直播培训', await manager.page(f"{PATH}/new"))
    assert chosen
    made = await manager.post(
        f"{PATH}/new", programme=chosen[1], code="2026-01", name="第一期", starts_on="2026-03-02",
        ends_on="2026-03-20", capacity=2, audience="返乡青年", goal="会开播",
    )  # fmt: skip
    here = made[2].partition("?")[0]
    version = hidden(await manager.page(here), "version")
    applied = await manager.post(f"{here}/apply", version=version)
    own = await manager.post(f"{here}/approve", version="2")
    waiting = visible(await officer.page(here))
    approved = await officer.post(f"{here}/approve", version="2")
    stale = await manager.post(f"{here}/step/open", version="1")
    for number, step in enumerate(("open", "start"), start=3):
        assert (await manager.post(f"{here}/step/{step}", version=number))[0] == 303
    identity, teacher = an_identity(), await Person.get(id=office.house.streamer.person_id)
    raw = a_roster(("林海", identity, "", "侨港镇"), ("=1+1", an_identity(), "", ""))
    looked = await send(manager, f"{here}/roster/import", raw, "dry_run")
    strict = await send(manager, f"{here}/roster/import", raw, "strict")
    assert await Enrolment.all().count() == 0
    partial = await send(manager, f"{here}/roster/import", raw, "partial")
    async with manager.session.get(
        re.search(r"/desk/training/imports/\w+/errors.xlsx", partial[1])[0]
    ) as answer:
        (_, head), (_, row) = decoding.read(await answer.read()).rows
    lesson = {
        "title": "选品", "kind": "theory", "starts_at": "2026-03-02T21:00", "minutes": 120, "hours": "2.5",
        "room": office.house.room.public_id, "instructor": teacher.public_id,
    }  # fmt: skip
    clash = await manager.post(f"{here}/lessons", **lesson)
    planned = await manager.post(f"{here}/lessons", **{**lesson, "starts_at": "2026-03-02T15:00", "room": ""})
    noted = await Lesson.get()
    who = await Enrolment.get()
    saved = await manager.post(f"{PATH}/lessons/{noted.public_id}/attendance", rest="present")
    wrong = await manager.post(
        f"{PATH}/lessons/{noted.public_id}/attendance", **{f"p-{who.public_id}": "absent"}
    )
    timetable = visible(await manager.page(f"{here}/lessons"))
    sheet = visible(await manager.page(f"{PATH}/lessons/{noted.public_id}/sheet"))
    async with manager.session.get(f"{here}/roster.xlsx") as answer:
        exported = [cells for _, cells in decoding.read(await answer.read()).rows]
    await manager.post(f"{here}/step/examine", version=5)
    confirmed = await manager.post(f"{here}/graduation/confirm")
    issued = await manager.post(f"{here}/certificates")
    ended = visible(await manager.page(issued[2]))
    paper = await Certificate.get()
    async with manager.session.get(f"{PATH}/certificates/{paper.public_id}/paper.pdf") as answer:
        pdf = await answer.read()
    listed = visible(await officer.page(PATH))

    assert (refused[0], "没有这个主管部门" in refused[1]) == (422, True)
    assert (applied[0], own[0], approved[0], stale[0]) == (303, 403, 303, 412)
    assert "等待批准开班" in waiting
    assert (looked[0], "没有写入任何数据" in looked[1], strict[0], partial[0]) == (200, True, 422, 200)
    assert (head[-1], row[0], "姓名不对" in row[-1]) == ("错误原因", "=1+1", True)
    assert (clash[0], "这个时间排不进去" in clash[1], "最近的空档" in clash[1], planned[0]) == (
        409,
        True,
        True,
        303,
    )
    assert (saved[0], wrong[0], "更正考勤要写明原因" in wrong[1]) == (303, 422, True)
    assert "选品 理论 2.5" in timetable
    assert "林海 侨港镇 出勤" in sheet
    assert exported[1][1:3] == ["林海", f"{identity[:4]}{'*' * 10}{identity[-4:]}"]
    assert identity not in await manager.page(f"{here}/roster")
    assert (confirmed[0], "2026-000001 有效" in ended, pdf[:5]) == (303, True, b"%PDF-")
    assert "第一期" in listed


async def test_a_number_is_shown_once_for_a_reason(office: Office) -> None:
    school = await a_school(house=office.house)
    identity = an_identity()
    trainee = await a_trainee(school, identity=identity)
    manager, staff = await office.visitor(Role.MANAGER), await office.visitor(Role.STAFF)

    shown = await manager.post(f"{PATH}/enrolments/{trainee.public_id}/reveal", reason="核对报名表")
    refused = await staff.post(f"{PATH}/enrolments/{trainee.public_id}/reveal", reason="核对报名表")

    entry = await AuditEntry.get(action="person.revealed")
    assert (shown[0], identity in shown[1], refused[0]) == (200, True, 403)
    assert "核对报名表" in str(entry.detail)
    assert identity not in await manager.page(f"{PATH}/{school.cohort.public_id}/roster")


async def test_a_trainees_phone_checks_in_by_the_screen_and_shows_her_hours(office: Office) -> None:
    school = await a_school(house=office.house)
    trainee, lesson = await a_trainee(school), await a_lesson(school, local(2, 20))
    streamer = await Streamer.get(person_id=trainee.person_id)
    staff = await office.visitor(Role.STAFF)
    issued = await staff.post(f"{PATH}/enrolments/{trainee.public_id}/link")
    token = re.search(r"/s/([\w-]{20,})", issued[1])[1]
    opened = await streamer_links.open_link(token, device_token=None, now=EVENING)
    cookie = {"Cookie": f"{door.DEVICE}={opened.device_token}"}
    screen = await staff.page(f"{PATH}/lessons/{lesson.public_id}/screen")
    async with office.site.browser(headers=cookie) as phone:
        code = await _code(lesson)
        async with phone.get(f"/s/checkin/{lesson.public_id}/{code}") as answer:
            tap = await answer.text()
        given = {"csrf": hidden(tap, "csrf"), "lesson": lesson.public_id}
        async with phone.post("/s/checkin", data={**given, "code": "guess"}) as answer:
            guessed = answer.status, visible(await answer.text())
        assert await Attendance.all().count() == 0
        async with phone.post("/s/checkin", data={**given, "code": code}) as answer:
            done = answer.status, visible(await answer.text())
        async with phone.get("/s/training") as answer:
            badge = visible(await answer.text())
        async with phone.get("/s/") as answer:
            home = visible(await answer.text())

    assert "已签到" in visible(screen)
    assert (guessed[0], "重新扫" in guessed[1]) == (403, True)
    assert (done[0], "迟到" in done[1]) == (200, True)  # half past eight, after the ten minutes
    assert "下一节：选品与话术" in badge
    assert "我的培训" in home
    assert streamer.status == "trainee"


async def _code(lesson: Lesson) -> str:
    from streamers.training import check_in  # noqa: PLC0415 -- what the QR on the screen says
    from tests.factories.accounts import an_actor  # noqa: PLC0415 -- as above

    centre = (await Cohort.get(id=lesson.cohort_id)).centre_id
    actor = an_actor(Role.STAFF, centre_id=centre)
    return (await check_in.show(lesson.public_id, actor=actor, now=EVENING + timedelta(seconds=1))).code


@pytest.mark.parametrize("code", ["NOSUCHCODE", "x" * 300])
async def test_an_unknown_code_is_said_to_be_unknown(office: Office, code: str) -> None:
    async with office.site.get(f"/verify/{code}") as answer:
        assert (answer.status, "没有这张证书" in await answer.text()) == (404, True)


async def test_anybody_verifies_a_certificate_and_reads_no_more_than_its_paper(office: Office) -> None:
    school, people = await an_ended_school(house=office.house)
    await graduation.confirm(school.cohort.public_id, actor=school.manager, now=LATER)
    (paper,) = await certificates.issue(school.cohort.public_id, actor=school.manager, now=LATER)
    manager = await office.visitor(Role.MANAGER)

    async with office.site.get(f"/verify/{paper.verify_code}") as answer:
        good = await answer.text()
    revoked = await manager.post(f"{PATH}/certificates/{paper.public_id}/revoke", reason="替考")
    async with office.site.get(f"/verify/{paper.verify_code}") as answer:
        ended = visible(await answer.text())

    person = await Person.get(id=people[0].person_id)
    assert "证书有效" in good
    assert person.public_id not in good
    assert people[0].public_id not in good
    assert (revoked[0], "证书已作废" in ended, "替考" in ended) == (303, True, True)
