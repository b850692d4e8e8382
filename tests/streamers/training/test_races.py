"""Two people with the same class, lesson or paper at the same moment."""

from __future__ import annotations

from datetime import date

import pytest

from livehub import database
from livehub.settings import Settings
from streamers.models import Person
from streamers.training import attendance, certificates, cohorts, enrolments, graduation, programmes
from streamers.training.attendance import Mark
from streamers.training.cohorts import NewCohort
from streamers.training.course_models import Attendance, Certificate, GraduationDecision, Presence, Score
from streamers.training.models import Cohort, CohortState, Enrolment, GraduationRule, OpeningApplication
from streamers.training.rules import Bar
from tests.contention import kinds, meet
from tests.factories.rooms import NOW, local
from tests.factories.training import (
    LATER,
    School,
    a_cohort,
    a_lesson,
    a_person,
    a_school,
    a_trainee,
    an_ended_school,
)

COHORT = "SELECT 1 FROM cohort FOR UPDATE"


def beside(school: School, cohort: Cohort) -> School:
    """The same house with another class."""
    fields = {name: getattr(school, name) for name in School.__struct_fields__}
    return School(**{**fields, "cohort": cohort})


async def two_classes() -> tuple[School, School, Person]:
    """Two classes that meet at one time, and somebody who is in neither."""
    school = await a_school()
    other = beside(school, await a_cohort(school.programme, actor=school.manager))
    await a_lesson(school, local(3, 9))
    await a_lesson(other, local(3, 10))
    return school, other, await a_person(school)


def enrolling(school: School, person: Person):
    return lambda: database.unit(
        lambda: enrolments.enrol(
            school.cohort.public_id, person=person.public_id, actor=school.staff, now=NOW
        )
    )


async def test_one_person_enters_one_of_two_classes_that_meet_at_one_time(db: Settings) -> None:
    school, other, person = await two_classes()

    answers = await meet(
        db, "LOCK TABLE enrolment IN SHARE MODE", enrolling(school, person), enrolling(other, person)
    )

    assert kinds(answers) == ["Enrolment", "LessonsOverlap"]
    assert await Enrolment.all().count() == 1


async def test_a_lesson_is_not_planned_into_another_class_that_somebody_just_entered(db: Settings) -> None:
    school = await a_school()
    other = beside(school, await a_cohort(school.programme, actor=school.manager))
    await a_lesson(other, local(3, 10))
    trainee = await a_trainee(school)
    person = await Person.get(id=trainee.person_id)

    answers = await meet(
        db,
        "LOCK TABLE enrolment IN SHARE MODE",
        enrolling(other, person),
        lambda: a_lesson(school, local(3, 10)),
    )

    assert kinds(answers) == ["Enrolment", "LessonsOverlap"]


async def test_a_code_is_given_to_one_class(db: Settings) -> None:
    school = await a_school()
    wanted = NewCohort(
        code="2026-X", name="同号", starts_on=date(2026, 3, 2), ends_on=date(2026, 3, 3), capacity=9
    )

    answers = await meet(
        db,
        "LOCK TABLE cohort IN SHARE MODE",
        *[lambda: cohorts.create(wanted, programme=school.programme.public_id, actor=school.manager, now=NOW)]
        * 2,
    )

    assert kinds(answers) == ["Cohort", "CohortCodeTaken"]
    assert await Cohort.filter(code="2026-X").count() == 1


async def test_a_class_is_applied_for_once(db: Settings) -> None:
    school = await a_school(state=CohortState.DRAFT)

    answers = await meet(
        db,
        COHORT,
        *[
            lambda: database.unit(
                lambda: cohorts.apply(school.cohort.public_id, actor=school.manager, now=NOW)
            )
        ]
        * 2,
    )

    assert kinds(answers) == ["Cohort", "WrongState"]
    assert await OpeningApplication.all().count() == 1


async def test_two_new_bars_are_two_versions(db: Settings) -> None:
    school = await a_school()

    def change(least: str):
        return lambda: database.unit(
            lambda: programmes.change_bar(
                school.programme.public_id, bar=Bar(min_attendance=least), actor=school.manager, now=NOW
            )
        )

    answers = await meet(db, "SELECT 1 FROM programme FOR UPDATE", change("0.5"), change("0.6"))

    assert kinds(answers) == ["GraduationRule", "GraduationRule"]
    assert [each.version for each in await GraduationRule.all().order_by("version")] == [1, 2, 3]


async def test_what_two_clerks_note_of_one_lesson_at_once_is_one_line(db: Settings) -> None:
    school = await a_school()
    trainee, lesson = await a_trainee(school), await a_lesson(school, local(3, 9))

    def noting(status: Presence, reason: str = ""):
        marks = [Mark(enrolment=trainee.public_id, status=status, reason=reason)]
        return lambda: database.unit(
            lambda: attendance.mark(lesson.public_id, marks, actor=school.staff, now=local(3, 12))
        )

    answers = await meet(
        db, "SELECT 1 FROM lesson FOR UPDATE", noting(Presence.PRESENT), noting(Presence.LATE, "九点二十到")
    )

    rows = await Attendance.all().order_by("seq")
    assert kinds(answers) == ["int", "int"]
    assert [(each.seq, each.status) for each in rows] == [(1, Presence.PRESENT), (2, Presence.LATE)]


async def test_who_graduated_gets_one_certificate_however_often_it_is_pressed(db: Settings) -> None:
    school, _ = await an_ended_school()
    await graduation.confirm(school.cohort.public_id, actor=school.manager, now=LATER)

    answers = await meet(
        db,
        "LOCK TABLE certificate IN SHARE MODE",
        *[
            lambda: database.unit(
                lambda: certificates.issue(school.cohort.public_id, actor=school.manager, now=LATER)
            )
        ]
        * 2,
    )

    assert kinds(answers) == ["list", "list"]
    assert [each.number for each in await Certificate.all()] == [1]


PAST = {"attendance": "seq", "score": "attempt", "graduation_decision": "seq", "graduation_rule": "version"}


@pytest.mark.parametrize("table", PAST)
async def test_what_was_noted_is_not_written_over(db: Settings, table: str) -> None:
    school, _ = await an_ended_school()
    await graduation.confirm(school.cohort.public_id, actor=school.manager, now=LATER)

    for statement in (f"UPDATE {table} SET {PAST[table]} = 9", f"DELETE FROM {table}"):
        with pytest.raises(Exception, match=r"append-only|FOREIGN KEY|foreign key"):
            await database.execute(statement)

    for model in (Attendance, Score, GraduationDecision, GraduationRule):
        assert await model.all().count() > 0
