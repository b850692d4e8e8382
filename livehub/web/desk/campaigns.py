"""/desk/campaigns: whose voucher money went where, and the second person's signature."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError
from livehub.kit.states import WrongState
from livehub.vouchers import campaign_ends, campaign_queries, campaigns, rollover_plans, rollovers
from livehub.vouchers.campaign_queries import CampaignPage
from livehub.vouchers.errors import RolloverUnfit
from livehub.vouchers.models import CampaignStatus, RoundStatus
from livehub.web import doors, reading
from livehub.web.desk.frame import asked, back, frame, order_path
from livehub.web.rendering import page

bp = Blueprint("desk_campaigns", url_prefix="/desk/campaigns")


class Query(Struct):
    """The list's address."""

    state: Annotated[str, Meta(max_length=12)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Signature(Struct):
    """A campaign as it was read before it was signed."""

    version: Annotated[int, Meta(ge=1)]


class Into(Struct):
    """Which round takes what another one leaves, both by their place in the campaign."""

    source: Annotated[int, Meta(ge=1)]
    into: Annotated[int, Meta(ge=1)]


@bp.get("/")
@doors.signed_in(Permission.CAMPAIGN_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The list."""
    query = reading.query(request, Query)
    found = await campaign_queries.campaigns(
        centre_id=actor.centre_id,
        bureaus=bureau_scope(actor, Permission.CAMPAIGN_READ),
        state=query.state,
        number=query.page,
    )
    return page(
        "desk/campaigns.html",
        shell=await frame(request, actor, "campaigns"),
        query=asked(request, Query),
        page=found,
    )


@bp.get("/<public_id:str>")
@doors.signed_in(Permission.CAMPAIGN_READ)
async def show_one(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """One campaign with its money, rounds and latest uses."""
    return await _campaign(request, actor, public_id)


@bp.post("/<public_id:str>/countersign")
@doors.signed_in(Permission.CAMPAIGN_COUNTERSIGN, freshly=True)
async def countersign(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Approve and fund; refused to whoever drafted or submitted it."""
    seen = await _read(public_id, actor)
    try:
        version = reading.form(request, Signature).version
        await database.unit(
            lambda: campaigns.countersign(seen.row_id, actor=actor, now=clock.now(), version=version)
        )
    except LivehubError as error:
        return await _campaign(request, actor, public_id, refusal=doors.shown(request, error))
    return back(f"/desk/campaigns/{public_id}", done="countersigned")


@bp.post("/<public_id:str>/end")
@doors.signed_in(Permission.CAMPAIGN_DRAFT)
async def end(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Give nothing any more; what is left returns once all is over."""
    seen = await _read(public_id, actor)
    try:
        await database.unit(lambda: campaign_ends.end(seen.row_id, actor=actor, now=clock.now()))
    except WrongState as error:
        return await _campaign(request, actor, public_id, refusal=doors.shown(request, error))
    return back(f"/desk/campaigns/{public_id}", done="campaign-ended")


@bp.post("/<public_id:str>/rollover-plan")
@doors.signed_in(Permission.CAMPAIGN_DRAFT)
async def plan_rollover(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Let another round take what one leaves."""
    seen = await _read(public_id, actor)
    rounds = {each.seq: each.row_id for each in seen.rounds}
    try:
        wanted = reading.form(request, Into)
        if not {wanted.source, wanted.into} <= rounds.keys():
            raise RolloverUnfit
        await database.unit(
            lambda: rollovers.plan(
                rounds[wanted.source], into=rounds[wanted.into], actor=actor, now=clock.now()
            )
        )
    except LivehubError as error:
        return await _campaign(request, actor, public_id, refusal=doors.shown(request, error))
    return back(f"/desk/campaigns/{public_id}", done="rollover-planned")


async def _read(public_id: str, actor: Actor) -> CampaignPage:
    return await campaign_queries.campaign(
        public_id,
        centre_id=actor.centre_id,
        bureaus=bureau_scope(actor, Permission.CAMPAIGN_READ),
        now=clock.now(),
    )


async def _campaign(
    request: Request, actor: Actor, public_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    seen = await _read(public_id, actor)
    now = clock.now()
    return page(
        "desk/campaign.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "campaigns", refusal=refusal),
        as_of=now,
        campaign=seen,
        taking=[
            each.seq
            for each in seen.rounds
            if rollover_plans.hindrance(RoundStatus(each.state), each.claim_until, now=now) is None
        ],
        may_see_settlement=may(actor, Permission.SETTLEMENT_READ, bureau_id=seen.bureau_id),
        may_plan=may(actor, Permission.CAMPAIGN_DRAFT, bureau_id=seen.bureau_id),
        balances={kind.name.lower(): fen for kind, fen in seen.balances.items()},
        order_hrefs={
            each.id: order_path(each.shop, each.order_ref) for each in seen.redemptions if each.order_ref
        },
        may_see_money=may(actor, Permission.LEDGER_READ, bureau_id=seen.bureau_id),
        may_countersign=_may_countersign(seen, actor),
        may_end=seen.state in (CampaignStatus.RUNNING, CampaignStatus.PAUSED)
        and may(actor, Permission.CAMPAIGN_DRAFT, bureau_id=seen.bureau_id),
    )


def _may_countersign(seen: CampaignPage, actor: Actor) -> bool:
    return (
        seen.state == CampaignStatus.DRAFT
        and seen.submitted
        and actor.id not in (seen.drafted_by_id, seen.submitted_by_id)
        and may(actor, Permission.CAMPAIGN_COUNTERSIGN, bureau_id=seen.bureau_id)
    )
