"""孵化: nominated, admitted, incubated, and out again in time; stages go forward only.

Whoever is admitted leaves within 36 months and what she was given on top; the database refuses a later day
and a step back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from dateutil.relativedelta import relativedelta
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.models import Bureau
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, ids, states
from livehub.kit.errors import Detail, NotFound, StaleVersion
from livehub.kit.states import WrongState
from streamers.models import Person
from streamers.training import locks
from streamers.training.after_models import (
    Incubation,
    IncubationExtension,
    IncubationStage,
    Mentor,
    MentorVisit,
)
from streamers.training.errors import AlreadyIncubated, IncubationRefused

MOST_MONTHS = 36
MOST_EXTENSION = 12  # months at a time
REASON_LENGTH, NOTE_LENGTH = 200, 500
MOVES: Mapping[IncubationStage, frozenset[IncubationStage]] = {
    IncubationStage.CANDIDATE: frozenset({IncubationStage.ADMITTED, IncubationStage.EXITED}),
    IncubationStage.ADMITTED: frozenset({IncubationStage.INCUBATING, IncubationStage.EXITED}),
    IncubationStage.INCUBATING: frozenset({IncubationStage.GRADUATED, IncubationStage.EXITED}),
}
INSIDE = frozenset({IncubationStage.ADMITTED, IncubationStage.INCUBATING})


@database.atomic
async def nominate(
    person: str, *, bureau_id: int, mentor: str = "", actor: Actor, now: datetime
) -> Incubation:
    """Name somebody (public id) as a candidate of a bureau; AlreadyIncubated while she is in another one."""
    bureau = await Bureau.get_or_none(id=bureau_id)
    if bureau is None:
        raise NotFound
    require(actor, Permission.TRAINING_MANAGE, bureau_id=bureau.id, centre_id=bureau.centre_id)
    who = await Person.get_or_none(public_id=person, centre_id=bureau.centre_id)
    if who is None:
        raise NotFound
    made = Incubation(
        public_id=ids.public_id(),
        centre_id=bureau.centre_id,
        bureau_id=bureau.id,
        person_id=who.id,
        mentor_id=await _mentor(mentor, bureau.centre_id),
        stage=IncubationStage.CANDIDATE,
        created_at=now,
    )
    try:
        async with database.transaction():
            await made.save()
    except IntegrityError as error:
        raise AlreadyIncubated from error
    await _audit("incubation.nominated", made, actor=actor, now=now)
    return made


@database.atomic
async def admit(
    public_id: str, *, months: int, version: int | None = None, actor: Actor, now: datetime
) -> Incubation:
    """Take a candidate in from today for so many months, at most MOST_MONTHS."""
    found = await _moving(public_id, into=IncubationStage.ADMITTED, version=version, actor=actor)
    if not 1 <= months <= MOST_MONTHS:
        raise IncubationRefused(details=[Detail("months", "孵化期不对", f"1 到 {MOST_MONTHS} 个月")])
    today = clock.local_day(now)
    found.admitted_on, found.due_on = today, today + relativedelta(months=months)
    return await _moved(found, IncubationStage.ADMITTED, actor=actor, now=now)


@database.atomic
async def begin(
    public_id: str, *, mentor: str = "", version: int | None = None, actor: Actor, now: datetime
) -> Incubation:
    """Begin with a mentor (public id), the one she was nominated with unless another is named."""
    found = await _moving(public_id, into=IncubationStage.INCUBATING, version=version, actor=actor)
    found.mentor_id = await _mentor(mentor, found.centre_id) or found.mentor_id
    if found.mentor_id is None:
        raise IncubationRefused(details=[Detail("mentor", "请指定导师", "在册的导师")])
    return await _moved(found, IncubationStage.INCUBATING, actor=actor, now=now)


@database.atomic
async def extend(
    public_id: str, *, months: int, reason: str, version: int | None = None, actor: Actor, now: datetime
) -> Incubation:
    """Give somebody inside more time, with a reason that is kept."""
    found = await _held(public_id, version=version, actor=actor)
    if found.stage not in INSIDE or found.due_on is None:
        raise WrongState(data={"stage": str(found.stage)})
    if not 1 <= months <= MOST_EXTENSION:
        raise IncubationRefused(details=[Detail("months", "延期不对", f"1 到 {MOST_EXTENSION} 个月")])
    reason = _words("reason", reason, REASON_LENGTH)
    await IncubationExtension.create(
        incubation_id=found.id, months=months, reason=reason, by_name=actor.name, at=now
    )
    found.extension_months += months
    found.due_on += relativedelta(months=months)
    found.version += 1
    await found.save(update_fields=["extension_months", "due_on", "version"])
    await _audit("incubation.extended", found, actor=actor, now=now, months=months, reason=reason)
    return found


@database.atomic
async def leave(
    public_id: str,
    *,
    into: IncubationStage,
    reason: str,
    version: int | None = None,
    actor: Actor,
    now: datetime,
) -> Incubation:
    """Somebody graduates from incubation, or leaves without; the reason is kept."""
    if into not in {IncubationStage.GRADUATED, IncubationStage.EXITED}:
        raise ValueError(into)
    found = await _moving(public_id, into=into, version=version, actor=actor)
    found.reason = _words("reason", reason, REASON_LENGTH)
    found.ended_on = clock.local_day(now)
    return await _moved(found, into, actor=actor, now=now)


@database.atomic
async def visited(
    public_id: str, *, on_day: date, note: str, mentor: str = "", actor: Actor, now: datetime
) -> MentorVisit:
    """Note a visit of the mentor, or of another one who stood in for her."""
    found = await _held(public_id, version=None, actor=actor)
    mentor_id = await _mentor(mentor, found.centre_id) or found.mentor_id
    if mentor_id is None:
        raise IncubationRefused(details=[Detail("mentor", "请指定导师", "在册的导师")])
    if found.stage not in INSIDE:
        raise WrongState(data={"stage": str(found.stage)})
    if on_day > clock.local_day(now) or (found.admitted_on is not None and on_day < found.admitted_on):
        raise IncubationRefused(details=[Detail("on_day", "日期不对", "入孵以后、今天以前")])
    made = await MentorVisit.create(
        mentor_id=mentor_id,
        incubation_id=found.id,
        on_day=on_day,
        note=_words("note", note, NOTE_LENGTH),
        by_name=actor.name,
        at=now,
    )
    await _audit("incubation.visited", found, actor=actor, now=now, on_day=str(on_day))
    return made


async def _held(public_id: str, *, version: int | None, actor: Actor) -> Incubation:
    seen = await Incubation.get_or_none(public_id=public_id)
    if seen is None:
        raise NotFound
    require(actor, Permission.TRAINING_MANAGE, bureau_id=seen.bureau_id, centre_id=seen.centre_id)
    await locks.hold("incubation", {seen.id})
    found = await Incubation.get(id=seen.id)
    if version is not None and version != found.version:
        raise StaleVersion(data={"version": found.version})
    return found


async def _moving(public_id: str, *, into: IncubationStage, version: int | None, actor: Actor) -> Incubation:
    found = await _held(public_id, version=version, actor=actor)
    states.require_move(MOVES, current=found.stage, target=into)
    return found


async def _moved(found: Incubation, into: IncubationStage, *, actor: Actor, now: datetime) -> Incubation:
    found.stage = into
    found.version += 1
    await found.save()
    await _audit(f"incubation.{into}", found, actor=actor, now=now, reason=found.reason)
    return found


async def _mentor(public_id: str, centre_id: int) -> int | None:
    if not public_id:
        return None
    found = await Mentor.get_or_none(public_id=public_id, centre_id=centre_id, active=True)
    if found is None:
        raise NotFound
    return int(found.id)


def _words(field: str, text: str, most: int) -> str:
    if not 2 <= len(text.strip()) <= most:
        raise IncubationRefused(details=[Detail(field, "请写明", f"2 到 {most} 个字")])
    return text.strip()


async def _audit(action: str, found: Incubation, *, actor: Actor, now: datetime, **detail: object) -> None:
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("incubation", found.public_id),
        bureau_id=found.bureau_id,
        detail={"stage": str(found.stage), "due_on": str(found.due_on or ""), **detail},
    )
