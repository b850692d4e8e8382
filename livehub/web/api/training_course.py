"""课时、考勤、考核和实训直播。"""

from __future__ import annotations

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import Conflict
from livehub.kit.states import WrongState
from livehub.web.api import training_course_shapes as shapes
from livehub.web.api.calls import as_utc
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Nothing
from livehub.web.api.training_course_shapes import (
    AssessmentSeen,
    Attendances,
    Changed,
    Code,
    LessonSeen,
    NewAssessment,
    NewLesson,
    Noted,
    Practice,
    Scores,
    Verified,
)
from livehub.web.api.training_shapes import Because
from rooms import queries as rooms
from rooms import training
from rooms.errors import OutsideRules, RoomNotActive, SlotTaken
from streamers.training import attendance, check_in, lessons, queries, scores
from streamers.training.errors import (
    AttendanceRefused,
    LessonRefused,
    LessonsOverlap,
    NotCheckInTime,
    ScoreRefused,
)

calls = Section("课时与考核")


@calls.get(
    "/cohorts/{cohort_id}/lessons",
    summary="一个班的课表",
    needs=(Permission.TRAINING_READ,),
    query=Nothing,
    answer=All[LessonSeen],
)
async def timetable(asked: Asked[Nothing, None], cohort_id: str) -> All[LessonSeen]:
    """The lessons of a class."""
    whole = await queries.cohort(cohort_id, actor=asked.actor, now=asked.now)
    return All(items=[shapes.lesson(each) for each in whole.lessons])


@calls.post(
    "/cohorts/{cohort_id}/lessons",
    summary="排一节课，同时占用直播间和教师",
    needs=(Permission.TRAINING_MANAGE,),
    body=NewLesson,
    answer=LessonSeen,
    status=201,
    refusals=(LessonRefused, LessonsOverlap, WrongState, SlotTaken, OutsideRules, RoomNotActive),
)
async def plan(asked: Asked[None, NewLesson], cohort_id: str) -> LessonSeen:
    """Plan a lesson."""
    body = asked.body
    wanted = lessons.NewLesson(
        title=body.title,
        kind=body.kind,
        starts_at=as_utc(body.starts_at),
        minutes=body.minutes,
        tenths=body.tenths,
        required=body.required,
        instructor=body.instructor,
        place=body.place,
        topic=body.topic,
        overlap_reason=body.overlap_reason,
    )
    made = await database.unit(
        lambda: training.plan(wanted, cohort=cohort_id, room=body.room, actor=asked.actor, now=asked.now)
    )
    return shapes.lesson(made)


@calls.post(
    "/lessons/{lesson_id}/cancel",
    summary="取消一节还没有考勤的课，直播间让给别人",
    needs=(Permission.TRAINING_MANAGE,),
    body=Because,
    answer=LessonSeen,
    refusals=(WrongState, LessonRefused),
)
async def cancel(asked: Asked[None, Because], lesson_id: str) -> LessonSeen:
    """Call a lesson off."""
    made = await database.unit(
        lambda: training.cancel(lesson_id, reason=asked.body.reason, actor=asked.actor, now=asked.now)
    )
    return shapes.lesson(made)


@calls.get(
    "/lessons/{lesson_id}/checkin",
    summary="此刻的签到码",
    needs=(Permission.TRAINING_MANAGE,),
    query=Nothing,
    answer=Code,
    refusals=(NotCheckInTime,),
)
async def code(asked: Asked[Nothing, None], lesson_id: str) -> Code:
    """The code of this moment."""
    shown = await check_in.show(lesson_id, actor=asked.actor, now=asked.now)
    return Code(lesson=shown.lesson, code=shown.code, until=shown.until)


