"""/m/settlements: what a merchant has coming, her batches, and her word that one is right or not."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import Invalid, LivehubError
from livehub.kit.states import WrongState
from livehub.settlement import batches, files, queries, responses
from livehub.web import doors, exports, reading
from livehub.web.merchant.pages import merchant_of
from livehub.web.rendering import page

bp = Blueprint("merchant_settlements", url_prefix="/m/settlements")

RUN_HOUR, RUN_MINUTE = 6, 30  # when the task of the morning makes the batches


class Query(Struct):
    """Which page of the list."""

    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Dispute(Struct):
    """What is not right."""

    reason: Annotated[str, Meta(min_length=2, max_length=batches.REASON_LENGTH)]


@bp.get("/")
@doors.signed_in(Permission.VOUCHER_REDEEM)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """What is coming, and what was."""
    query, now = reading.query(request, Query), clock.now()
    made_at = clock.at_local(clock.local_day(now), hour=RUN_HOUR, minute=RUN_MINUTE)
    return page(
        "merchant/settlements.html",
        csrf=doors.csrf(request),
        coming=await queries.coming(merchant_of(actor)),
        next_at=made_at if now < made_at else made_at + timedelta(days=1),
        query={},
        page=await queries.batches(actor=actor, number=query.page, size=20),
    )


@bp.get("/<public_id:str>")
@doors.signed_in(Permission.SETTLEMENT_CONFIRM)
async def show_one(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """One batch and its lines."""
    return await _batch(request, actor, public_id)


@bp.get("/<public_id:str>/file.csv")
@doors.signed_in(Permission.SETTLEMENT_CONFIRM, freshly=True)
async def download(_request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Her copy of the file."""
    kept = await files.newest((await queries.batch(public_id, actor=actor)).row_id)
    return exports.download(kept.name, kept.body)


@bp.post("/<public_id:str>/confirm")
@doors.signed_in(Permission.SETTLEMENT_CONFIRM)
async def confirm(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """It is right."""
    try:
        await database.unit(lambda: responses.confirm(public_id, actor=actor, now=clock.now()))
    except (Invalid, WrongState) as refusal:
        return await _batch(request, actor, public_id, refusal=doors.shown(request, refusal))
    return redirect(f"/m/settlements/{public_id}", status=303)


@bp.post("/<public_id:str>/dispute")
@doors.signed_in(Permission.SETTLEMENT_CONFIRM)
async def dispute(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """It is not, and why."""
    try:
        reason = reading.form(request, Dispute).reason
        await database.unit(lambda: responses.dispute(public_id, reason=reason, actor=actor, now=clock.now()))
    except (Invalid, WrongState) as refusal:
        return await _batch(request, actor, public_id, refusal=doors.shown(request, refusal))
    return redirect(f"/m/settlements/{public_id}", status=303)


async def _batch(
    request: Request, actor: Actor, public_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    seen = await queries.batch(public_id, actor=actor)
    query = reading.query(request, Query)
    return page(
        "merchant/settlement.html",
        status=refusal.status if refusal else 200,
        csrf=doors.csrf(request),
        batch=seen,
        query={},
        page=await queries.lines(seen.row_id, number=query.page, size=100),
        form=reading.refused(request, refusal) if refusal else reading.blank(),
    )
