"""消费券的活动: drafted, countersigned with its budget, started, paused."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit.states import WrongState
from livehub.vouchers import campaign_ends, campaign_queries, campaigns, refund_policy
from livehub.vouchers.campaign_queries import CampaignRow
from livehub.vouchers.errors import NotTheDrafter
from livehub.vouchers.models import CampaignStatus
from livehub.web.api import campaign_answers, named
from livehub.web.api.campaign_answers import Campaign, Leverages
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import AsOf, Fen, Instant, Nothing, Paging, Unit, Words
from livehub.web.doors import SignInAgain

calls = Section("消费券")

Preset = Annotated[
    str,
    Meta(
        pattern=f"^(?:{'|'.join(refund_policy.registry())})$",
        description="退款规则："
        + "；".join(f"{each.name} {each.label}" for each in refund_policy.registry().values()),
    ),
]


class CampaignFilter(Paging, frozen=True, kw_only=True):
    """要哪些活动。"""

    state: CampaignStatus | None = None


class CampaignSummary(Struct, frozen=True, kw_only=True):
    """清单里的一个活动。"""

    id: str
    name: str
    issuer_name: str
    bureau_name: str
    state: CampaignStatus
    budget_fen: Fen
    committed_fen: Annotated[int, Meta(description="已领未用与已用，单位：分")]
    redeemed_fen: Annotated[int, Meta(description="已用，单位：分")]
    claimed: int
    redeemed: int
    leverage: Leverages
    claim_from: Instant | None
    claim_until: Instant | None


class CampaignsAnswer(Struct, frozen=True, kw_only=True):
    """一页活动。"""

    basis: Annotated[Literal["ledger"], Meta(description="按资金账与核销记录")]
    unit: Unit
    as_of: AsOf
    items: list[CampaignSummary]
    page: int
    size: int
    total: int


class CampaignDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """活动的草稿。"""

    name: Words
    issuer_name: Words
    budget_fen: Annotated[int, Meta(ge=1, le=10**14, description="预算，单位：分")]
    purpose: Annotated[str, Meta(max_length=120)] = ""
    refund_preset: Preset = "futian"
    min_pay_fen: Annotated[int, Meta(ge=1, le=10**9, description="顾客最少实付，单位：分")] = 1


class NewCampaign(CampaignDraft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个新活动。"""

    bureau: Annotated[str, Meta(max_length=16, description="部门公开编号；只属于一个部门时可省略")] = ""


@calls.get(
    "/campaigns",
    summary="活动清单，新的在前",
    needs=(Permission.CAMPAIGN_READ,),
    query=CampaignFilter,
    answer=CampaignsAnswer,
)
async def latest(asked: Asked[CampaignFilter, None]) -> CampaignsAnswer:
    """The campaigns the caller may see."""
    query = asked.query
    page = await campaign_queries.campaigns(
        centre_id=asked.actor.centre_id,
        bureaus=bureau_scope(asked.actor, Permission.CAMPAIGN_READ),
        state=query.state or "",
        number=query.page,
        size=query.size,
    )
    return CampaignsAnswer(
        basis="ledger",
        unit="fen",
        as_of=asked.now,
        items=[_summary(row) for row in page.items],
        page=page.number,
        size=page.size,
        total=page.total,
    )


