"""/desk/training/outcomes 培训成效: the funnel of all classes, of one, and one graduate's broadcasts."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.accounts import queries as accounts
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError
from livehub.reports import training
from livehub.web import doors, reading
from livehub.web.desk.frame import asked, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from streamers.training import followups, queries

bp = Blueprint("desk_training_outcomes", url_prefix="/desk/training")

YEARS_BACK = 3


class Query(Struct):
    """Which classes."""

    bureau: Annotated[str, Meta(max_length=16)] = ""
    period: Annotated[str, Meta(max_length=7)] = ""


@bp.get("/outcomes")
@doors.signed_in(Permission.TRAINING_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """All classes of a period, and their funnel."""
    query, now = reading.query(request, Query), clock.now()
    found = await training.report(bureau=query.bureau, period=query.period, actor=actor, now=now)
    scope = bureau_scope(actor, Permission.TRAINING_READ)
    bureaus = [each for each in await accounts.bureaus(actor.centre_id) if scope is None or each.id in scope]
    return page(
        "desk/training_outcomes.html",
        shell=await frame(request, actor, "training"),
        report=found,
        query=asked(request, Query),
        bureaus=[(each.public_id, each.name) for each in bureaus],
        periods=_periods(clock.local_day(now).year),
    )


@bp.get("/<cohort_id:str>/outcomes")
@doors.signed_in(Permission.TRAINING_READ)
async def show_cohort(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """One class: its funnel, and each graduate."""
    now = clock.now()
    klass, found = await training.of_cohort(cohort_id, actor=actor, now=now)
    return page(
        "desk/training_cohort_outcomes.html",
        shell=await frame(request, actor, "training"),
        whole=await queries.cohort(cohort_id, actor=actor, now=now),
        summary=klass.summary,
        graduates=found,
        as_of=now,
    )


@bp.get("/enrolments/<enrolment_id:str>/outcomes")
@doors.signed_in(Permission.TRAINING_READ)
async def show_graduate(request: Request, actor: Actor, enrolment_id: str) -> HTTPResponse:
    """One graduate's broadcasts, each opening to its orders."""
    return await graduate(request, actor, enrolment_id)


async def graduate(
    request: Request,
    actor: Actor,
    enrolment_id: str,
    *,
    form: Form | None = None,
    refusal: LivehubError | None = None,
) -> HTTPResponse:
    """The page of one graduate, with the calls that were made and the next one."""
    now = clock.now()
    klass, found = await training.of_enrolment(enrolment_id, actor=actor, now=now)
    calls = await followups.of_enrolment(found.who.enrolment_id)
    today = clock.local_day(now)
    reached = [day for day in followups.DAYS if today >= found.graduated_on + timedelta(days=day)]
    waiting = [day for day in reached if day not in {each.day for each in calls}]
    return page(
        "desk/training_graduate.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "training"),
        klass=klass,
        found=found,
        as_of=now,
        calls=calls,
        reached=reached,
        waiting=waiting,
        tells_all=bureau_scope(actor, Permission.SALES_READ) is None,
        form=form or reading.blank(day=str(waiting[0]) if waiting else ""),
        may_manage=may(actor, Permission.TRAINING_MANAGE),
    )


def _periods(year: int) -> list[tuple[str, str]]:
    """The years and quarters that can be chosen, the newest first."""
    return [
        choice
        for each in range(year, year - YEARS_BACK, -1)
        for choice in (
            (f"{each}", f"{each} 年"),
            *((f"{each}-Q{quarter}", f"{each} 年第 {quarter} 季度") for quarter in (4, 3, 2, 1)),
        )
    ]
