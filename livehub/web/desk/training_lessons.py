"""/desk/training/…/lessons 课表与考勤: planned with their rooms, checked in by screen or by hand, printed."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.web import doors, reading
from livehub.web.desk.frame import Reason, back, frame
from livehub.web.reading import Form, LocalTime
from livehub.web.rendering import page
from rooms import queries as rooms
from rooms import training
from streamers import queries as streamers
from streamers.models import Streamer
from streamers.training import attendance, check_in, lessons, queries
from streamers.training.attendance import Mark
from streamers.training.course_models import LessonKind, Presence
from streamers.training.errors import NotCheckInTime
from streamers.training.models import COUNTED

bp = Blueprint("desk_training_lessons", url_prefix="/desk/training")

PATH = "/desk/training"
REFRESH_SECONDS = 5  # of the screen: the code and who has come


class Planned(Struct):
    """A lesson to be."""

    title: Annotated[str, Meta(min_length=1, max_length=60)]
    kind: Annotated[LessonKind, Meta(extra={"expected": "选择类型"})]
    starts_at: LocalTime
    minutes: Annotated[int, Meta(ge=1, le=840)]
    hours: Annotated[str, Meta(pattern=r"^[0-9]{1,2}(\.[0-9])?$", extra={"expected": "学时，如 4 或 4.5"})]
    room: Annotated[str, Meta(max_length=16)] = ""
    instructor: Annotated[str, Meta(max_length=16)] = ""
    place: Annotated[str, Meta(max_length=60)] = ""
    topic: Annotated[str, Meta(max_length=16)] = ""
    optional: Annotated[str, Meta(max_length=3)] = ""
    overlap_reason: Annotated[str, Meta(max_length=200)] = ""


class Marked(Struct):
    """One lesson's presence: a field for each enrolment besides, and why where something changes."""

    reason: Annotated[str, Meta(max_length=200)] = ""
    rest: Annotated[str, Meta(max_length=10)] = ""  # what everybody else is noted as; '': nothing


