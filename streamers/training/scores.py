"""Examinations, their marks attempt by attempt, and practice streams with the minutes that were verified."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import ids
from livehub.kit.errors import Conflict, Detail, NotFound
from livehub.kit.states import WrongState
from streamers.training import cohorts, enrolments, moves
from streamers.training.course_models import Assessment, AssessmentKind, PracticeStream, Score
from streamers.training.errors import ScoreRefused
from streamers.training.models import COUNTED, Cohort, Enrolment

ATTEMPTS = 5


class Mark(Struct, frozen=True, kw_only=True):
    """One mark of one enrolment (public id); tenths of a point."""

    enrolment: str
    tenths: int
    attempt: int = 1
    examiner: str = ""
    reason: str = ""


class Streamed(Struct, frozen=True, kw_only=True):
    """A practice stream of somebody, verified against its broadcast by the caller."""

    broadcast_id: int
    broadcast: str  # public id
    on_day: date
    minutes: int
    mentor: str = ""
    tenths: int | None = None


@database.atomic
async def plan(
    cohort: str, *, kind: AssessmentKind, name: str, held_on: date, actor: Actor, now: datetime
) -> Assessment:
    """An examination of a class."""
    klass, owner = await cohorts.held(cohort, actor=actor, permission=Permission.TRAINING_MANAGE)
    _require_examining(klass)
    if not 0 < len(name.strip()) <= 60:
        raise ScoreRefused(details=[Detail("name", "请填写考核名称", "1 到 60 个字")])
    made = await Assessment.create(
        public_id=ids.public_id(),
        cohort_id=klass.id,
        kind=kind,
        name=name.strip(),
        held_on=held_on,
        created_at=now,
    )
    about = ("assessment", made.public_id)
    await audit.write("assessment.planned", actor=actor, now=now, about=about, bureau_id=owner.bureau_id)
    return made


@database.atomic
async def mark(assessment: str, marks: Sequence[Mark], *, actor: Actor, now: datetime) -> int:
    """Enter marks; returns how many changed. A mark that is there already is corrected with a reason."""
    seen = await Assessment.get_or_none(public_id=assessment).select_related("cohort")
    if seen is None:
        raise NotFound
    klass, owner = await cohorts.held(
        seen.cohort.public_id, actor=actor, permission=Permission.TRAINING_MANAGE
    )
    _require_examining(klass)
    rows = await Enrolment.filter(cohort_id=klass.id, public_id__in=[each.enrolment for each in marks])
    known = {each.public_id: each for each in rows if each.state in COUNTED}
    before = {
        (each.enrolment_id, each.attempt): each
        for each in await Score.filter(assessment_id=seen.id).order_by("revision")
    }
    if details := _faults(marks, seen, known, before):
        raise ScoreRefused(details=details)
    changed = 0
    for each in marks:
        enrolment = known[each.enrolment]
        was = before.get((enrolment.id, each.attempt))
        if was is not None and was.tenths == each.tenths:
            continue
        await Score.create(
            assessment_id=seen.id,
            enrolment_id=enrolment.id,
            attempt=each.attempt,
            revision=was.revision + 1 if was is not None else 1,
            tenths=each.tenths,
            examiner=each.examiner.strip(),
            reason=each.reason.strip(),
            at=now,
            by_name=actor.name,
        )
        changed += 1
    if changed:
        about, detail = ("assessment", seen.public_id), {"changed": changed}
        await audit.write(
            "scores.entered", actor=actor, now=now, about=about, bureau_id=owner.bureau_id, detail=detail
        )
    return changed


@database.atomic
async def streamed(enrolment: str, told: Streamed, *, actor: Actor, now: datetime) -> PracticeStream:
    """Note a practice stream; each broadcast counts once for somebody."""
    who, klass, owner = await enrolments.held(enrolment, actor=actor, permission=Permission.TRAINING_MANAGE)
    _require_examining(klass)
    if told.minutes <= 0:
        raise ScoreRefused(details=[Detail("broadcast", "这一场没有播出过", "已播出的场次")])
    made = PracticeStream(
        enrolment_id=who.id,
        broadcast_id=told.broadcast_id,
        broadcast_ref=told.broadcast,
        on_day=told.on_day,
        verified_minutes=told.minutes,
        mentor=told.mentor.strip()[:40],
        tenths=told.tenths,
        at=now,
        by_name=actor.name,
    )
    try:
        async with database.transaction():
            await made.save()
    except IntegrityError as error:
        raise Conflict("这一场实训已经登记过。") from error
    about, detail = ("enrolment", who.public_id), {"broadcast": told.broadcast, "minutes": told.minutes}
    await audit.write(
        "practice.noted", actor=actor, now=now, about=about, bureau_id=owner.bureau_id, detail=detail
    )
    return made


def _require_examining(klass: Cohort) -> None:
    if klass.state not in moves.EXAMINES:
        raise WrongState(data={"state": str(klass.state)})


def _faults(
    marks: Sequence[Mark],
    assessment: Assessment,
    known: dict[str, Enrolment],
    before: dict[tuple[int, int], Score],
) -> list[Detail]:
    found: list[Detail] = []
    if len({(each.enrolment, each.attempt) for each in marks}) != len(marks):
        found.append(Detail("marks", "同一学员的同一次成绩写了两次"))
    for number, each in enumerate(marks):
        field, enrolment = f"marks[{number}]", known.get(each.enrolment)
        if enrolment is None:
            found.append(Detail(f"{field}.enrolment", "不在这个班的名册里"))
            continue
        if not 0 <= each.tenths <= assessment.most:
            found.append(Detail(f"{field}.tenths", "分数超出范围", f"0 到 {assessment.most / 10:g} 分"))
        if not 1 <= each.attempt <= ATTEMPTS:
            found.append(Detail(f"{field}.attempt", "次数不对", f"1 到 {ATTEMPTS}"))
        was = before.get((enrolment.id, each.attempt))
        if was is not None and was.tenths != each.tenths and len(each.reason.strip()) < 2:
            found.append(Detail(f"{field}.reason", "更正成绩要写明原因", "2 到 200 个字"))
        if len(each.reason.strip()) > 200 or len(each.examiner.strip()) > 40:
            found.append(Detail(f"{field}.reason", "太长", "200 个字以内"))
    return found