@calls.get(
    "/lessons/{lesson_id}/attendance",
    summary="一节课的考勤",
    needs=(Permission.TRAINING_READ,),
    query=Nothing,
    answer=All[Noted],
)
async def attended(asked: Asked[Nothing, None], lesson_id: str) -> All[Noted]:
    """Who was there."""
    lesson, klass, _ = await queries.lesson(lesson_id, actor=asked.actor)
    whole = await queries.cohort(klass.public_id, actor=asked.actor, now=asked.now)
    names = {each.id: each.public_id for each in whole.people}
    held = await queries.attendance([lesson.id])
    return All(
        items=[
            Noted(enrolment=names[each.enrolment_id], status=each.status, reason=each.reason)
            for each in held.values()
        ]
    )


@calls.post(
    "/lessons/{lesson_id}/attendance",
    summary="批量登记或更正考勤",
    needs=(Permission.TRAINING_MANAGE,),
    body=Attendances,
    answer=Changed,
    refusals=(AttendanceRefused, WrongState),
)
async def note(asked: Asked[None, Attendances], lesson_id: str) -> Changed:
    """Note who was there."""
    marks = [
        attendance.Mark(enrolment=each.enrolment, status=each.status, reason=each.reason)
        for each in asked.body.marks
    ]

    async def work() -> int:
        changed = await attendance.mark(lesson_id, marks, actor=asked.actor, now=asked.now)
        await training.begin(lesson_id, actor=asked.actor, now=asked.now)
        return changed

    return Changed(changed=await database.unit(work))


@calls.post(
    "/cohorts/{cohort_id}/assessments",
    summary="安排一次考核",
    needs=(Permission.TRAINING_MANAGE,),
    body=NewAssessment,
    answer=AssessmentSeen,
    status=201,
    refusals=(ScoreRefused, WrongState),
)
async def assess(asked: Asked[None, NewAssessment], cohort_id: str) -> AssessmentSeen:
    """An examination."""
    body = asked.body
    made = await database.unit(
        lambda: scores.plan(
            cohort_id, kind=body.kind, name=body.name, held_on=body.held_on, actor=asked.actor, now=asked.now
        )
    )
    return AssessmentSeen(id=made.public_id, kind=made.kind, name=made.name, held_on=made.held_on)


@calls.post(
    "/assessments/{assessment_id}/scores",
    summary="批量录入或更正成绩",
    needs=(Permission.TRAINING_MANAGE,),
    body=Scores,
    answer=Changed,
    refusals=(ScoreRefused, WrongState),
)
async def score(asked: Asked[None, Scores], assessment_id: str) -> Changed:
    """Enter marks."""
    marks = [
        scores.Mark(
            enrolment=each.enrolment,
            tenths=each.tenths,
            attempt=each.attempt,
            examiner=each.examiner,
            reason=each.reason,
        )
        for each in asked.body.marks
    ]
    changed = await database.unit(lambda: scores.mark(assessment_id, marks, actor=asked.actor, now=asked.now))
    return Changed(changed=changed)


@calls.post(
    "/enrolments/{enrolment_id}/practice",
    summary="登记一场实训直播",
    needs=(Permission.TRAINING_MANAGE,),
    body=Practice,
    answer=Verified,
    status=201,
    refusals=(ScoreRefused, WrongState, Conflict),
)
async def practise(asked: Asked[None, Practice], enrolment_id: str) -> Verified:
    """A practice stream, verified against its broadcast."""
    body = asked.body
    show = await rooms.broadcast(body.broadcast, actor=asked.actor)
    minutes = 0
    if show.started_at is not None and show.ended_at is not None:
        minutes = int((show.ended_at - show.started_at).total_seconds()) // 60
    told = scores.Streamed(
        broadcast_id=show.id,
        broadcast=show.public_id,
        on_day=clock.local_day(show.planned_start_at),
        minutes=minutes,
        mentor=body.mentor,
        tenths=body.tenths,
    )
    await database.unit(lambda: scores.streamed(enrolment_id, told, actor=asked.actor, now=asked.now))
    return Verified(broadcast=show.public_id, minutes=minutes)