@bp.get("/<cohort_id:str>/lessons")
@doors.signed_in(Permission.TRAINING_READ)
async def show(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """The timetable, and everybody's presence in it."""
    return await _timetable(request, actor, cohort_id, form=reading.blank(minutes="180", hours="4"))


@bp.post("/<cohort_id:str>/lessons")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def plan(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """Plan a lesson, with its room and instructor."""
    try:
        given = reading.form(request, Planned)
        whole, _, part = given.hours.partition(".")
        wanted = lessons.NewLesson(
            title=given.title,
            kind=given.kind,
            starts_at=given.starts_at,
            minutes=given.minutes,
            tenths=int(whole) * 10 + int(part or 0),
            required=not given.optional,
            instructor=given.instructor,
            place=given.place,
            topic=given.topic,
            overlap_reason=given.overlap_reason,
        )
        await database.unit(
            lambda: training.plan(wanted, cohort=cohort_id, room=given.room, actor=actor, now=clock.now())
        )
    except NotFound:
        raise
    except LivehubError as error:
        refused = reading.refused(request, doors.shown(request, error))
        return await _timetable(request, actor, cohort_id, form=refused, refusal=error)
    return back(f"{PATH}/{cohort_id}/lessons", done="lesson-planned")


@bp.get("/lessons/<lesson_id:str>")
@doors.signed_in(Permission.TRAINING_READ)
async def show_lesson(request: Request, actor: Actor, lesson_id: str) -> HTTPResponse:
    """One lesson: who was there."""
    return await _lesson(request, actor, lesson_id)


@bp.post("/lessons/<lesson_id:str>/attendance")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def note(request: Request, actor: Actor, lesson_id: str) -> HTTPResponse:
    """Note or correct everybody's presence at once."""
    lesson, klass, _ = await queries.lesson(lesson_id, actor=actor)
    try:
        given = reading.form(request, Marked)
        said = {
            name.removeprefix("p-"): text
            for name, text in reading.typed(request).items()
            if name.startswith("p-") and text in set(Presence)
        }
        if given.rest in set(Presence):
            whole = await queries.cohort(klass.public_id, actor=actor, now=clock.now())
            came = await queries.attendance([lesson.id])
            for each in whole.people:
                if each.state in COUNTED and (lesson.id, each.id) not in came:
                    said.setdefault(each.public_id, given.rest)
        marks = [
            Mark(enrolment=who, status=Presence(text), reason=given.reason) for who, text in said.items()
        ]

        async def work() -> None:
            await attendance.mark(lesson_id, marks, actor=actor, now=clock.now())
            await training.begin(lesson_id, actor=actor, now=clock.now())

        await database.unit(work)
    except LivehubError as error:
        return await _lesson(request, actor, lesson_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{klass.public_id}/lessons", done="attendance-noted")


@bp.post("/lessons/<lesson_id:str>/cancel")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def cancel(request: Request, actor: Actor, lesson_id: str) -> HTTPResponse:
    """Call a lesson off and give its room back."""
    _, klass, _ = await queries.lesson(lesson_id, actor=actor)
    try:
        given = reading.form(request, Reason)
        await database.unit(
            lambda: training.cancel(lesson_id, reason=given.reason, actor=actor, now=clock.now())
        )
    except LivehubError as error:
        return await _lesson(request, actor, lesson_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{klass.public_id}/lessons", done="lesson-cancelled")


@bp.get("/lessons/<lesson_id:str>/screen")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def screen(request: Request, actor: Actor, lesson_id: str) -> HTTPResponse:
    """The room's screen: a code to scan that changes, and who has come."""
    lesson, klass, _ = await queries.lesson(lesson_id, actor=actor)
    now = clock.now()
    try:
        shown = await check_in.show(lesson_id, actor=actor, now=now)
        url = f"{request.app.ctx.settings.url}/s/checkin/{shown.lesson}/{shown.code}"
    except NotCheckInTime:
        url = ""
    whole = await queries.cohort(klass.public_id, actor=actor, now=now)
    came = await queries.attendance([lesson.id])
    answer = page(
        "desk/training_screen.html",
        lesson=lesson,
        cohort=klass,
        url=url,
        came=[each.person.name for each in whole.people if (lesson.id, each.id) in came],
        expected=sum(1 for each in whole.people if each.state in COUNTED),
        opens_at=lesson.starts_at - check_in.EARLIEST,
    )
    answer.headers["Refresh"] = str(REFRESH_SECONDS)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.get("/lessons/<lesson_id:str>/sheet")
@doors.signed_in(Permission.TRAINING_READ)
async def sheet(request: Request, actor: Actor, lesson_id: str) -> HTTPResponse:
    """签到表 of one lesson, for print."""
    lesson, klass, owner = await queries.lesson(lesson_id, actor=actor)
    whole = await queries.cohort(klass.public_id, actor=actor, now=clock.now())
    return page(
        "desk/training_sheet.html",
        shell=await frame(request, actor, "training"),
        lesson=lesson,
        whole=whole,
        owner=owner,
        people=[each for each in whole.people if each.state in COUNTED],
        came=await queries.attendance([lesson.id]),
        rooms=await training.places([lesson]),
        instructors=await training.instructors([lesson]),
    )


async def _timetable(
    request: Request, actor: Actor, cohort_id: str, *, form: Form, refusal: LivehubError | None = None
) -> HTTPResponse:
    now = clock.now()
    whole = await queries.cohort(cohort_id, actor=actor, now=now)
    data = refusal.data if refusal is not None else {}
    return page(
        "desk/training_lessons.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "training"),
        whole=whole,
        now=now,
        form=form,
        conflicts=data.get("conflicts", []),
        suggestions=data.get("suggestions", []),
        people=[each for each in whole.people if each.state in COUNTED],
        came=await queries.attendance([each.id for each in whole.lessons]),
        rooms=await training.places(whole.lessons),
        instructors=await training.instructors(whole.lessons),
        room_choices=[(each.public_id, each.name) for each in await rooms.rooms_of(actor.centre_id)],
        teachers=await _teachers(actor),
        may_manage=may(actor, Permission.TRAINING_MANAGE),
    )


async def _teachers(actor: Actor) -> list[tuple[str, str]]:
    """Who may teach: streamers who are past training, by their person."""
    found = await streamers.streamers(actor.centre_id)
    able = [each.id for each in found if each.status != "trainee"]
    rows = await Streamer.filter(id__in=able).select_related("person").order_by("stage_name", "id")
    return [(each.person.public_id, f"{each.person.name}（{each.stage_name}）") for each in rows]


async def _lesson(
    request: Request, actor: Actor, lesson_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    lesson, klass, owner = await queries.lesson(lesson_id, actor=actor)
    whole = await queries.cohort(klass.public_id, actor=actor, now=clock.now())
    typed = reading.typed(request) if refusal is not None else {}
    return page(
        "desk/training_lesson.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "training", refusal=refusal),
        lesson=lesson,
        whole=whole,
        owner=owner,
        people=[each for each in whole.people if each.state in COUNTED],
        came=await queries.attendance([lesson.id]),
        rooms=await training.places([lesson]),
        instructors=await training.instructors([lesson]),
        presences=list(Presence),
        typed=typed,
        refusal=refusal,
        begun=lesson.starts_at <= clock.now(),
        may_manage=may(actor, Permission.TRAINING_MANAGE),
    )
