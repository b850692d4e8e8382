"""A programme, its class, and people with identity numbers that belong to nobody, for tests."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.models import Bureau, Role
from livehub.kit.sheets import writing
from rooms import training
from streamers import identity_numbers, people
from streamers.models import Person
from streamers.people import NewPerson
from streamers.training import attendance, cohorts, enrolments, programmes, scores
from streamers.training.attendance import Mark
from streamers.training.cohorts import NewCohort
from streamers.training.course_models import AssessmentKind, Lesson, LessonKind, Presence
from streamers.training.lessons import NewLesson
from streamers.training.models import Cohort, CohortState, Enrolment, EnrolmentState, Programme
from streamers.training.programmes import NewProgramme
from streamers.training.rules import Bar, Terms
from tests.factories.accounts import an_actor
from tests.factories.rooms import NOW, House, a_house, local

LATER = NOW + timedelta(days=30)
HEAD = ("姓名", "身份证号", "手机号", "乡镇")
_numbers = itertools.count(1)


class School(Struct, kw_only=True):
    """A class of the house's first bureau, and who does what in it."""

    house: House
    programme: Programme
    cohort: Cohort
    staff: Actor
    manager: Actor
    officer: Actor

    @property
    def bureau(self) -> Bureau:
        return self.house.bureaus[0]

    async def fresh(self) -> Cohort:
        return await Cohort.get(id=self.cohort.id)


async def a_school(
    *,
    house: House | None = None,
    capacity: int = 20,
    terms: Terms | None = None,
    bar: Bar | None = None,
    state: CohortState = CohortState.RUNNING,
) -> School:
    house = house or await a_house(approvals=0)
    manager = an_actor(Role.MANAGER, centre_id=house.centre.id)
    programme = await a_programme(house, terms=terms, bar=bar)
    return School(
        house=house,
        programme=programme,
        cohort=await a_cohort(programme, actor=manager, capacity=capacity, state=state),
        staff=an_actor(Role.STAFF, centre_id=house.centre.id),
        manager=manager,
        officer=house.officers[0],
    )


async def a_programme(
    house: House, *, terms: Terms | None = None, bar: Bar | None = None, bureau: int = 0
) -> Programme:
    wanted = NewProgramme(
        name="直播销售员培训", occupation="直播销售员", preset="plain", level=5, terms=terms, bar=bar
    )
    actor = an_actor(Role.MANAGER, centre_id=house.centre.id)
    return await programmes.create(wanted, bureau_id=house.bureaus[bureau].id, actor=actor, now=NOW)


async def a_cohort(
    programme: Programme, *, actor: Actor, capacity: int = 20, state: CohortState = CohortState.RUNNING
) -> Cohort:
    number = next(_numbers)
    wanted = NewCohort(
        code=f"2026-{number:02}",
        name=f"第 {number} 期",
        starts_on=date(2026, 3, 2),
        ends_on=date(2026, 3, 27),
        capacity=capacity,
        plan={"audience": "返乡青年", "goal": "会开播"},
    )
    made = await cohorts.create(wanted, programme=programme.public_id, actor=actor, now=NOW)
    await Cohort.filter(id=made.id).update(state=state)
    return await Cohort.get(id=made.id)


def an_identity(*, born: date = date(1995, 1, 1)) -> str:
    """A number of the area 990101, which is nowhere, with the right check letter."""
    seventeen = f"990101{born:%Y%m%d}{next(_numbers) % 1000:03}"
    return seventeen + identity_numbers.check_letter(seventeen)


async def a_person(school: School, *, name: str = "", identity: str | None = None, phone: str = "") -> Person:
    wanted = NewPerson(
        name=name or f"学员{next(_numbers)}", identity=identity or an_identity(), phone=phone, town="侨港镇"
    )
    return await people.register(wanted, centre_id=school.house.centre.id, actor=school.manager, now=NOW)


async def a_trainee(school: School, *, now: datetime = NOW, **more: str) -> Enrolment:
    person = await a_person(school, **more)
    return await database.unit(
        lambda: enrolments.enrol(
            school.cohort.public_id, person=person.public_id, actor=school.staff, now=now
        )
    )


async def a_lesson(school: School, starts_at: datetime | None = None, *, room: str = "", **changes) -> Lesson:
    usual = {"title": "选品与话术", "kind": LessonKind.THEORY, "minutes": 120, "tenths": 30}
    wanted = NewLesson(starts_at=starts_at or local(3, 9), **{**usual, **changes})
    return await database.unit(
        lambda: training.plan(wanted, cohort=school.cohort.public_id, room=room, actor=school.staff, now=NOW)
    )


def a_roster(*rows: tuple[str, ...], head: tuple[str, ...] = HEAD) -> bytes:
    """An .xlsx whose every cell is text."""
    return writing.workbook([head, *rows])


async def states(cohort: Cohort) -> dict[EnrolmentState, int]:
    found: dict[EnrolmentState, int] = {}
    for each in await Enrolment.filter(cohort_id=cohort.id):
        found[each.state] = found.get(each.state, 0) + 1
    return found


async def an_ended_school(*, trainees: int = 2, house: House | None = None) -> tuple[School, list[Enrolment]]:
    """A class in its examinations: everybody but the last was there and passed."""
    school = await a_school(bar=Bar(min_skill_tenths=0), house=house)
    people = [await a_trainee(school) for _ in range(trainees)]
    lesson = await a_lesson(school, local(3, 9), tenths=40, kind=LessonKind.PRACTICE)
    marks = [
        Mark(enrolment=each.public_id, status=Presence.PRESENT if each is not people[-1] else Presence.LATE)
        for each in people
    ]
    await attendance.mark(lesson.public_id, marks, actor=school.staff, now=local(3, 12))
    exam = await scores.plan(
        school.cohort.public_id, kind=AssessmentKind.THEORY, name="理论", held_on=local(20, 9).date(),
        actor=school.staff, now=NOW,
    )  # fmt: skip
    points = [scores.Mark(enrolment=each.public_id, tenths=800) for each in people]
    await scores.mark(exam.public_id, points, actor=school.staff, now=LATER)
    await cohorts.step(school.cohort.public_id, "examine", actor=school.staff, now=LATER)
    return school, people
