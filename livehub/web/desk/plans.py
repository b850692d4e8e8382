"""/desk/plans 周排期: the draft against what was published, publishing it, shifting what is in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.web import doors, reading
from livehub.web.desk.frame import back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import moving, plan_diff, plans
from rooms import queries as rooms
from rooms.moving import Target
from rooms.plans import Week

bp = Blueprint("desk_plans", url_prefix="/desk/plans")

PATH = "/desk/plans"


class Query(Struct):
    """Which week, and which of its versions."""

    week: Annotated[str, Meta(max_length=8)] = ""
    version: Annotated[int, Meta(ge=0, le=10**6)] = 0


class Publication(Struct):
    """What is said about it."""

    week: Annotated[str, Meta(max_length=8)]
    note: Annotated[str, Meta(max_length=plans.NOTE_LENGTH)] = ""


class Move(Struct):
    """Where a booking goes."""

    week: Annotated[str, Meta(max_length=8)]
    booking: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择一条排期"})]
    starts_at: reading.LocalTime
    minutes: Annotated[int, Meta(ge=1, le=1440)]
    room: Annotated[str, Meta(max_length=16)] = ""


@bp.get("/")
@doors.signed_in(Permission.BOOKING_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """A week: its draft, or one of its versions; officers have their own week, and see no other's titles."""
    if bureau_scope(actor, Permission.BOOKING_READ) is not None:
        return redirect("/bureau", status=303)
    query = reading.query(request, Query)
    week = plans.named(query.week) if query.week else _this_week()
    return await _page(request, actor, week, version=query.version)


@bp.post("/publish")
@doors.signed_in(Permission.PLAN_PUBLISH)
async def publish(request: Request, actor: Actor) -> HTTPResponse:
    """Publish the draft."""
    week = _this_week()
    try:
        given = reading.form(request, Publication)
        week = plans.named(given.week)
        await database.unit(
            lambda: plans.publish(
                week, centre_id=actor.centre_id, note=given.note, actor=actor, now=clock.now()
            )
        )
    except LivehubError as error:
        return await _page(request, actor, week, refusal=doors.shown(request, error))
    return back(f"{PATH}?week={week}", done="plan-published")


@bp.post("/move")
@doors.signed_in(Permission.BOOKING_APPROVE)
async def move(request: Request, actor: Actor) -> HTTPResponse:
    """Move what is in the draft; calendars hear of it when it is published."""
    week = _this_week()
    try:
        given = reading.form(request, Move)
        week = plans.named(given.week)
        to = Target(starts_at=given.starts_at, minutes=given.minutes, room=given.room)
        await database.unit(lambda: moving.move(given.booking, to, actor=actor, now=clock.now()))
    except NotFound:
        raise
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _page(request, actor, week, form=form, refusal=error)
    return back(f"{PATH}?week={week}", done="booking-moved")


async def _page(
    request: Request,
    actor: Actor,
    week: Week,
    *,
    version: int = 0,
    form: Form | None = None,
    refusal: LivehubError | None = None,
) -> HTTPResponse:
    newest = await plans.published(actor.centre_id, week)
    looked_at = await plans.published(actor.centre_id, week, number=version) if version else None
    if version and looked_at is None:
        raise NotFound
    draft = await plans.draft(actor.centre_id, week)
    return page(
        "desk/plans.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "plans", refusal=refusal),
        week=week,
        sunday=week.next.monday - timedelta(days=1),
        this_week=_this_week(),
        newest=newest,
        looked_at=looked_at,
        slots=looked_at.slots if looked_at else draft,
        diff=plan_diff.between(newest.slots if newest else (), draft),
        versions=await plans.versions(actor.centre_id, week),
        movable=[
            (each.booking, f"{clock.local(each.starts_at):%m-%d %H:%M} {each.room} {each.title}")
            for each in draft
        ],
        rooms=[(each.public_id, each.name) for each in await rooms.rooms_of(actor.centre_id)],
        form=form or reading.blank(minutes="120"),
        may_publish=may(actor, Permission.PLAN_PUBLISH),
        may_move=may(actor, Permission.BOOKING_APPROVE),
    )


def _this_week() -> Week:
    return plans.of_day(clock.local_day(clock.now()))
