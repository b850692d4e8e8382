"""Places in a class: as many as there are, nobody twice, in two classes at once only with a reason."""

from __future__ import annotations

import pytest

from livehub import database
from livehub.accounts.models import AuditEntry
from livehub.kit import outbox, sealing
from livehub.notices.models import Notice
from livehub.notices.sending import BODY_PLACE
from livehub.settings import Settings
from streamers.models import Person, Streamer, StreamerStatus
from streamers.training import enrolments
from streamers.training.errors import AlreadyEnrolled, EnrolmentClosed, LessonsOverlap
from streamers.training.models import Cohort, CohortState, Enrolment, EnrolmentState
from tests.contention import kinds, meet
from tests.factories.rooms import NOW, local
from tests.factories.training import School, a_cohort, a_lesson, a_person, a_school, a_trainee, states

COHORT = "SELECT 1 FROM cohort FOR UPDATE"


async def enrol(school: School, person: Person, **more: str) -> Enrolment:
    return await database.unit(
        lambda: enrolments.enrol(
            school.cohort.public_id, person=person.public_id, actor=school.staff, now=NOW, **more
        )
    )


async def test_as_many_are_enrolled_at_once_as_there_are_places(db: Settings) -> None:
    school = await a_school(capacity=3)
    people = [await a_person(school) for _ in range(8)]

    answers = await meet(db, COHORT, *[lambda each=each: enrol(school, each) for each in people])

    assert kinds(answers) == ["Enrolment"] * 8
    assert await states(school.cohort) == {EnrolmentState.ENROLLED: 3, EnrolmentState.WAITLISTED: 5}
    assert (await school.fresh()).taken == 3
    line = await Enrolment.filter(state=EnrolmentState.WAITLISTED).order_by("waitlist_pos")
    assert [each.waitlist_pos for each in line] == [1, 2, 3, 4, 5]


async def test_one_person_gets_one_place_however_often_she_asks_at_once(db: Settings) -> None:
    school = await a_school()
    person = await a_person(school)

    answers = await meet(db, COHORT, *[lambda: enrol(school, person)] * 3)

    assert kinds(answers) == ["AlreadyEnrolled", "AlreadyEnrolled", "Enrolment"]
    assert (await school.fresh()).taken == 1
    assert [each.status for each in await Streamer.filter(person_id=person.id)] == [StreamerStatus.TRAINEE]


async def test_whoever_is_first_in_line_gets_the_place_that_is_left(db: Settings) -> None:
    school = await a_school(capacity=1)
    first, second, third = [await a_trainee(school) for _ in range(3)]

    left = await database.unit(
        lambda: enrolments.leave(
            first.public_id, into=EnrolmentState.WITHDRAWN, reason="搬家", actor=school.staff, now=NOW
        )
    )

    found = {each.id: each for each in await Enrolment.all()}
    assert (left.state, found[second.id].state, found[third.id].state) == (
        "withdrawn",
        "enrolled",
        "waitlisted",
    )
    await outbox.hand_out(now=NOW)
    told = await Notice.get(kind="training.place")
    body = sealing.ring().open_text(bytes(told.body_sealed), place=BODY_PLACE)
    assert body.endswith(f"您在“{school.cohort.name}”的候补已转为正式学员。03月02日 开班。")
    assert (await school.fresh()).taken == 1
    again = await enrol(school, await Person.get(id=first.person_id))
    assert (again.state, again.waitlist_pos) == ("waitlisted", 3)
    await Cohort.filter(id=school.cohort.id).update(state=CohortState.EXAMINING)
    with pytest.raises(EnrolmentClosed):
        await enrol(school, await a_person(school))


async def test_two_classes_at_one_time_need_a_reason(db: Settings) -> None:
    school = await a_school()
    other = School(
        **{
            **{name: getattr(school, name) for name in School.__struct_fields__},
            "cohort": await a_cohort(school.programme, actor=school.manager),
        }
    )
    await a_lesson(school, local(3, 9))
    await a_lesson(other, local(3, 10))
    person = await a_person(school)
    await enrol(school, person)

    with pytest.raises(LessonsOverlap):
        await enrol(other, person)
    made = await enrol(other, person, overlap_reason="前半节已学过")
    with pytest.raises(LessonsOverlap):
        await a_lesson(school, local(3, 11))
    moved = await a_lesson(school, local(3, 12))

    assert (made.overlap_reason, moved.overlap_reason) == ("前半节已学过", "")
    entry = await AuditEntry.filter(action="enrolment.created", object_id=made.public_id).first()
    assert entry is not None
    assert "前半节已学过" in str(entry.detail)
    with pytest.raises(AlreadyEnrolled):
        await enrol(other, person, overlap_reason="再来一次")
