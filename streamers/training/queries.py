"""Reading training: lists for staff, a class as a whole, somebody's badge; never a number in clear."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.kit.paging import Page, window
from streamers.models import Person
from streamers.training import programmes, standing
from streamers.training.course_models import Assessment, Attendance, Certificate, Lesson, RosterImport
from streamers.training.models import (
    COUNTED,
    Cohort,
    CohortState,
    Enrolment,
    EnrolmentState,
    GraduationRule,
    OpeningApplication,
    Programme,
)
from streamers.training.rules import Bar, Terms
from streamers.training.standing import Standing


class ProgrammeView(Struct, frozen=True, kw_only=True):
    """A programme with its numbers and its newest bar."""

    row: Programme
    bureau: str
    terms: Terms
    bar: Bar
    version: int
    cohorts: int
    graduated: int


class CohortView(Struct, frozen=True, kw_only=True):
    """A cohort of a list."""

    row: Cohort
    programme: Programme
    waiting: int  # people in line


class Whole(Struct, frozen=True, kw_only=True):
    """One cohort with everything a page shows of it."""

    row: Cohort
    programme: Programme
    bureau: str
    terms: Terms
    bar: Bar
    rule_version: int
    people: list[Enrolment]  # with their persons, who has a place first
    lessons: list[Lesson]
    standings: dict[int, Standing]
    applications: list[OpeningApplication]
    assessments: list[Assessment]
    certificates: dict[int, Certificate]  # the newest of each enrolment
    imports: list[RosterImport]

    @property
    def planned_tenths(self) -> int:
        """Hours of training on the timetable."""
        return sum(each.tenths for each in self.lessons if each.required and each.cancelled_at is None)

    @property
    def class_rate(self) -> Fraction | None:
        """Attendance of the whole class."""
        return standing.class_rate(self.standings)


class Badge(Struct, frozen=True, kw_only=True):
    """What a trainee's phone shows of one class of hers."""

    cohort: str
    programme: str
    state: EnrolmentState
    cohort_state: CohortState
    attended: Fraction  # tenths of hours, exactly
    planned: int
    rate: Fraction | None
    next_lesson: Lesson | None
    serial: str
    verify_code: str


async def programmes_of(actor: Actor) -> list[ProgrammeView]:
    """The programmes an actor may see, newest first."""
    require(actor, Permission.TRAINING_READ)
    found = Programme.filter(centre_id=actor.centre_id).select_related("bureau").order_by("-id")
    scope = bureau_scope(actor, Permission.TRAINING_READ)
    if scope is not None:
        found = found.filter(bureau_id__in=scope)
    rows = await found
    return await _views(rows)


async def programme(public_id: str, *, actor: Actor) -> ProgrammeView:
    """One programme; NotFound when the actor has none of that id."""
    row = await programmes.held(public_id, actor=actor, permission=Permission.TRAINING_READ)
    await row.fetch_related("bureau")
    return (await _views([row]))[0]


async def cohorts_of(
    actor: Actor, *, state: str = "", programme: str = "", number: int = 1, size: int = 50
) -> Page[CohortView]:
    """Cohorts an actor may see, the latest first."""
    require(actor, Permission.TRAINING_READ)
    number, size, limit, offset = window(number=number, size=size)
    found = Cohort.filter(centre_id=actor.centre_id)
    scope = bureau_scope(actor, Permission.TRAINING_READ)
    if scope is not None:
        found = found.filter(programme__bureau_id__in=scope)
    if state:
        found = found.filter(state=state) if state in set(CohortState) else found.filter(id=0)
    if programme:
        found = found.filter(programme__public_id=programme)
    rows = await found.order_by("-starts_on", "-id").limit(limit).offset(offset).select_related("programme")
    line = await _in_line([each.id for each in rows])
    items = [CohortView(row=each, programme=each.programme, waiting=line.get(each.id, 0)) for each in rows]
    return Page(items, number, size, await found.count())


async def cohort(public_id: str, *, actor: Actor, now: datetime) -> Whole:
    """One cohort as a whole; NotFound when the actor has none of that id."""
    row = await Cohort.get_or_none(public_id=public_id).select_related("programme__bureau")
    if row is None:
        raise NotFound
    owner = row.programme
    require(actor, Permission.TRAINING_READ, bureau_id=owner.bureau_id, centre_id=row.centre_id)
    rule = await GraduationRule.get(id=row.rule_id)
    bar = programmes.bar_of(rule)
    people = await Enrolment.filter(cohort_id=row.id).select_related("person").order_by("id")
    people.sort(key=lambda each: (_ORDER.index(each.state), each.waitlist_pos, each.id))
    papers = await Certificate.filter(enrolment_id__in=[each.id for each in people]).order_by("id")
    return Whole(
        row=row,
        programme=owner,
        bureau=owner.bureau.name,
        terms=programmes.terms_of(owner),
        bar=bar,
        rule_version=rule.version,
        people=people,
        lessons=await Lesson.filter(cohort_id=row.id).order_by("starts_at", "id"),
        standings=await standing.of_cohort(row, people, bar=bar, now=now),
        applications=await OpeningApplication.filter(cohort_id=row.id).order_by("-id"),
        assessments=await Assessment.filter(cohort_id=row.id).order_by("id"),
        certificates={each.enrolment_id: each for each in papers},
        imports=await RosterImport.filter(cohort_id=row.id).order_by("-id").limit(10),
    )


async def lesson(public_id: str, *, actor: Actor) -> tuple[Lesson, Cohort, Programme]:
    """One lesson with its class; NotFound when the actor has none of that id."""
    row = await Lesson.get_or_none(public_id=public_id).select_related("cohort__programme")
    if row is None:
        raise NotFound
    owner = row.cohort.programme
    require(actor, Permission.TRAINING_READ, bureau_id=owner.bureau_id, centre_id=owner.centre_id)
    return row, row.cohort, owner


