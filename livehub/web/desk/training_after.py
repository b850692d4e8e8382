"""/desk/training/followups 跟踪回访 and /desk/training/incubations 孵化: what comes after a class."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Literal, TypeVar

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts import queries as accounts
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, LivehubError, NotFound
from livehub.reports import followups as reports
from livehub.web import doors, reading
from livehub.web.desk import training_outcomes
from livehub.web.desk.frame import asked, back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from streamers.training import followups, incubation_queries, incubations, mentors, queries
from streamers.training.after_models import IncubationStage

bp = Blueprint("desk_training_after", url_prefix="/desk/training")

PATH = "/desk/training"
F = TypeVar("F", bound=Struct)


class Paged(Struct):
    """The list's address."""

    stage: Annotated[str, Meta(max_length=10)] = ""
    person: Annotated[str, Meta(max_length=40)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Call(Struct):
    """What somebody said."""

    day: Annotated[int, Meta(extra={"expected": "选择第几天"})]
    employment: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择就业情况"})]
    note: Annotated[str, Meta(max_length=200)] = ""


class Nomination(Struct):
    """Who is to be incubated."""

    person: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择人员"})]
    bureau: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择主管部门"})]
    mentor: Annotated[str, Meta(max_length=16)] = ""


class Appointment(Struct):
    """Who is a mentor."""

    person: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择人员"})]
    field: Annotated[str, Meta(min_length=1, max_length=60)]


class Step(Struct):
    """A step, and what was seen."""

    version: Annotated[int, Meta(ge=1, le=10**9)]
    months: Annotated[int, Meta(ge=0, le=99)] = 0
    mentor: Annotated[str, Meta(max_length=16)] = ""
    reason: Annotated[str, Meta(max_length=200)] = ""
    into: Literal["graduated", "exited"] = "exited"


class Visit(Struct):
    """A visit of a mentor."""

    on_day: date
    note: Annotated[str, Meta(min_length=2, max_length=500)]
    mentor: Annotated[str, Meta(max_length=16)] = ""


@bp.get("/followups")
@doors.signed_in(Permission.TRAINING_READ)
async def show_due(request: Request, actor: Actor) -> HTTPResponse:
    """Who is to be called."""
    query, now = reading.query(request, Paged), clock.now()
    return page(
        "desk/training_followups.html",
        shell=await frame(request, actor, "training"),
        page=await followups.due(actor, now=now, number=query.page),
        query=asked(request, Paged),
        today=clock.local_day(now),
    )


@bp.post("/enrolments/<enrolment_id:str>/followups")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def contacted(request: Request, actor: Actor, enrolment_id: str) -> HTTPResponse:
    """Note a call."""
    try:
        given = reading.form(request, Call)
        await database.unit(
            lambda: reports.contacted(
                enrolment_id,
                day=given.day,
                employment=given.employment,
                note=given.note,
                actor=actor,
                now=clock.now(),
            )
        )
    except NotFound:
        raise
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await training_outcomes.graduate(request, actor, enrolment_id, form=form, refusal=error)
    return back(f"{PATH}/enrolments/{enrolment_id}/outcomes", done="followup-noted")


@bp.get("/incubations")
@doors.signed_in(Permission.TRAINING_READ)
async def show_incubations(request: Request, actor: Actor) -> HTTPResponse:
    """Who is incubated, and the numbers the base is judged by."""
    return await _incubations(request, actor)


@bp.post("/incubations")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def nominate(request: Request, actor: Actor) -> HTTPResponse:
    """Name a candidate."""
    try:
        given = reading.form(request, Nomination)
        bureau_id = await _bureau(given.bureau, actor)
        made = await database.unit(
            lambda: incubations.nominate(
                given.person, bureau_id=bureau_id, mentor=given.mentor, actor=actor, now=clock.now()
            )
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _incubations(request, actor, form=form, refusal=error)
    return back(f"{PATH}/incubations/{made.public_id}", done="nominated")


@bp.post("/mentors")
@doors.signed_in(Permission.STREAMER_MANAGE)
async def appoint(request: Request, actor: Actor) -> HTTPResponse:
    """Make somebody a mentor."""
    try:
        given = reading.form(request, Appointment)
        await database.unit(
            lambda: mentors.appoint(given.person, field=given.field, actor=actor, now=clock.now())
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _incubations(request, actor, appointing=form, refusal=error)
    return back(f"{PATH}/incubations", done="mentor-appointed")


@bp.get("/incubations/<incubation_id:str>")
@doors.signed_in(Permission.TRAINING_READ)
async def show_incubation(request: Request, actor: Actor, incubation_id: str) -> HTTPResponse:
    """One incubation."""
    return await _incubation(request, actor, incubation_id)


@bp.post("/incubations/<incubation_id:str>/step/<incubation_step:str>")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def move(request: Request, actor: Actor, incubation_id: str, incubation_step: str) -> HTTPResponse:
    """Admit, begin, extend or leave."""
    if incubation_step not in _STEPS:
        raise NotFound
    return await _pressed(
        request,
        actor,
        incubation_id,
        Step,
        lambda given: _STEPS[incubation_step](incubation_id, given, actor),
        done="moved",
    )


@bp.post("/incubations/<incubation_id:str>/visits")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def visit(request: Request, actor: Actor, incubation_id: str) -> HTTPResponse:
    """Note a visit."""

    async def work(given: Visit) -> object:
        return await incubations.visited(
            incubation_id,
            on_day=given.on_day,
            note=given.note,
            mentor=given.mentor,
            actor=actor,
            now=clock.now(),
        )

    return await _pressed(request, actor, incubation_id, Visit, work, done="visit-noted")


async def _admit(incubation_id: str, given: Step, actor: Actor) -> object:
    return await incubations.admit(
        incubation_id, months=given.months, version=given.version, actor=actor, now=clock.now()
    )


async def _begin(incubation_id: str, given: Step, actor: Actor) -> object:
    return await incubations.begin(
        incubation_id, mentor=given.mentor, version=given.version, actor=actor, now=clock.now()
    )


async def _extend(incubation_id: str, given: Step, actor: Actor) -> object:
    return await incubations.extend(
        incubation_id,
        months=given.months,
        reason=given.reason,
        version=given.version,
        actor=actor,
        now=clock.now(),
    )


async def _leave(incubation_id: str, given: Step, actor: Actor) -> object:
    return await incubations.leave(
        incubation_id,
        into=IncubationStage(given.into),
        reason=given.reason,
        version=given.version,
        actor=actor,
        now=clock.now(),
    )


_STEPS = {"admit": _admit, "begin": _begin, "extend": _extend, "leave": _leave}


async def _pressed(
    request: Request,
    actor: Actor,
    incubation_id: str,
    shape: type[F],
    work: Callable[[F], Awaitable[object]],
    *,
    done: str,
) -> HTTPResponse:
    try:
        given = reading.form(request, shape)
        await database.unit(lambda: work(given))
    except NotFound:
        raise
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _incubation(request, actor, incubation_id, form=form, refusal=error)
    return back(f"{PATH}/incubations/{incubation_id}", done=f"incubation-{done}")


async def _incubations(
    request: Request,
    actor: Actor,
    *,
    form: Form | None = None,
    appointing: Form | None = None,
    refusal: LivehubError | None = None,
) -> HTTPResponse:
    query = reading.query(request, Paged)
    may_manage = may(actor, Permission.TRAINING_MANAGE)
    people = await queries.people_like(query.person, actor=actor) if may_manage else []
    return page(
        "desk/training_incubations.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "training"),
        page=await incubation_queries.listing(actor, stage=query.stage, number=query.page),
        rates=await incubation_queries.rates(actor, now=clock.now()),
        query=asked(request, Paged),
        people=[(each.public_id, f"{each.name} {each.town}".strip()) for each in people],
        mentors=await mentors.listing(actor) if may_manage else [],
        bureaus=[(each.public_id, each.name) for each in await accounts.bureaus(actor.centre_id)],
        form=form or reading.blank(),
        appointing=appointing or reading.blank(),
        today=clock.local_day(clock.now()),
        may_manage=may_manage,
    )


async def _incubation(
    request: Request,
    actor: Actor,
    incubation_id: str,
    *,
    form: Form | None = None,
    refusal: LivehubError | None = None,
) -> HTTPResponse:
    whole = await incubation_queries.one(incubation_id, actor=actor)
    may_manage = may(actor, Permission.TRAINING_MANAGE)
    offered = await mentors.listing(actor) if may_manage else []
    return page(
        "desk/training_incubation.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "training"),
        whole=whole,
        form=form or reading.blank(on_day=str(clock.local_day(clock.now())), months="12"),
        mentors=[(each.public_id, f"{each.person.name} · {each.field}") for each in offered],
        today=clock.local_day(clock.now()),
        may_manage=may_manage,
    )


async def _bureau(public_id: str, actor: Actor) -> int:
    for each in await accounts.bureaus(actor.centre_id):
        if each.public_id == public_id:
            return int(each.id)
    raise Invalid(details=[Detail("bureau", "没有这个主管部门")])
