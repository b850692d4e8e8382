"""/desk/bookings: who asked for which room, and the centre's answer, one by one or several at once."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts import queries as accounts
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, may
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, LivehubError
from livehub.web import doors, reading
from livehub.web.desk.frame import asked, back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import booking, moves, queries
from rooms.models import BookingState
from rooms.queries import BookingRow

bp = Blueprint("desk_bookings", url_prefix="/desk/bookings")

Version = Annotated[int, Meta(ge=1)]
BATCH = 50


class Query(Struct):
    """The list's address."""

    state: Annotated[str, Meta(max_length=16)] = ""
    room: Annotated[str, Meta(max_length=16)] = ""
    bureau: Annotated[str, Meta(max_length=16)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Approval(Struct):
    """A booking as it was seen."""

    version: Version


class Rejection(Struct):
    """A booking as it was seen, and why not."""

    version: Version
    reason: Annotated[str, Meta(min_length=1, max_length=booking.REASON_LENGTH)]


class Batch(Struct):
    """Several bookings, each as ``id:version``."""

    chosen: Annotated[list[Annotated[str, Meta(pattern=r"^[0-9a-z]{1,16}:\d{1,9}$")]], Meta(max_length=BATCH)]


@bp.get("/")
@doors.signed_in(Permission.BOOKING_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The list, what waits first."""
    return await _list(request, actor)


@bp.post("/approve")
@doors.signed_in(Permission.BOOKING_APPROVE)
async def approve_several(request: Request, actor: Actor) -> HTTPResponse:
    """Approve what was ticked; what cannot be approved any more is left and counted."""
    try:
        chosen = reading.form(request, Batch).chosen
        if not chosen:
            raise Invalid("请先勾选要批准的排期。", details=[Detail("chosen", "请勾选")])
    except LivehubError as error:
        return await _list(request, actor, refusal=doors.shown(request, error))
    refused: list[LivehubError] = []
    for each in chosen:
        public_id, _, version = each.partition(":")
        try:
            await _approve(public_id, int(version), actor=actor)
        except LivehubError as error:
            refused.append(doors.shown(request, error))
    done = f"已处理 {len(chosen) - len(refused)} 个" if len(refused) < len(chosen) else ""
    problem = Invalid(f"{len(refused)} 个没有批准：{refused[0].message}") if refused else None
    return await _list(request, actor, done=done, refusal=problem)


@bp.post("/<public_id:str>/approve")
@doors.signed_in(Permission.BOOKING_APPROVE)
async def approve(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Make one booking firm."""
    try:
        state = await _approve(public_id, reading.form(request, Approval).version, actor=actor)
    except LivehubError as error:
        return await _list(request, actor, refusal=doors.shown(request, error))
    return back(
        "/desk/bookings", done="first-approved" if state is BookingState.FIRST_APPROVED else "approved"
    )


@bp.post("/<public_id:str>/reject")
@doors.signed_in(Permission.BOOKING_APPROVE)
async def reject(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Refuse one booking; the applicant reads the reason."""
    try:
        given = reading.form(request, Rejection)
        await database.unit(
            lambda: booking.reject(
                public_id, reason=given.reason, version=given.version, actor=actor, now=clock.now()
            )
        )
    except Invalid as error:
        return await _list(
            request, actor, form=reading.refused(request, error), form_for=public_id, status=error.status
        )
    except LivehubError as error:
        return await _list(request, actor, refusal=doors.shown(request, error))
    return back("/desk/bookings", done="rejected")


async def _approve(public_id: str, version: int, *, actor: Actor) -> BookingState:
    approved = await database.unit(
        lambda: booking.approve(public_id, version=version, actor=actor, now=clock.now())
    )
    return approved.state


async def _list(
    request: Request,
    actor: Actor,
    *,
    form: Form | None = None,
    form_for: str = "",
    done: str = "",
    refusal: LivehubError | None = None,
    status: int = 200,
) -> HTTPResponse:
    query = reading.query(request, Query)
    bureaus = await accounts.bureaus(actor.centre_id)
    scope = bureau_scope(actor, Permission.BOOKING_READ)
    wanted = next((each.id for each in bureaus if each.public_id == query.bureau), -1) if query.bureau else 0
    found = await queries.bookings(
        actor=actor, state=query.state, room=query.room, bureau_id=wanted, number=query.page
    )
    return page(
        "desk/bookings.html",
        status=refusal.status if refusal else status,
        shell=await frame(request, actor, "bookings", done=done, refusal=refusal),
        now=clock.now(),
        query=asked(request, Query),
        page=found,
        undecided={each.id for each in found.items if _may_decide(each, actor)},
        rooms=[(each.public_id, each.name) for each in await queries.rooms_of(actor.centre_id)],
        bureaus=[(each.public_id, each.name) for each in bureaus if scope is None or each.id in scope],
        form=form or reading.blank(),
        form_for=form_for,
    )


def _may_decide(row: BookingRow, actor: Actor) -> bool:
    return row.state in moves.PENDING and may(actor, Permission.BOOKING_APPROVE, bureau_id=row.bureau_id)
