"""A cohort from its draft to the archive: planned, applied for, approved, filled, taught, closed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import msgspec
from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require, require_second_person
from livehub.kit import clock, ids, states
from livehub.kit.errors import Detail, NotFound, StaleVersion
from streamers.training import locks, moves, programmes, working_days
from streamers.training.course_models import Lesson, LessonKind
from streamers.training.errors import AppliedLate, CohortCodeTaken, CohortRefused, NotReady
from streamers.training.models import (
    Cohort,
    CohortState,
    Enrolment,
    EnrolmentState,
    OpeningApplication,
    Programme,
)
from streamers.training.rules import Terms, share

REASON_LENGTH = 200
PLAN_LENGTH = 2000
YEARS = range(2000, 2200)
PLAN_PARTS = ("audience", "goal", "time", "outline", "courses", "certificate")


class NewCohort(Struct, frozen=True, kw_only=True):
    """A class that is planned."""

    code: str
    name: str
    starts_on: date
    ends_on: date
    capacity: int
    plan: Mapping[str, str] = {}


@database.atomic
async def create(wanted: NewCohort, *, programme: str, actor: Actor, now: datetime) -> Cohort:
    """Plan a cohort of a programme, with the newest version of its bar."""
    owner = await programmes.held(programme, actor=actor, permission=Permission.TRAINING_MANAGE)
    if details := _faults(wanted, owner):
        raise CohortRefused(details=details)
    rule = await programmes.newest_rule(owner.id)
    cohort = Cohort(
        public_id=ids.public_id(),
        centre_id=owner.centre_id,
        programme_id=owner.id,
        rule_id=rule.id,
        code=wanted.code.strip(),
        name=wanted.name.strip(),
        starts_on=wanted.starts_on,
        ends_on=wanted.ends_on,
        capacity=wanted.capacity,
        max_class=owner.max_class,
        plan=_plan(wanted.plan),
        created_at=now,
    )
    try:
        async with database.transaction():
            await cohort.save()
    except IntegrityError as error:
        raise CohortCodeTaken from error
    await _audit("cohort.created", cohort, owner, actor=actor, now=now)
    return cohort


@database.atomic
async def apply(
    public_id: str, *, late_reason: str = "", version: int | None = None, actor: Actor, now: datetime
) -> Cohort:
    """Ask the bureau to open a class; NotReady says what the plan lacks, AppliedLate when it is too near."""
    cohort, owner = await _moving(
        public_id, into=CohortState.APPLIED, needs=Permission.TRAINING_MANAGE, version=version, actor=actor
    )
    terms = programmes.terms_of(owner)
    if details := await _missing(cohort, terms):
        raise NotReady(details=details)
    today = clock.local_day(now)
    latest = working_days.before(cohort.starts_on, terms.lead_days, working=terms.lead_in_working_days)
    if today > latest and not late_reason.strip():
        raise AppliedLate(details=[Detail("late_reason", "已过申请时间，请写明原因", f"{latest} 以前申请")])
    people = await Enrolment.filter(cohort_id=cohort.id, state=EnrolmentState.ENROLLED).select_related(
        "person"
    )
    await OpeningApplication.create(
        cohort_id=cohort.id,
        submitted_at=now,
        submitted_by_id=actor.id if actor.kind == "user" else 0,
        submitted_by=actor.name,
        late_reason=late_reason.strip()[:REASON_LENGTH],
        roster=msgspec.json.encode([(each.public_id, each.person.name) for each in people]).decode(),
        answer_due_on=working_days.after(today, terms.answer_working_days, working=True),
    )
    return await _moved(cohort, owner, CohortState.APPLIED, "cohort.applied", actor=actor, now=now)


@database.atomic
async def approve(public_id: str, *, version: int | None = None, actor: Actor, now: datetime) -> Cohort:
    """Let a class open; never whoever asked for it."""
    cohort, owner = await _decided(
        public_id, into=CohortState.APPROVED, reason="", version=version, actor=actor, now=now
    )
    return await _moved(cohort, owner, CohortState.APPROVED, "cohort.approved", actor=actor, now=now)


@database.atomic
async def reject(
    public_id: str, *, reason: str, version: int | None = None, actor: Actor, now: datetime
) -> Cohort:
    """Send an application back with the reason; the plan can be mended and asked for again."""
    _require_reason(reason)
    cohort, owner = await _decided(
        public_id, into=CohortState.DRAFT, reason=reason, version=version, actor=actor, now=now
    )
    cohort.reason = reason.strip()
    return await _moved(cohort, owner, CohortState.DRAFT, "cohort.rejected", actor=actor, now=now)


STEPS: Mapping[str, tuple[CohortState, str]] = {
    "open": (CohortState.RECRUITING, "cohort.opened"),
    "start": (CohortState.RUNNING, "cohort.started"),
    "examine": (CohortState.EXAMINING, "cohort.examining"),
    "close": (CohortState.CLOSED, "cohort.closed"),
    "archive": (CohortState.ARCHIVED, "cohort.archived"),
}


@database.atomic
async def step(
    public_id: str, name: str, *, version: int | None = None, actor: Actor, now: datetime
) -> Cohort:
    """One of STEPS. It closes only when everybody in it was decided on."""
    into, action = STEPS[name]
    cohort, owner = await _moving(
        public_id, into=into, needs=Permission.TRAINING_MANAGE, version=version, actor=actor
    )
    if into is CohortState.CLOSED:
        undecided = await Enrolment.filter(cohort_id=cohort.id, state=EnrolmentState.ENROLLED).count()
        if undecided:
            raise NotReady(
                details=[Detail("graduation", f"还有 {undecided} 人没有结业认定", "先完成结业认定")]
            )
        cohort.closed_at = now
    return await _moved(cohort, owner, into, action, actor=actor, now=now)


@database.atomic
async def cancel(
    public_id: str, *, reason: str, version: int | None = None, actor: Actor, now: datetime
) -> Cohort:
    """Call a class off that has not begun."""
    _require_reason(reason)
    cohort, owner = await _moving(
        public_id, into=CohortState.CANCELLED, needs=Permission.TRAINING_MANAGE, version=version, actor=actor
    )
    cohort.reason = reason.strip()
    return await _moved(cohort, owner, CohortState.CANCELLED, "cohort.cancelled", actor=actor, now=now)


async def held(public_id: str, *, actor: Actor, permission: Permission) -> tuple[Cohort, Programme]:
    """The cohort, locked, and its programme; NotFound when the actor has none of that id."""
    seen = await Cohort.get_or_none(public_id=public_id).select_related("programme")
    if seen is None:
        raise NotFound
    owner = seen.programme
    require(actor, permission, bureau_id=owner.bureau_id, centre_id=seen.centre_id)
    await locks.hold("cohort", {seen.id})
    return await Cohort.get(id=seen.id), owner


async def _moving(
    public_id: str, *, into: CohortState, needs: Permission, version: int | None, actor: Actor
) -> tuple[Cohort, Programme]:
    cohort, owner = await held(public_id, actor=actor, permission=needs)
    states.require_move(moves.COHORT, current=cohort.state, target=into)
    if version is not None and version != cohort.version:
        raise StaleVersion(data={"version": cohort.version})
    return cohort, owner


async def _decided(
    public_id: str, *, into: CohortState, reason: str, version: int | None, actor: Actor, now: datetime
) -> tuple[Cohort, Programme]:
    cohort, owner = await held(public_id, actor=actor, permission=Permission.TRAINING_APPROVE)
    if cohort.state is not CohortState.APPLIED:
        raise states.WrongState(data={"state": str(cohort.state), "wanted": str(into)})
    if version is not None and version != cohort.version:
        raise StaleVersion(data={"version": cohort.version})
    asked = await OpeningApplication.get(cohort_id=cohort.id, decision="")
    require_second_person(actor, first_user_id=asked.submitted_by_id)
    asked.decision = "approved" if into is CohortState.APPROVED else "rejected"
    asked.reason, asked.decided_by, asked.decided_at = reason.strip(), actor.name, now
    await asked.save()
    return cohort, owner


async def _moved(
    cohort: Cohort, owner: Programme, into: CohortState, action: str, *, actor: Actor, now: datetime
) -> Cohort:
    cohort.state = into
    cohort.version += 1
    await cohort.save(update_fields=["state", "version", "reason", "closed_at"])
    await _audit(action, cohort, owner, actor=actor, now=now)
    return cohort


async def _missing(cohort: Cohort, terms: Terms) -> list[Detail]:
    """What the application still lacks: parts of the plan, hours, shares of theory and practice."""
    plan = msgspec.json.decode(cohort.plan)
    found = [Detail(f"plan.{part}", "培训方案缺这一项") for part in terms.plan_parts if not plan.get(part)]
    lessons = await Lesson.filter(cohort_id=cohort.id, required=True, cancelled_at__isnull=True)
    total = sum(each.tenths for each in lessons)
    theory = sum(each.tenths for each in lessons if each.kind in _THEORY)
    if total < terms.min_tenths:
        found.append(
            Detail("lessons", f"课表只有 {total / 10:g} 学时", f"至少 {terms.min_tenths / 10:g} 学时")
        )
    if theory < share(terms.min_theory_share) * total:
        found.append(Detail("lessons", "理论课太少", f"不少于全部学时的 {terms.min_theory_share}"))
    if total - theory < share(terms.min_practice_share) * total:
        found.append(Detail("lessons", "实操课太少", f"不少于全部学时的 {terms.min_practice_share}"))
    return found


_THEORY = frozenset({LessonKind.THEORY, LessonKind.ONLINE})


def _faults(wanted: NewCohort, owner: Programme) -> list[Detail]:
    found = []
    if not 0 < len(wanted.code.strip()) <= 24:
        found.append(Detail("code", "请填写班次编号", "1 到 24 个字符，如 2026-03"))
    if not 0 < len(wanted.name.strip()) <= 60:
        found.append(Detail("name", "请填写班名", "1 到 60 个字"))
    if wanted.starts_on.year not in YEARS or wanted.ends_on.year not in YEARS:
        found.append(Detail("starts_on", "日期超出范围", f"{YEARS.start} 至 {YEARS.stop - 1} 年"))
    if wanted.ends_on < wanted.starts_on:
        found.append(Detail("ends_on", "结束早于开始", "不早于开始日期"))
    if not 1 <= wanted.capacity <= owner.max_class:
        found.append(Detail("capacity", "人数超出项目规定", f"1 到 {owner.max_class} 人"))
    found += [
        Detail(f"plan.{part}", "没有这一项" if part not in PLAN_PARTS else "太长", "、".join(PLAN_PARTS))
        for part, text in wanted.plan.items()
        if part not in PLAN_PARTS or len(text) > PLAN_LENGTH
    ]
    return found


def _plan(given: Mapping[str, str]) -> str:
    return msgspec.json.encode({part: text.strip() for part, text in given.items() if text.strip()}).decode()


def _require_reason(reason: str) -> None:
    if not 2 <= len(reason.strip()) <= REASON_LENGTH:
        raise CohortRefused(details=[Detail("reason", "请写明原因", f"2 到 {REASON_LENGTH} 个字")])


async def _audit(action: str, cohort: Cohort, owner: Programme, *, actor: Actor, now: datetime) -> None:
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("cohort", cohort.public_id),
        bureau_id=owner.bureau_id,
        detail={"state": str(cohort.state), "version": cohort.version, "reason": cohort.reason},
    )
