"""/desk/closures 封场: what is closed, closing what is free, and whom closing the rest would meet."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import Conflict, Invalid, LivehubError
from livehub.web import doors, reading
from livehub.web.desk.frame import back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import closures, queries
from rooms import sharing_queries as sharing
from rooms.closures import Hit, Plan
from rooms.errors import PreviewChanged, RoomBooked

bp = Blueprint("desk_closures", url_prefix="/desk/closures")

HERE = "/desk/closures"


class ClosureForm(Struct):
    """Which rooms, when, why; ``expected`` is the number that was shown before."""

    rooms: Annotated[list[Annotated[str, Meta(max_length=16)]], Meta(max_length=50)]
    starts_at: reading.LocalTime
    ends_at: reading.LocalTime
    reason: Annotated[str, Meta(min_length=1, max_length=closures.REASON_LENGTH)]
    expected: Annotated[int, Meta(ge=0, le=10**6)] | None = None


@bp.get("/")
@doors.signed_in(Permission.ROOM_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """What is closed, and the empty form."""
    return await _page(request, actor, reading.blank())


@bp.post("/")
@doors.signed_in(Permission.ROOM_MANAGE)
async def close(request: Request, actor: Actor) -> HTTPResponse:
    """Close what is free; where somebody is, show whom it would meet, and ask once more."""
    chosen: list[str] = []
    try:
        given = reading.form(request, ClosureForm)
        chosen = list(given.rooms)
        plan = Plan(
            rooms=tuple(given.rooms),
            starts_at=given.starts_at,
            ends_at=given.ends_at,
            reason=given.reason,
            force=given.expected is not None,
        )
    except Invalid as error:
        return await _page(request, actor, reading.refused(request, error), status=error.status)
    try:
        await database.unit(
            lambda: closures.close(plan, expected=given.expected, actor=actor, now=clock.now())
        )
    except (RoomBooked, PreviewChanged) as error:
        hits = await database.unit(lambda: closures.preview(plan, actor=actor, now=clock.now()))
        return await _page(
            request, actor, reading.refused(request, error), chosen=chosen, hits=hits, status=error.status
        )
    except (Invalid, Conflict) as error:
        form = reading.refused(request, error)
        return await _page(request, actor, form, chosen=chosen, status=error.status)
    return back(HERE, done="room-closed")


@bp.post("/<closure_id:str>/lift")
@doors.signed_in(Permission.ROOM_MANAGE)
async def lift(request: Request, actor: Actor, closure_id: str) -> HTTPResponse:
    """Open the rooms again before the time is over."""
    try:
        await database.unit(lambda: closures.lift(closure_id, actor=actor, now=clock.now()))
    except LivehubError as error:
        shown = doors.shown(request, error)
        return await _page(request, actor, reading.blank(), refusal=shown, status=shown.status)
    return back(HERE, done="room-opened")


async def _page(
    request: Request,
    actor: Actor,
    form: Form,
    *,
    chosen: list[str] | None = None,
    hits: list[Hit] | None = None,
    refusal: LivehubError | None = None,
    status: int = 200,
) -> HTTPResponse:
    now = clock.now()
    return page(
        "desk/closures.html",
        status=status,
        shell=await frame(request, actor, "closures", refusal=refusal),
        now=now,
        closures=await sharing.closures(actor.centre_id, now=now),
        rooms=[(each.public_id, each.name) for each in await queries.rooms_of(actor.centre_id)],
        chosen=chosen or [],
        form=form,
        hits=hits or [],
        may_close=may(actor, Permission.ROOM_MANAGE) and may(actor, Permission.BOOKING_APPROVE),
    )
