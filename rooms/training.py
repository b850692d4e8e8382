"""A lesson's room and instructor: a booking of kind training, which claims as a broadcast's does."""

from __future__ import annotations

from datetime import datetime, timedelta

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from rooms import booking, moves
from rooms.models import Booking, BookingKind, BookingState
from rooms.wishes import Crew, Wish
from streamers.models import Person
from streamers.training import cohorts, lessons
from streamers.training.course_models import Attendance, Lesson
from streamers.training.lessons import NewLesson
from streamers.training.models import Cohort

_MINUTE = timedelta(minutes=1)
TITLE_LENGTH = 60


@database.atomic
async def plan(wanted: NewLesson, *, cohort: str, room: str = "", actor: Actor, now: datetime) -> Lesson:
    """Plan a lesson and take its room (public id) and instructor for it, wholly or not at all.

    SlotTaken carries who holds the room or the instructor then, and the nearest free times. Without a room
    nothing is claimed: a lesson in the field or online.
    """
    lesson, klass, owner = await lessons.add(wanted, cohort=cohort, actor=actor, now=now)
    if not room:
        return lesson
    wish = Wish(
        room=room,
        bureau_id=owner.bureau_id,
        title=f"{klass.name}·{lesson.title}"[:TITLE_LENGTH],
        starts_at=lesson.starts_at,
        minutes=int((lesson.ends_at - lesson.starts_at) / _MINUTE),
        kind=BookingKind.TRAINING,
        crew=(Crew(wanted.instructor, "instructor"),) if wanted.instructor else (),
    )
    booked = await booking.request(wish, actor=actor, now=now)
    lesson.booking_id = booked.id
    await lesson.save(update_fields=["booking_id"])
    return lesson


@database.atomic
async def cancel(lesson: str, *, reason: str, actor: Actor, now: datetime) -> Lesson:
    """Call a lesson off and give its room back."""
    called_off = await lessons.cancel(lesson, reason=reason, actor=actor, now=now)
    held = await Booking.get_or_none(id=called_off.booking_id)
    if held is not None and held.state in moves.HOLDING:
        await booking.cancel(held.public_id, reason=reason, actor=actor, now=now)
    return called_off


@database.atomic
async def call_off(
    cohort: str, *, reason: str, version: int | None = None, actor: Actor, now: datetime
) -> Cohort:
    """Cancel a class that has not begun, its lessons with it, and give their rooms back."""
    klass = await cohorts.cancel(cohort, reason=reason, version=version, actor=actor, now=now)
    for each in await Lesson.filter(cohort_id=klass.id, cancelled_at__isnull=True).order_by("id"):
        if not await Attendance.exists(lesson_id=each.id):
            await cancel(each.public_id, reason=reason, actor=actor, now=now)
    return klass


@database.atomic
async def begin(lesson: str, *, actor: Actor, now: datetime) -> None:
    """Somebody came: an approved booking of the lesson is checked in, and so ends as used."""
    found, _, owner = await lessons.held(lesson, actor=actor, permission=Permission.TRAINING_MANAGE)
    moved = await Booking.filter(id=found.booking_id, state=BookingState.APPROVED).first()
    if moved is None:
        return
    moved.state = BookingState.CHECKED_IN
    moved.version += 1
    await moved.save(update_fields=["state", "version"])
    about = ("booking", moved.public_id)
    await audit.write("booking.checked_in", actor=actor, now=now, about=about, bureau_id=owner.bureau_id)


async def places(found: list[Lesson]) -> dict[int, tuple[str, str]]:
    """(room's name, booking's state) by booking, of these lessons."""
    rows = await database.with_rows(
        {"id": "bigint"},
        [(each.booking_id,) for each in found if each.booking_id],
        "SELECT b.id, r.name, b.state FROM v JOIN booking b ON b.id = v.id JOIN room r ON r.id = b.room_id",
    )
    return {row["id"]: (row["name"], row["state"]) for row in rows}


async def instructors(found: list[Lesson]) -> dict[int, str]:
    """Names by person, of these lessons."""
    people = await Person.filter(id__in=[each.instructor_id for each in found if each.instructor_id])
    return {each.id: each.name for each in people}
