"""The lessons of a cohort: when, how many hours, of what kind; nobody sits in two classes at once unsaid."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, ids
from livehub.kit.errors import Detail, NotFound
from livehub.kit.states import WrongState
from streamers.models import Person
from streamers.training import cohorts, locks, moves
from streamers.training.course_models import Attendance, Lesson, LessonKind
from streamers.training.errors import LessonRefused, LessonsOverlap
from streamers.training.models import Cohort, Enrolment, EnrolmentState, Programme

LONGEST = timedelta(hours=14)
TOPICS = ("", "food_safety")
MOST_TENTHS = 200  # of hours of training that one lesson counts

_BUSY = (
    "SELECT DISTINCT v.person_id FROM v"
    " JOIN enrolment e ON e.person_id = v.person_id AND e.cohort_id <> v.cohort_id AND e.state = 'enrolled'"
    " JOIN lesson l ON l.cohort_id = e.cohort_id AND l.cancelled_at IS NULL"
    " AND l.starts_at < v.ends_at AND v.starts_at < l.ends_at"
)


class NewLesson(Struct, frozen=True, kw_only=True):
    """A lesson that is planned; the instructor by the person's public id."""

    title: str
    kind: LessonKind
    starts_at: datetime
    minutes: int
    tenths: int
    required: bool = True
    instructor: str = ""
    place: str = ""
    topic: str = ""
    overlap_reason: str = ""


@database.atomic
async def add(
    wanted: NewLesson, *, cohort: str, actor: Actor, now: datetime
) -> tuple[Lesson, Cohort, Programme]:
    """Plan a lesson; its room is booked by rooms/training.py, in the same transaction.

    LessonsOverlap without a reason where a trainee sits in another class at that time.
    """
    klass, owner = await cohorts.held(cohort, actor=actor, permission=Permission.TRAINING_MANAGE)
    if klass.state not in moves.TEACHES:
        raise WrongState(data={"state": str(klass.state)})
    instructor = await _instructor(wanted, klass)
    if details := _faults(wanted, klass, has_instructor=instructor is not None):
        raise LessonRefused(details=details)
    ends_at = wanted.starts_at + timedelta(minutes=wanted.minutes)
    busy = await _busy(klass, wanted.starts_at, ends_at)
    if busy and not wanted.overlap_reason.strip():
        detail = Detail("overlap_reason", f"{busy} 名学员这时在另一个培训班上课，请写明原因")
        raise LessonsOverlap(details=[detail], data={"people": busy})
    lesson = await Lesson.create(
        public_id=ids.public_id(),
        cohort_id=klass.id,
        title=wanted.title.strip(),
        kind=wanted.kind,
        starts_at=wanted.starts_at,
        ends_at=ends_at,
        tenths=wanted.tenths,
        required=wanted.required,
        instructor_id=instructor.id if instructor is not None else 0,
        place=wanted.place.strip(),
        topic=wanted.topic,
        overlap_reason=wanted.overlap_reason.strip()[:200] if busy else "",
    )
    await _audit("lesson.planned", lesson, owner, actor=actor, now=now)
    return lesson, klass, owner


@database.atomic
async def cancel(public_id: str, *, reason: str, actor: Actor, now: datetime) -> Lesson:
    """Call a lesson off that nobody was noted for; the caller gives its room back."""
    lesson, _, owner = await held(public_id, actor=actor, permission=Permission.TRAINING_MANAGE)
    if lesson.cancelled_at is not None or await Attendance.exists(lesson_id=lesson.id):
        raise WrongState
    if not 2 <= len(reason.strip()) <= 200:
        raise LessonRefused(details=[Detail("reason", "请写明原因", "2 到 200 个字")])
    lesson.cancelled_at, lesson.cancel_reason = now, reason.strip()
    await lesson.save(update_fields=["cancelled_at", "cancel_reason"])
    await _audit("lesson.cancelled", lesson, owner, actor=actor, now=now)
    return lesson


async def held(public_id: str, *, actor: Actor, permission: Permission) -> tuple[Lesson, Cohort, Programme]:
    """The lesson, locked; NotFound when the actor has none of that id."""
    seen = await Lesson.get_or_none(public_id=public_id).select_related("cohort__programme")
    if seen is None:
        raise NotFound
    owner = seen.cohort.programme
    require(actor, permission, bureau_id=owner.bureau_id, centre_id=owner.centre_id)
    await locks.hold("lesson", {seen.id})
    return await Lesson.get(id=seen.id), seen.cohort, owner


async def _busy(klass: Cohort, starts_at: datetime, ends_at: datetime) -> int:
    enrolled = await Enrolment.filter(cohort_id=klass.id, state=EnrolmentState.ENROLLED)
    people = {each.person_id for each in enrolled}
    await locks.hold("person", people)
    rows = await database.with_rows(
        {"person_id": "bigint", "cohort_id": "bigint", "starts_at": "bigint", "ends_at": "bigint"},
        [(each, klass.id, clock.to_ms(starts_at), clock.to_ms(ends_at)) for each in sorted(people)],
        _BUSY,
    )
    return len(rows)


async def _instructor(wanted: NewLesson, klass: Cohort) -> Person | None:
    if not wanted.instructor:
        return None
    return await Person.get_or_none(public_id=wanted.instructor, centre_id=klass.centre_id)


def _faults(wanted: NewLesson, klass: Cohort, *, has_instructor: bool) -> list[Detail]:
    found = []
    if not 0 < len(wanted.title.strip()) <= 60:
        found.append(Detail("title", "请填写课程名", "1 到 60 个字"))
    if not 0 < wanted.minutes <= LONGEST / timedelta(minutes=1):
        found.append(Detail("minutes", "时长不对", "1 到 840 分钟"))
    if not 0 < wanted.tenths <= MOST_TENTHS:
        found.append(Detail("tenths", "学时不对", f"0.1 到 {MOST_TENTHS / 10:g} 学时"))
    day = clock.local_day(wanted.starts_at)
    if not klass.starts_on <= day <= klass.ends_on:
        found.append(Detail("starts_at", "不在开班期间", f"{klass.starts_on} 至 {klass.ends_on}"))
    if wanted.instructor and not has_instructor:
        found.append(Detail("instructor", "没有这位教师"))
    if wanted.topic not in TOPICS:
        found.append(Detail("topic", "没有这个专题", "food_safety"))
    if len(wanted.place.strip()) > 60:
        found.append(Detail("place", "太长", "60 个字以内"))
    return found


async def _audit(action: str, lesson: Lesson, owner: Programme, *, actor: Actor, now: datetime) -> None:
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("lesson", lesson.public_id),
        bureau_id=owner.bureau_id,
        detail={"tenths": lesson.tenths, "reason": lesson.cancel_reason or lesson.overlap_reason},
    )
