"""签到: the code on a lesson's screen changes every few seconds, and the trainee's own phone tells it."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, sealing, signing
from livehub.kit.errors import NotFound
from streamers.models import Streamer
from streamers.training import attendance, locks
from streamers.training.course_models import Lesson, Method, Presence
from streamers.training.errors import CheckInRefused, NotCheckInTime
from streamers.training.models import Enrolment, EnrolmentState

STEP_SECONDS = 15  # so long a code is shown; it is taken for one step more
EARLIEST = timedelta(minutes=30)  # before the lesson begins
GRACE = timedelta(minutes=10)  # later is late
CODE_BYTES = 9


class Shown(Struct, frozen=True, kw_only=True):
    """What the screen shows, and until when."""

    lesson: str
    code: str
    until: datetime


class CheckedIn(Struct, frozen=True, kw_only=True):
    """What the phone is told."""

    title: str
    status: Presence
    at: datetime


async def show(public_id: str, *, actor: Actor, now: datetime) -> Shown:
    """The code of this moment, for the lesson's screen."""
    lesson = await Lesson.get_or_none(public_id=public_id).select_related("cohort__programme")
    if lesson is None:
        raise NotFound
    owner = lesson.cohort.programme
    require(actor, Permission.TRAINING_MANAGE, bureau_id=owner.bureau_id, centre_id=owner.centre_id)
    _require_time(lesson, now)
    slot = _slot(now)
    until = clock.from_ms((slot + 1) * STEP_SECONDS * 1000)
    return Shown(lesson=lesson.public_id, code=code_of(lesson.public_id, slot), until=until)


@database.atomic
async def check_in(public_id: str, *, code: str, actor: Actor, now: datetime) -> CheckedIn:
    """A trainee is there. Told again it changes nothing; a code is good for half a minute at most."""
    lesson = await Lesson.get_or_none(public_id=public_id)
    if lesson is None or actor.kind != "streamer":
        raise CheckInRefused
    slot = _slot(now)
    if not any(signing.matches(code_of(lesson.public_id, each), code) for each in (slot, slot - 1)):
        raise CheckInRefused
    _require_time(lesson, now)
    streamer = await Streamer.get(id=actor.id)
    enrolment = await Enrolment.get_or_none(
        cohort_id=lesson.cohort_id, person_id=streamer.person_id, state=EnrolmentState.ENROLLED
    )
    if enrolment is None:
        raise CheckInRefused("您不在这个培训班的名册里，请联系班主任。")
    await locks.hold("lesson", {lesson.id})
    before = (await attendance.current(lesson.id)).get(enrolment.id)
    if before is not None:
        return CheckedIn(title=lesson.title, status=before.status, at=before.at)
    status = Presence.PRESENT if now <= lesson.starts_at + GRACE else Presence.LATE
    await attendance.note(lesson, enrolment, status, method=Method.QR, seq=1, reason="", actor=actor, now=now)
    return CheckedIn(title=lesson.title, status=status, at=now)


def code_of(lesson: str, slot: int) -> str:
    """The code of a lesson (public id) in one step of time."""
    return signing.mac(sealing.ring().secret("lesson.check_in"), lesson, str(slot), nbytes=CODE_BYTES)


def _slot(now: datetime) -> int:
    return clock.to_ms(now) // (STEP_SECONDS * 1000)


def _require_time(lesson: Lesson, now: datetime) -> None:
    if lesson.cancelled_at is not None or not lesson.starts_at - EARLIEST <= now <= lesson.ends_at:
        raise NotCheckInTime
