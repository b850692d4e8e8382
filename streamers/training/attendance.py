"""Who was in a lesson: noted once, corrected with a reason, and what was noted before stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit.errors import Detail
from livehub.kit.states import WrongState
from streamers.training import lessons
from streamers.training.course_models import Attendance, Lesson, Method, Presence
from streamers.training.errors import AttendanceRefused
from streamers.training.models import COUNTED, Enrolment

REASON_LENGTH = 200


class Mark(Struct, frozen=True, kw_only=True):
    """What is said of one enrolment (public id)."""

    enrolment: str
    status: Presence
    reason: str = ""


@database.atomic
async def mark(
    lesson: str, marks: Sequence[Mark], *, method: Method = Method.MANUAL, actor: Actor, now: datetime
) -> int:
    """Note many at once; returns how many changed. What is known already is left, a change needs a reason."""
    held, cohort, owner = await lessons.held(lesson, actor=actor, permission=Permission.TRAINING_MANAGE)
    if held.cancelled_at is not None or now < held.starts_at:
        raise WrongState(data={"starts_at": held.starts_at})
    rows = await Enrolment.filter(cohort_id=held.cohort_id, public_id__in=[each.enrolment for each in marks])
    known = {each.public_id: each for each in rows}
    before = await current(held.id)
    details = _faults(marks, known, before)
    if details:
        raise AttendanceRefused(details=details)
    changed = 0
    for each in marks:
        enrolment = known[each.enrolment]
        was = before.get(enrolment.id)
        if was is not None and was.status is each.status:
            continue
        seq = was.seq + 1 if was is not None else 1
        await note(
            held, enrolment, each.status, method=method, seq=seq, reason=each.reason, actor=actor, now=now
        )
        changed += 1
    if changed:
        about, detail = ("lesson", held.public_id), {"changed": changed, "cohort": cohort.public_id}
        await audit.write(
            "attendance.noted", actor=actor, now=now, about=about, bureau_id=owner.bureau_id, detail=detail
        )
    return changed


async def current(lesson_id: int) -> dict[int, Attendance]:
    """What holds of each enrolment in a lesson."""
    rows = await Attendance.filter(lesson_id=lesson_id).order_by("seq")
    return {each.enrolment_id: each for each in rows}


async def note(
    lesson: Lesson,
    enrolment: Enrolment,
    status: Presence,
    *,
    method: Method,
    seq: int,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    """One line, under the lesson's lock; the unique columns refuse a second of the same ``seq``."""
    await Attendance.create(
        lesson_id=lesson.id,
        enrolment_id=enrolment.id,
        seq=seq,
        status=status,
        method=method,
        at=now,
        by_name=actor.name,
        reason=reason.strip(),
    )


def _faults(
    marks: Sequence[Mark], known: dict[str, Enrolment], before: dict[int, Attendance]
) -> list[Detail]:
    found: list[Detail] = []
    if len({each.enrolment for each in marks}) != len(marks):
        found.append(Detail("marks", "同一学员写了两次"))
    for number, each in enumerate(marks):
        field, enrolment = f"marks[{number}]", known.get(each.enrolment)
        if enrolment is None or enrolment.state not in COUNTED:
            found.append(Detail(f"{field}.enrolment", "不在这个班的名册里"))
            continue
        was = before.get(enrolment.id)
        if was is not None and was.status is not each.status and len(each.reason.strip()) < 2:
            found.append(Detail(f"{field}.reason", "更正考勤要写明原因", f"2 到 {REASON_LENGTH} 个字"))
        if len(each.reason.strip()) > REASON_LENGTH:
            found.append(Detail(f"{field}.reason", "太长", f"{REASON_LENGTH} 个字以内"))
    return found