async def attendance(lessons: Collection[int]) -> dict[tuple[int, int], Attendance]:
    """What holds by (lesson, enrolment); of each line the newest."""
    rows = await Attendance.filter(lesson_id__in=list(lessons)).order_by("seq")
    return {(each.lesson_id, each.enrolment_id): each for each in rows}


async def scores(cohort_id: int) -> dict[tuple[int, int], dict[str, Any]]:
    """Marks by (assessment, enrolment): the last attempt's newest revision."""
    rows = await database.fetch(
        "SELECT s.assessment_id, s.enrolment_id, s.attempt, s.revision, s.tenths FROM score s"
        " JOIN assessment x ON x.id = s.assessment_id WHERE x.cohort_id = $1 ORDER BY s.attempt, s.revision",
        cohort_id,
    )
    return {(row["assessment_id"], row["enrolment_id"]): row for row in rows}


async def places_taken(people: Sequence[Enrolment]) -> list[Enrolment]:
    """Who has a place."""
    return [each for each in people if each.state in COUNTED]


async def badges(streamer_id: int, *, now: datetime) -> list[Badge]:
    """A streamer's classes as her phone shows them, the latest first."""
    person = await database.fetch_one("SELECT person_id FROM streamer WHERE id = $1", streamer_id)
    if person is None:
        return []
    rows = (
        await Enrolment.filter(person_id=person["person_id"])
        .exclude(state__in=[EnrolmentState.WITHDRAWN, EnrolmentState.DISMISSED])
        .select_related("cohort__programme", "cohort__rule")
        .order_by("-id")
        .limit(5)
    )
    return [await _badge(each, now=now) for each in rows if each.cohort.state is not CohortState.CANCELLED]


async def people_like(text: str, *, actor: Actor) -> list[Person]:
    """Persons of the centre by a part of their name, for choosing one."""
    require(actor, Permission.STREAMER_READ)
    return (
        await Person.filter(centre_id=actor.centre_id, name__icontains=text).order_by("name", "id").limit(50)
    )


async def person(public_id: str, *, actor: Actor) -> Person:
    """One person; NotFound when the actor's centre has none of that id."""
    row = await Person.get_or_none(public_id=public_id)
    if row is None:
        raise NotFound
    require(actor, Permission.STREAMER_READ, centre_id=row.centre_id)
    return row


_ORDER = (
    *(EnrolmentState.ENROLLED, EnrolmentState.GRADUATED, EnrolmentState.FAILED, EnrolmentState.WAITLISTED),
    *(EnrolmentState.APPLIED, EnrolmentState.WITHDRAWN, EnrolmentState.DISMISSED),
)


async def _badge(enrolment: Enrolment, *, now: datetime) -> Badge:
    klass: Cohort = enrolment.cohort
    bar = programmes.bar_of(klass.rule)
    stands = (await standing.of_cohort(klass, [enrolment], bar=bar, now=now)).get(enrolment.id)
    lessons = await Lesson.filter(cohort_id=klass.id, cancelled_at__isnull=True).order_by("starts_at", "id")
    paper = await Certificate.filter(enrolment_id=enrolment.id, state="issued").first()
    return Badge(
        cohort=klass.name,
        programme=klass.programme.name,
        state=enrolment.state,
        cohort_state=klass.state,
        attended=Fraction(stands.given.attended) if stands is not None else Fraction(0),
        planned=sum(each.tenths for each in lessons if each.required),
        rate=stands.rate if stands is not None else None,
        next_lesson=next((each for each in lessons if each.ends_at > now), None),
        serial=paper.serial if paper is not None else "",
        verify_code=paper.verify_code if paper is not None else "",
    )


async def _views(rows: Sequence[Programme]) -> list[ProgrammeView]:
    numbers = [each.id for each in rows]
    rules = {
        each.programme_id: each
        for each in await GraduationRule.filter(programme_id__in=numbers).order_by("version")
    }
    counted = await database.with_rows(
        {"id": "bigint"},
        [(each,) for each in numbers],
        "SELECT v.id, count(DISTINCT c.id) AS cohorts, count(e.id) AS graduated FROM v"
        " JOIN cohort c ON c.programme_id = v.id"
        " LEFT JOIN enrolment e ON e.cohort_id = c.id AND e.state = 'graduated' GROUP BY v.id",
    )
    counts = {row["id"]: row for row in counted}
    return [
        ProgrammeView(
            row=each,
            bureau=each.bureau.name,
            terms=programmes.terms_of(each),
            bar=programmes.bar_of(rules[each.id]),
            version=rules[each.id].version,
            cohorts=counts[each.id]["cohorts"] if each.id in counts else 0,
            graduated=counts[each.id]["graduated"] if each.id in counts else 0,
        )
        for each in rows
    ]


async def _in_line(cohort_ids: Sequence[int]) -> dict[int, int]:
    rows = await database.with_rows(
        {"id": "bigint"},
        [(each,) for each in cohort_ids],
        "SELECT v.id, count(*) AS waiting FROM v JOIN enrolment e ON e.cohort_id = v.id"
        " AND e.state = 'waitlisted' GROUP BY v.id",
    )
    return {row["id"]: row["waiting"] for row in rows}


def next_day(lessons: Sequence[Lesson], *, now: datetime) -> date | None:
    """The day of the next lesson."""
    coming = next((each for each in lessons if each.ends_at > now and each.cancelled_at is None), None)
    return clock.local_day(coming.starts_at) if coming is not None else None
