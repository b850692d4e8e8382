"""A class from its application to its certificates, as its staff, its officer and its trainees live it."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from hashlib import sha256

import msgspec
import pytest

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.errors import SecondPersonNeeded
from livehub.kit.states import WrongState
from livehub.settings import Settings
from rooms import training
from rooms.errors import SlotTaken
from rooms.models import Booking
from streamers.invariants import decisions as kept
from streamers.invariants import places
from streamers.models import Streamer
from streamers.training import (
    attendance,
    certificates,
    check_in,
    cohorts,
    graduation,
    programmes,
    queries,
    scores,
)
from streamers.training.attendance import Mark
from streamers.training.course_models import (
    Assessment,
    Attendance,
    Certificate,
    CertificateState,
    GraduationDecision,
    Presence,
)
from streamers.training.errors import (
    AppliedLate,
    AttendanceRefused,
    CertificateEnded,
    CheckInRefused,
    LessonRefused,
    NotCheckInTime,
    NotReady,
    ScoreRefused,
)
from streamers.training.models import Cohort, CohortState, Enrolment, EnrolmentState, GraduationRule
from streamers.training.rules import Bar, Terms
from tests.contention import kinds, meet
from tests.factories.rooms import NOW, a_booking, local
from tests.factories.training import LATER, School, a_cohort, a_lesson, a_school, a_trainee, an_ended_school


async def phone_of(enrolment: Enrolment) -> Actor:
    streamer = await Streamer.get(person_id=enrolment.person_id)
    return Actor(kind="streamer", id=streamer.id, name=streamer.stage_name, centre_id=streamer.centre_id)


async def test_a_class_is_applied_for_in_time_and_opened_by_another(db: Settings) -> None:
    terms = Terms(plan_parts=("audience", "goal", "outline"), min_tenths=30, lead_days=10)
    school = await a_school(terms=terms, state=CohortState.DRAFT)
    cohort = school.cohort.public_id

    with pytest.raises(NotReady) as lacking:
        await cohorts.apply(cohort, actor=school.manager, now=NOW)
    await Cohort.filter(id=school.cohort.id).update(plan='{"audience":"a","goal":"b","outline":"c"}')
    await a_lesson(school)
    await a_trainee(school, name="林海")
    with pytest.raises(AppliedLate):
        await cohorts.apply(cohort, actor=school.manager, now=NOW)
    await cohorts.apply(cohort, late_reason="主管部门临时要求", actor=school.manager, now=NOW)
    with pytest.raises(SecondPersonNeeded):
        await cohorts.approve(cohort, actor=school.manager, now=NOW)
    await cohorts.reject(cohort, reason="请补大纲", actor=school.officer, now=NOW)
    await cohorts.apply(cohort, late_reason="主管部门临时要求", actor=school.manager, now=NOW)
    await cohorts.approve(cohort, actor=school.officer, now=NOW)
    with pytest.raises(WrongState):
        await cohorts.step(cohort, "start", actor=school.staff, now=NOW)
    await cohorts.step(cohort, "open", actor=school.staff, now=NOW)
    running = await cohorts.step(cohort, "start", actor=school.staff, now=NOW)

    assert [each.field for each in lacking.value.details] == ["plan.outline", "lessons"]
    assert running.state is CohortState.RUNNING
    whole = await queries.cohort(cohort, actor=school.officer, now=NOW)
    assert [each.decision for each in whole.applications] == ["approved", "rejected"]
    assert "林海" in whole.applications[0].roster


async def test_a_lesson_takes_its_room_and_instructor_or_is_not_planned(db: Settings) -> None:
    school = await a_school()
    room, teacher = school.house.room.public_id, await school.house.streamer.person
    await a_booking(school.house, local(4, 10), now=NOW)

    with pytest.raises(SlotTaken) as taken:
        await a_lesson(school, local(4, 9), room=room, instructor=teacher.public_id)
    lesson = await a_lesson(school, local(4, 14), room=room, instructor=teacher.public_id)
    with pytest.raises(SlotTaken):  # the instructor stands before the class
        await a_booking(school.house, local(4, 15), now=NOW)
    with pytest.raises(LessonRefused):
        await a_lesson(school, local(30, 9))
    called_off = await database.unit(
        lambda: training.cancel(lesson.public_id, reason="停电", actor=school.staff, now=NOW)
    )

    await Cohort.filter(id=school.cohort.id).update(state=CohortState.RECRUITING)
    other = await a_lesson(school, local(5, 14), room=room)
    await training.call_off(school.cohort.public_id, reason="报名太少", actor=school.staff, now=NOW)
    assert (await Booking.get(id=other.booking_id)).state == "cancelled"

    conflicts = taken.value.data["conflicts"]
    assert {each["kind"] for each in conflicts} == {"person", "room"}
    assert taken.value.data["suggestions"]
    assert called_off.cancelled_at is not None
    assert (await Booking.get(id=lesson.booking_id)).state == "cancelled"
    await a_booking(school.house, local(4, 15), now=NOW)


async def test_a_trainee_checks_in_by_the_screens_code_while_it_is_fresh(db: Settings) -> None:
    school = await a_school()
    early, late = await a_trainee(school), await a_trainee(school)
    lesson = await a_lesson(school, local(3, 9))
    begins = local(3, 9)
    shown = await check_in.show(lesson.public_id, actor=school.staff, now=begins)
    me = await phone_of(early)

    with pytest.raises(NotCheckInTime):
        await check_in.show(lesson.public_id, actor=school.staff, now=begins - timedelta(hours=1))
    with pytest.raises(CheckInRefused):
        await check_in.check_in(lesson.public_id, code="guess", actor=me, now=begins)
    with pytest.raises(CheckInRefused):
        await check_in.check_in(
            lesson.public_id, code=shown.code, actor=me, now=begins + timedelta(seconds=31)
        )
    answers = await meet(
        db,
        "SELECT 1 FROM lesson FOR UPDATE",
        *[lambda: database.unit(
            lambda: check_in.check_in(lesson.public_id, code=shown.code, actor=me, now=begins)
        )] * 2,
    )  # fmt: skip
    then = begins + timedelta(minutes=20)
    code = (await check_in.show(lesson.public_id, actor=school.staff, now=then)).code
    second = await check_in.check_in(lesson.public_id, code=code, actor=await phone_of(late), now=then)

    assert kinds(answers) == ["CheckedIn", "CheckedIn"]
    assert (second.status, await Attendance.all().count()) == (Presence.LATE, 2)


async def test_a_correction_keeps_what_was_and_says_why(db: Settings) -> None:
    school = await a_school()
    trainee = await a_trainee(school)
    lesson = await a_lesson(school, local(3, 9))

    async def mark(status: Presence, reason: str = "") -> int:
        marks = [Mark(enrolment=trainee.public_id, status=status, reason=reason)]
        return await attendance.mark(lesson.public_id, marks, actor=school.staff, now=local(3, 12))

    first, again = await mark(Presence.ABSENT), await mark(Presence.ABSENT)
    with pytest.raises(AttendanceRefused):
        await mark(Presence.PRESENT)
    changed = await mark(Presence.PRESENT, "签到机没电，有照片")

    rows = await Attendance.all().order_by("seq")
    assert (first, again, changed) == (1, 0, 1)
    assert [(each.seq, each.status, each.reason) for each in rows] == [
        (1, Presence.ABSENT, ""), (2, Presence.PRESENT, "签到机没电，有照片"),
    ]  # fmt: skip
    with pytest.raises(WrongState):
        await database.unit(
            lambda: training.cancel(lesson.public_id, reason="晚了", actor=school.staff, now=NOW)
        )


async def test_who_reached_the_bar_graduates_and_the_decision_stays(db: Settings) -> None:
    school, people = await an_ended_school()
    cohort = school.cohort.public_id

    exam = await Assessment.get(cohort_id=school.cohort.id)
    await Cohort.filter(id=school.cohort.id).update(state=CohortState.RUNNING)
    with pytest.raises(ScoreRefused):  # a correction without a reason
        wrong = [scores.Mark(enrolment=people[0].public_id, tenths=590)]
        await scores.mark(exam.public_id, wrong, actor=school.staff, now=LATER)
    await cohorts.step(cohort, "examine", actor=school.staff, now=LATER)
    looked, _ = await graduation.evaluate(cohort, actor=school.officer, now=LATER)
    assert await GraduationDecision.all().count() == 0
    with pytest.raises(NotReady):
        await cohorts.step(cohort, "close", actor=school.staff, now=LATER)
    await graduation.confirm(cohort, actor=school.manager, now=LATER)
    await graduation.confirm(cohort, actor=school.manager, now=LATER)
    await programmes.change_bar(
        school.programme.public_id, bar=Bar(min_attendance="0"), actor=school.manager, now=LATER
    )
    issued = await certificates.issue(cohort, actor=school.manager, now=LATER)
    await cohorts.step(cohort, "close", actor=school.staff, now=LATER)

    assert [stands.rate for _, stands in looked] == [Fraction(1), Fraction(1, 2)]
    assert [each.state for each in await Enrolment.all().order_by("id")] == ["graduated", "failed"]
    decisions = await GraduationDecision.all().order_by("id")
    assert [msgspec.json.decode(each.reasons) for each in decisions] == [[], ["ATTENDANCE"]]
    for each in decisions:
        again = graduation.decided_again(each, await GraduationRule.get(id=each.rule_id))
        assert (again.graduated, list(again.reasons)) == (each.graduated, msgspec.json.decode(each.reasons))
    assert [(each.serial, each.enrolment_id) for each in issued] == [("2026-000001", people[0].id)]
    assert await certificates.issue(cohort, actor=school.manager, now=LATER) == []
    assert (await places.check(), await kept.check()) == ([], [])
    await database.execute("UPDATE cohort SET taken = 1")
    await database.execute("UPDATE certificate_counter SET reached = 2")
    assert (len(await places.check()), len(await kept.check())) == (1, 1)
    badge = (await queries.badges((await phone_of(people[0])).id, now=LATER))[0]
    assert (badge.attended, badge.planned, badge.serial) == (40, 40, "2026-000001")


async def test_a_certificate_is_verified_replaced_and_revoked(db: Settings) -> None:
    school, people = await an_ended_school()
    await graduation.confirm(school.cohort.public_id, actor=school.manager, now=LATER)
    (first,) = await certificates.issue(school.cohort.public_id, actor=school.manager, now=LATER)

    serial, paper = await certificates.paper_of(
        first.public_id, base_url="https://x.example", actor=school.staff
    )
    same = await certificates.paper_of(first.public_id, base_url="https://other.example", actor=school.staff)
    good = await certificates.verify(first.verify_code)
    second = await certificates.replace(first.public_id, reason="姓名打错", actor=school.manager, now=LATER)
    replaced = await certificates.verify(first.verify_code.lower())
    await certificates.revoke(second.public_id, reason="替考", actor=school.manager, now=LATER)
    with pytest.raises(CertificateEnded):
        await certificates.revoke(second.public_id, reason="替考", actor=school.manager, now=LATER)

    assert (serial, paper[:5], same[1]) == ("2026-000001", b"%PDF-", paper)
    assert good is not None
    assert good.state is CertificateState.ISSUED
    assert good.paper_sha256 == sha256(paper).hexdigest()
    assert good.printed.identity[4:14] == "*" * 10
    assert replaced is not None
    assert (replaced.state, replaced.reason) == (CertificateState.REPLACED, "姓名打错")
    assert [(each.number, each.state) for each in await Certificate.all().order_by("number")] == [
        (1, CertificateState.REPLACED), (2, CertificateState.REVOKED),
    ]  # fmt: skip
    assert await certificates.verify("NOSUCHCODE") is None
    third = await certificates.replace(
        second.public_id, reason="查明不是替考", actor=school.manager, now=LATER
    )
    with pytest.raises(CertificateEnded):
        await certificates.replace(second.public_id, reason="再换一张", actor=school.manager, now=LATER)
    assert [(each.number, each.state) for each in await Certificate.all().order_by("number")] == [
        (1, CertificateState.REPLACED), (2, CertificateState.REPLACED), (3, CertificateState.ISSUED),
    ]  # fmt: skip
    assert (third.serial, await kept.check()) == ("2026-000003", [])
    assert (await Enrolment.get(id=people[0].id)).state is EnrolmentState.GRADUATED


async def test_serials_have_no_gap_when_one_fails_and_two_classes_end_at_once(db: Settings) -> None:
    school, _ = await an_ended_school(trainees=4)
    other = School(
        **{
            **{name: getattr(school, name) for name in School.__struct_fields__},
            "cohort": await a_cohort(school.programme, actor=school.manager, state=CohortState.EXAMINING),
        }
    )
    await Cohort.filter(id=other.cohort.id).update(state=CohortState.RUNNING)
    await a_trainee(other)
    await Cohort.filter(id=other.cohort.id).update(state=CohortState.EXAMINING, rule_id=school.cohort.rule_id)
    easy = await programmes.change_bar(
        school.programme.public_id, bar=Bar(min_attendance="0", min_theory_tenths=0, min_skill_tenths=0),
        actor=school.manager, now=LATER,
    )  # fmt: skip
    await Cohort.filter(id=other.cohort.id).update(rule_id=easy.id)
    for each in (school, other):
        await graduation.confirm(each.cohort.public_id, actor=school.manager, now=LATER)

    async def failing() -> None:
        await certificates.issue(school.cohort.public_id, actor=school.manager, now=LATER)
        raise ZeroDivisionError

    def issue(each: School):
        return lambda: database.unit(
            lambda: certificates.issue(each.cohort.public_id, actor=school.manager, now=LATER)
        )

    with pytest.raises(ZeroDivisionError):
        await database.unit(failing)
    answers = await meet(db, "LOCK TABLE certificate IN SHARE MODE", issue(school), issue(other))

    assert kinds(answers) == ["list", "list"]
    numbers = [each.number for each in await Certificate.all().order_by("number")]
    assert numbers == [1, 2, 3, 4]