@calls.post(
    "/campaigns",
    summary="起草活动",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=NewCampaign,
    answer=Campaign,
    status=201,
)
async def draft(asked: Asked[None, NewCampaign]) -> Campaign:
    """Write it down; it has no money yet."""
    body = asked.body
    bureau_id = await named.bureau_id(body.bureau, actor=asked.actor, permission=Permission.CAMPAIGN_DRAFT)
    wanted = _wanted(body)
    made = await database.unit(
        lambda: campaigns.draft(
            wanted,
            bureau_id=bureau_id,
            centre_id=asked.actor.centre_id,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return await campaign_answers.campaign(made.public_id, asked.actor, asked.now)


@calls.get(
    "/campaigns/{campaign_id}",
    summary="一个活动和它的轮次",
    needs=(Permission.CAMPAIGN_READ,),
    query=Nothing,
    answer=Campaign,
)
async def one(asked: Asked[Nothing, None], campaign_id: str) -> Campaign:
    """A campaign the caller may see."""
    return await campaign_answers.campaign(campaign_id, asked.actor, asked.now)


@calls.post(
    "/campaigns/{campaign_id}",
    summary="重写草稿；只有起草人可以，已提交的须重新提交",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=CampaignDraft,
    answer=Campaign,
    refusals=(WrongState, NotTheDrafter),
    versioned=True,
    method="PUT",
)
async def change(asked: Asked[None, CampaignDraft], campaign_id: str) -> Campaign:
    """Write it anew."""
    view = await campaign_answers.seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    await database.unit(
        lambda: campaigns.change(
            view.row_id, _wanted(asked.body), actor=asked.actor, now=asked.now, version=asked.version
        )
    )
    return await campaign_answers.campaign(campaign_id, asked.actor, asked.now)


@calls.post(
    "/campaigns/{campaign_id}/submit",
    summary="提交会签",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Nothing,
    answer=Campaign,
    refusals=(WrongState,),
)
async def submit(asked: Asked[None, Nothing], campaign_id: str) -> Campaign:
    """Send a draft for the countersign."""
    view = await campaign_answers.seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    await database.unit(lambda: campaigns.submit(view.row_id, actor=asked.actor, now=asked.now))
    return await campaign_answers.campaign(campaign_id, asked.actor, asked.now)


@calls.post(
    "/campaigns/{campaign_id}/countersign",
    summary="会签并拨入预算；须由起草、提交以外的人",
    needs=(Permission.CAMPAIGN_COUNTERSIGN,),
    body=Nothing,
    answer=Campaign,
    refusals=(WrongState, SecondPersonNeeded, SignInAgain),
    versioned=True,
)
async def countersign(asked: Asked[None, Nothing], campaign_id: str) -> Campaign:
    """Approve and fund it."""
    view = await campaign_answers.seen(
        campaign_id, asked.actor, Permission.CAMPAIGN_COUNTERSIGN, now=asked.now
    )
    await database.unit(
        lambda: campaigns.countersign(view.row_id, actor=asked.actor, now=asked.now, version=asked.version)
    )
    return await campaign_answers.campaign(campaign_id, asked.actor, asked.now)


@calls.post(
    "/campaigns/{campaign_id}/start",
    summary="开始发放",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Nothing,
    answer=Campaign,
    refusals=(WrongState,),
)
async def start(asked: Asked[None, Nothing], campaign_id: str) -> Campaign:
    """Let it give vouchers away."""
    view = await campaign_answers.seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    await database.unit(lambda: campaigns.start(view.row_id, actor=asked.actor, now=asked.now))
    return await campaign_answers.campaign(campaign_id, asked.actor, asked.now)


@calls.post(
    "/campaigns/{campaign_id}/pause",
    summary="暂停发放；已领的照常可用",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Nothing,
    answer=Campaign,
    refusals=(WrongState,),
)
async def pause(asked: Asked[None, Nothing], campaign_id: str) -> Campaign:
    """Stop claims."""
    view = await campaign_answers.seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    await database.unit(lambda: campaigns.pause(view.row_id, actor=asked.actor, now=asked.now))
    return await campaign_answers.campaign(campaign_id, asked.actor, asked.now)


@calls.post(
    "/campaigns/{campaign_id}/resume",
    summary="恢复发放",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Nothing,
    answer=Campaign,
    refusals=(WrongState,),
)
async def resume(asked: Asked[None, Nothing], campaign_id: str) -> Campaign:
    """Let claims go on."""
    view = await campaign_answers.seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    await database.unit(lambda: campaigns.resume(view.row_id, actor=asked.actor, now=asked.now))
    return await campaign_answers.campaign(campaign_id, asked.actor, asked.now)


@calls.post(
    "/campaigns/{campaign_id}/end",
    summary="结束活动：不再发放，已领的在有效期内照常可用，剩下的资金到期后退回财政",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Nothing,
    answer=Campaign,
    refusals=(WrongState,),
)
async def end(asked: Asked[None, Nothing], campaign_id: str) -> Campaign:
    """End it for good."""
    view = await campaign_answers.seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    await database.unit(lambda: campaign_ends.end(view.row_id, actor=asked.actor, now=asked.now))
    return await campaign_answers.campaign(campaign_id, asked.actor, asked.now)


def _wanted(body: CampaignDraft) -> campaigns.NewCampaign:
    return campaigns.NewCampaign(
        **{name: getattr(body, name) for name in campaigns.NewCampaign.__struct_fields__}
    )


def _summary(row: CampaignRow) -> CampaignSummary:
    return CampaignSummary(
        id=row.id,
        name=row.name,
        issuer_name=row.issuer,
        bureau_name=row.bureau,
        state=CampaignStatus(row.state),
        budget_fen=row.budget_fen,
        committed_fen=row.committed_fen,
        redeemed_fen=row.redeemed_fen,
        claimed=row.claimed,
        redeemed=row.redeemed,
        leverage=campaign_answers.leverages(row.pulled),
        claim_from=row.claim_from,
        claim_until=row.claim_until,
    )
