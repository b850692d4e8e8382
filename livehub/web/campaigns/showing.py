"""One campaign's page, as each of its steps leaves it: what it is, and what this reader may do next."""

from __future__ import annotations

from sanic import Request
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.vouchers import campaign_queries, enrolment_queries, expectations, refund_policy, rollover_plans
from livehub.vouchers.campaign_queries import CampaignPage, RoundRow
from livehub.vouchers.enrolments import MAY_JOIN
from livehub.vouchers.models import CampaignStatus, RoundStatus
from livehub.vouchers.round_states import GIVING, LOTTERY
from livehub.vouchers.rounds import MAY_SCHEDULE
from livehub.web import reading, two_doors
from livehub.web.desk.frame import order_path
from livehub.web.reading import Form
from livehub.web.rendering import page


async def read(
    public_id: str, actor: Actor, permission: Permission = Permission.CAMPAIGN_READ
) -> CampaignPage:
    """A campaign within what the permission covers; NotFound else."""
    return await campaign_queries.campaign(
        public_id, centre_id=actor.centre_id, bureaus=bureau_scope(actor, permission), now=clock.now()
    )


def round_of(seen: CampaignPage, round_id: str) -> RoundRow:
    """One of its rounds; NotFound else."""
    for each in seen.rounds:
        if each.id == round_id:
            return each
    raise NotFound


async def show(
    request: Request,
    actor: Actor,
    public_id: str,
    *,
    refusal: LivehubError | None = None,
    form: Form | None = None,
    at: str = "",
) -> HTTPResponse:
    """The page, with what was just refused above it, and beside the fields of one of its small forms.

    ``at`` says which of several alike: the merchant's public id.
    """
    seen = await read(public_id, actor)
    now = clock.now()
    return page(
        "campaigns/campaign.html",
        status=refusal.status if refusal else 200,
        shell=await two_doors.shell(request, actor, "campaigns", refusal=refusal),
        path=two_doors.path_of(request),
        as_of=now,
        campaign=seen,
        preset=refund_policy.registry().get(seen.refund_preset),
        floor=expectations.floor(
            (kind.threshold_fen, kind.face_fen, kind.quantity)
            for each in seen.rounds
            for kind in each.templates
        ),
        past=await expectations.past(seen.bureau_id, but=seen.row_id),
        taking=[
            each.seq
            for each in seen.rounds
            if rollover_plans.hindrance(RoundStatus(each.state), each.claim_until, now=now) is None
        ],
        may_see_settlement=may(actor, Permission.SETTLEMENT_READ, bureau_id=seen.bureau_id),
        may_budget=CampaignStatus(seen.state) in MAY_SCHEDULE
        and actor.id not in (seen.drafted_by_id, seen.submitted_by_id)
        and may(actor, Permission.CAMPAIGN_COUNTERSIGN, bureau_id=seen.bureau_id),
        form=form or reading.blank(),
        at=at,
        enrolled=await enrolment_queries.of_campaign(seen.row_id),
        may_take_in=await enrolment_queries.candidates(seen.row_id) if _may_take_in(seen, actor) else [],
        may_enrol=may(actor, Permission.CAMPAIGN_DRAFT, bureau_id=seen.bureau_id),
        balances={kind.name.lower(): fen for kind, fen in seen.balances.items()},
        order_hrefs={
            each.id: order_path(each.shop, each.order_ref) for each in seen.redemptions if each.order_ref
        },
        may_see_money=may(actor, Permission.LEDGER_READ, bureau_id=seen.bureau_id),
        may_countersign=_may_countersign(seen, actor),
        steps=_steps(seen, actor),
        may_plan=may(actor, Permission.CAMPAIGN_DRAFT, bureau_id=seen.bureau_id)
        and CampaignStatus(seen.state) in MAY_SCHEDULE,
        openable=[each.id for each in seen.rounds if _may_open(each)],
        closable=[each.id for each in seen.rounds if each.state in GIVING],
    )


def _may_take_in(seen: CampaignPage, actor: Actor) -> bool:
    return CampaignStatus(seen.state) in MAY_JOIN and may(
        actor, Permission.CAMPAIGN_DRAFT, bureau_id=seen.bureau_id
    )


def _may_open(each: RoundRow) -> bool:
    wanted = RoundStatus.DRAWN if each.mode == LOTTERY else RoundStatus.SCHEDULED
    return each.state == wanted


def _steps(seen: CampaignPage, actor: Actor) -> set[str]:
    """What this reader may do with a campaign in its state, but for the countersign."""
    if not may(actor, Permission.CAMPAIGN_DRAFT, bureau_id=seen.bureau_id):
        return set()
    match CampaignStatus(seen.state):
        case CampaignStatus.DRAFT:
            own = {"edit"} if actor.id == seen.drafted_by_id else set()
            return own if seen.submitted else own | {"submit"}
        case CampaignStatus.APPROVED:
            return {"start"}
        case CampaignStatus.RUNNING:
            return {"pause", "end"}
        case CampaignStatus.PAUSED:
            return {"resume", "end"}
        case _:
            return set()


def _may_countersign(seen: CampaignPage, actor: Actor) -> bool:
    return (
        seen.state == CampaignStatus.DRAFT
        and seen.submitted
        and actor.id not in (seen.drafted_by_id, seen.submitted_by_id)
        and may(actor, Permission.CAMPAIGN_COUNTERSIGN, bureau_id=seen.bureau_id)
    )
