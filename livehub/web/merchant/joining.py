"""/m/campaigns: which campaigns a merchant takes part in, and the others it may ask to."""

from __future__ import annotations

from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.vouchers import enrolment_queries, enrolments
from livehub.web import doors
from livehub.web.merchant.pages import merchant_of
from livehub.web.rendering import page

bp = Blueprint("merchant_campaigns", url_prefix="/m/campaigns")


@bp.get("/")
@doors.signed_in(Permission.VOUCHER_REDEEM)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """Each with what became of the asking."""
    return await _page(request, actor)


@bp.post("/<campaign_id:str>/ask")
@doors.signed_in(Permission.VOUCHER_REDEEM)
async def ask(request: Request, actor: Actor, campaign_id: str) -> HTTPResponse:
    """Ask to take part; the bureau decides."""
    mine = merchant_of(actor)
    found = [each for each in await enrolment_queries.joinable(mine) if each.id == campaign_id]
    if not found:
        raise NotFound
    number = found[0].row_id
    try:
        await database.unit(lambda: enrolments.ask(number, merchant_id=mine, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _page(request, actor, refusal=doors.shown(request, error))
    return redirect("/m/campaigns?done=asked", status=303)


async def _page(request: Request, actor: Actor, *, refusal: LivehubError | None = None) -> HTTPResponse:
    return page(
        "merchant/campaigns.html",
        status=refusal.status if refusal else 200,
        csrf=doors.csrf(request),
        campaigns=await enrolment_queries.joinable(merchant_of(actor)),
        asked=request.args.get("done") == "asked",
        alert=refusal.message if refusal else "",
    )
