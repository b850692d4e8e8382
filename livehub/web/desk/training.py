"""/desk/training 培训班: programmes, cohorts, and one cohort's way from its plan to the archive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts import queries as accounts
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, LivehubError, NotFound
from livehub.web import doors, reading
from livehub.web.desk.frame import Reason, asked, back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import training
from streamers.training import cohorts, preset, programmes, queries, working_days
from streamers.training.models import Cohort
from streamers.training.queries import Whole

bp = Blueprint("desk_training", url_prefix="/desk/training")

PATH = "/desk/training"


class Query(Struct):
    """The list's address."""

    state: Annotated[str, Meta(max_length=12)] = ""
    programme: Annotated[str, Meta(max_length=16)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class ProgrammeForm(Struct):
    """A new programme."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    occupation: Annotated[str, Meta(min_length=1, max_length=40)]
    preset: Annotated[str, Meta(min_length=1, max_length=24, extra={"expected": "选择规定"})]
    bureau: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择主管部门"})]
    funding: Annotated[str, Meta(max_length=60)] = ""
    level: Annotated[int, Meta(ge=0, le=5)] = 0
    target_people: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class CohortForm(Struct):
    """A new cohort, with its plan."""

    programme: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择培训项目"})]
    code: Annotated[str, Meta(min_length=1, max_length=24)]
    name: Annotated[str, Meta(min_length=1, max_length=60)]
    starts_on: date
    ends_on: date
    capacity: Annotated[int, Meta(ge=1, le=500)]
    audience: Annotated[str, Meta(max_length=cohorts.PLAN_LENGTH)] = ""
    goal: Annotated[str, Meta(max_length=cohorts.PLAN_LENGTH)] = ""
    time: Annotated[str, Meta(max_length=cohorts.PLAN_LENGTH)] = ""
    outline: Annotated[str, Meta(max_length=cohorts.PLAN_LENGTH)] = ""
    courses: Annotated[str, Meta(max_length=cohorts.PLAN_LENGTH)] = ""
    certificate: Annotated[str, Meta(max_length=cohorts.PLAN_LENGTH)] = ""


class Version(Struct):
    """What somebody saw when she pressed."""

    version: Annotated[int, Meta(ge=1, le=10**9)]
    late_reason: Annotated[str, Meta(max_length=200)] = ""


class Refusing(Reason):
    """A reason, and what was seen."""

    version: Annotated[int, Meta(ge=1, le=10**9)] = 0


@bp.get("/")
@doors.signed_in(Permission.TRAINING_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The cohorts, the latest first."""
    query = reading.query(request, Query)
    found = await queries.cohorts_of(actor, state=query.state, programme=query.programme, number=query.page)
    return page(
        "desk/training.html",
        shell=await frame(request, actor, "training"),
        page=found,
        query=asked(request, Query),
        programmes=(offered := await queries.programmes_of(actor)),
        choices=[(each.row.public_id, each.row.name) for each in offered],
        today=clock.local_day(clock.now()),
        may_manage=may(actor, Permission.TRAINING_MANAGE),
    )


@bp.get("/programmes")
@doors.signed_in(Permission.TRAINING_READ)
async def show_programmes(request: Request, actor: Actor) -> HTTPResponse:
    """The programmes, and the form for another."""
    return await _programmes(request, actor, form=reading.blank(level="5", target_people="0"))


@bp.post("/programmes")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def create_programme(request: Request, actor: Actor) -> HTTPResponse:
    """Begin a programme by a city's rule."""
    try:
        given = reading.form(request, ProgrammeForm)
        bureau_id = await _bureau(given.bureau, actor)
        wanted = programmes.NewProgramme(
            name=given.name,
            occupation=given.occupation,
            preset=given.preset,
            funding=given.funding,
            level=given.level,
            target_people=given.target_people,
        )
        await database.unit(
            lambda: programmes.create(wanted, bureau_id=bureau_id, actor=actor, now=clock.now())
        )
    except LivehubError as error:
        refused = reading.refused(request, doors.shown(request, error))
        return await _programmes(request, actor, form=refused, refusal=error)
    return back(f"{PATH}/programmes", done="programme-made")


@bp.get("/new")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def show_new(request: Request, actor: Actor) -> HTTPResponse:
    """The form for a cohort."""
    day = working_days.after(clock.local_day(clock.now()), 20, working=True)
    last = working_days.after(day, 14, working=True)
    blank = reading.blank(
        programme=str(request.args.get("programme", "")), starts_on=str(day), ends_on=str(last), capacity="45"
    )
    return await _new(request, actor, form=blank)


@bp.post("/new")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def create_cohort(request: Request, actor: Actor) -> HTTPResponse:
    """Plan a cohort."""
    try:
        given = reading.form(request, CohortForm)
        wanted = cohorts.NewCohort(
            code=given.code,
            name=given.name,
            starts_on=given.starts_on,
            ends_on=given.ends_on,
            capacity=given.capacity,
            plan={part: getattr(given, part) for part in cohorts.PLAN_PARTS},
        )
        made = await database.unit(
            lambda: cohorts.create(wanted, programme=given.programme, actor=actor, now=clock.now())
        )
    except LivehubError as error:
        refused = reading.refused(request, doors.shown(request, error))
        refused.errors = {name.removeprefix("plan."): text for name, text in refused.errors.items()}
        return await _new(request, actor, form=refused, refusal=error)
    return back(f"{PATH}/{made.public_id}", done="cohort-made")


@bp.get("/<cohort_id:str>")
@doors.signed_in(Permission.TRAINING_READ)
async def show_cohort(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """One cohort: where it stands and what comes next."""
    return await cohort_page(request, actor, cohort_id)


@bp.post("/<cohort_id:str>/apply")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def apply(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """Ask the bureau to open it."""

    async def work(given: Version) -> Cohort:
        return await cohorts.apply(
            cohort_id, late_reason=given.late_reason, version=given.version, actor=actor, now=clock.now()
        )

    return await _pressed(request, actor, cohort_id, work, done="cohort-applied")


@bp.post("/<cohort_id:str>/approve")
@doors.signed_in(Permission.TRAINING_APPROVE)
async def approve(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """Let it open."""

    async def work(given: Version) -> Cohort:
        return await cohorts.approve(cohort_id, version=given.version, actor=actor, now=clock.now())

    return await _pressed(request, actor, cohort_id, work, done="cohort-approved")


@bp.post("/<cohort_id:str>/reject")
@doors.signed_in(Permission.TRAINING_APPROVE)
async def reject(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """Send it back with a reason."""
    try:
        given = reading.form(request, Refusing)
        await database.unit(
            lambda: cohorts.reject(
                cohort_id, reason=given.reason, version=given.version or None, actor=actor, now=clock.now()
            )
        )
    except NotFound:
        raise
    except LivehubError as error:
        return await cohort_page(request, actor, cohort_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{cohort_id}", done="cohort-rejected")


@bp.post("/<cohort_id:str>/cancel")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def cancel(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """Call it off with a reason."""
    try:
        given = reading.form(request, Refusing)
        await database.unit(
            lambda: training.call_off(
                cohort_id, reason=given.reason, version=given.version or None, actor=actor, now=clock.now()
            )
        )
    except NotFound:
        raise
    except LivehubError as error:
        return await cohort_page(request, actor, cohort_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{cohort_id}", done="cohort-cancelled")


@bp.post("/<cohort_id:str>/step/<step:str>")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def step(request: Request, actor: Actor, cohort_id: str, step: str) -> HTTPResponse:
    """One step on: recruiting, running, examining, closed, archived."""
    if step not in cohorts.STEPS:
        raise NotFound

    async def work(given: Version) -> Cohort:
        return await cohorts.step(cohort_id, step, version=given.version, actor=actor, now=clock.now())

    return await _pressed(request, actor, cohort_id, work, done="cohort-moved")


async def cohort_page(
    request: Request, actor: Actor, cohort_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    """The page of one cohort."""
    now = clock.now()
    whole = await queries.cohort(cohort_id, actor=actor, now=now)
    waiting = [each for each in whole.applications if not each.decision]
    return page(
        "desk/training_cohort.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "training", refusal=refusal),
        whole=whole,
        refusal=refusal,
        late_reason=reading.last(request, "late_reason"),
        plan=plan_of(whole),
        latest=_latest(whole),
        next_day=queries.next_day(whole.lessons, now=now),
        taught=sum(
            each.tenths
            for each in whole.lessons
            if each.cancelled_at is None and each.ends_at <= now and each.required
        ),
        is_guessed=whole.terms.lead_in_working_days and not working_days.is_announced(whole.row.starts_on),
        waiting=waiting[0] if waiting else None,
        may_manage=may(actor, Permission.TRAINING_MANAGE),
        may_approve=may(actor, Permission.TRAINING_APPROVE, bureau_id=whole.programme.bureau_id),
    )


def plan_of(whole: Whole) -> dict[str, str]:
    """The plan's parts, those the programme asks for first."""
    written = msgspec.json.decode(whole.row.plan.encode(), type=dict[str, str])
    return {
        part: written.get(part, "")
        for part in cohorts.PLAN_PARTS
        if part in whole.terms.plan_parts or written.get(part)
    }


def _latest(whole: Whole) -> date:
    terms = whole.terms
    return working_days.before(whole.row.starts_on, terms.lead_days, working=terms.lead_in_working_days)


async def _pressed(
    request: Request,
    actor: Actor,
    cohort_id: str,
    work: Callable[[Version], Awaitable[Cohort]],
    *,
    done: str,
) -> HTTPResponse:
    try:
        given = reading.form(request, Version)
        await database.unit(lambda: work(given))
    except NotFound:
        raise
    except LivehubError as error:
        return await cohort_page(request, actor, cohort_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{cohort_id}", done=done)


async def _programmes(
    request: Request, actor: Actor, *, form: Form, refusal: LivehubError | None = None
) -> HTTPResponse:
    return page(
        "desk/training_programmes.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "training"),
        programmes=await queries.programmes_of(actor),
        form=form,
        presets=[(each.name, each.label) for each in preset.every().values()],
        bureaus=[(each.public_id, each.name) for each in await accounts.bureaus(actor.centre_id)],
        may_manage=may(actor, Permission.TRAINING_MANAGE),
    )


async def _new(
    request: Request, actor: Actor, *, form: Form, refusal: LivehubError | None = None
) -> HTTPResponse:
    found = await queries.programmes_of(actor)
    return page(
        "desk/training_new.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "training"),
        form=form,
        programmes=[(each.row.public_id, f"{each.row.name} · {each.bureau}") for each in found],
        parts=cohorts.PLAN_PARTS,
    )


async def _bureau(public_id: str, actor: Actor) -> int:
    for each in await accounts.bureaus(actor.centre_id):
        if each.public_id == public_id:
            return int(each.id)
    raise Invalid(details=[Detail("bureau", "没有这个主管部门")])
