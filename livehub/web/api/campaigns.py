"""消费券: campaigns and their money, rounds, links, and the drops of a broadcast."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit.states import WrongState
from livehub.vouchers import campaign_queries, campaigns, drops, ledger_queries, links, rounds
from livehub.vouchers.campaign_queries import CampaignPage, CampaignRow, RoundRow
from livehub.vouchers.errors import (
    BudgetExhausted,
    DropAlreadyOpen,
    DropTooMany,
    DropWindowTooLong,
    Ended,
    InsufficientFunds,
    NotLive,
    TemplateUnfit,
)
from livehub.vouchers.models import Account, CampaignStatus, Drop, RoundStatus, Validity
from livehub.vouchers.queries import Kind
from livehub.web.api import named
from livehub.web.api.calls import as_utc
from livehub.web.api.declared import ROOT, Asked, Section
from livehub.web.api.shapes import AsOf, Fen, Instant, Nothing, Paging, PublicId, RowRef, Unit

calls = Section("消费券")

Preset = Annotated[
    str,
    Meta(
        pattern=f"^(?:{'|'.join(campaigns.REFUND_PRESETS)})$",
        description=f"退款规则：{'、'.join(campaigns.REFUND_PRESETS)}",
    ),
]
Words = Annotated[str, Meta(min_length=1, max_length=60)]
Amount = Annotated[int, Meta(ge=1, le=10**9, description="单位：分")]


class CampaignFilter(Paging, frozen=True, kw_only=True):
    """要哪些活动。"""

    state: CampaignStatus | None = None


class Ratio(Struct, frozen=True, kw_only=True):
    """分子与分母；分母为 0 时没有比值。"""

    numerator: int
    denominator: int


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
    leverage: Annotated[Ratio, Meta(description="核销订单金额 / 券补贴，单位都是分")]
    floor: Annotated[Ratio, Meta(description="门槛 / 面额：杠杆的保底")]
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


class NewCampaign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """活动的草稿。"""

    name: Words
    issuer_name: Words
    budget_fen: Annotated[int, Meta(ge=1, le=10**14, description="预算，单位：分")]
    purpose: Annotated[str, Meta(max_length=120)] = ""
    refund_preset: Preset = "futian"
    min_pay_fen: Annotated[int, Meta(ge=1, le=10**9, description="顾客最少实付，单位：分")] = 1
    bureau: Annotated[str, Meta(max_length=16, description="部门公开编号；只属于一个部门时可省略")] = ""


class Template(Struct, frozen=True, kw_only=True):
    """一个券种。"""

    id: str
    name: str
    face_fen: Fen
    threshold_fen: Fen
    quantity: int
    issued: int
    redeemed: int
    validity: Validity
    validity_n: int
    valid_from: Instant | None
    valid_until: Instant | None
    merchants_only: bool
    per_person: int


class Round(Struct, frozen=True, kw_only=True):
    """一个轮次。"""

    id: str
    seq: int
    mode: str
    state: RoundStatus
    claim_from: Instant
    claim_until: Instant
    allocated_fen: Fen
    templates: list[Template]


class Campaign(Struct, frozen=True, kw_only=True):
    """一个活动。"""

    id: str
    name: str
    issuer_name: str
    purpose: str
    bureau: str
    bureau_name: str
    state: CampaignStatus
    is_submitted: Annotated[bool, Meta(description="已提交会签")]
    refund_preset: str
    approved_at: Instant | None
    version: Annotated[int, Meta(description="会签时放入 If-Match")]
    basis: Literal["ledger"]
    unit: Unit
    as_of: AsOf
    budget_fen: Fen
    min_pay_fen: Fen
    worst_case_fen: Annotated[int, Meta(description="全部领完、用完时的支出，单位：分")]
    rounds: list[Round]


class Balance(Struct, frozen=True, kw_only=True):
    """一类账户的余额。"""

    account: Account
    balance_fen: Fen


class LedgerEntry(Struct, frozen=True, kw_only=True):
    """一笔账：从一个账户到另一个。"""

    id: RowRef
    at: Instant
    kind: str
    debit: Annotated[Account, Meta(description="钱离开的账户")]
    credit: Annotated[Account, Meta(description="钱进入的账户")]
    amount_fen: Fen
    voucher: str
    redemption: str


class LedgerAnswer(Struct, frozen=True, kw_only=True):
    """资金账。"""

    basis: Literal["ledger"]
    unit: Unit
    as_of: AsOf
    balances: list[Balance]
    is_balanced: Annotated[bool, Meta(description="拨入 = 各账户之和")]
    items: Annotated[list[LedgerEntry], Meta(description="新的在前")]
    page: int
    size: int
    total: int


class Metrics(Struct, frozen=True, kw_only=True):
    """活动的数字，一律来自核销记录；比值只给分子和分母。"""

    basis: Literal["redemption"]
    unit: Unit
    as_of: AsOf
    evidence_url: str
    quantity: int
    claimed: int
    redeemed: int
    left: int
    order_fen: Fen
    subsidy_fen: Fen
    leverage: Annotated[Ratio, Meta(description="核销订单金额 / 券补贴")]
    floor: Annotated[Ratio, Meta(description="门槛 / 面额：杠杆的保底")]
    redeemed_of_claimed: Annotated[Ratio, Meta(description="已核销 / 已领，张")]
    matured: Annotated[Ratio, Meta(description="到期的券里：已核销 / 已领，张")]


class NewTemplate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个新券种。"""

    name: Words
    face_fen: Amount
    threshold_fen: Amount
    quantity: Annotated[int, Meta(ge=1, le=100_000_000)]
    validity: Validity
    validity_n: Annotated[int, Meta(ge=0, le=10_000, description="小时数或天数")] = 0
    valid_from: Instant | None = None
    valid_until: Annotated[Instant | None, Meta(description="不含")] = None
    merchants_only: bool = False
    rules: Annotated[dict[str, dict[str, Any]], Meta(description="规则名与参数；不写即每人限领一张")] = {}


class NewRound(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个新轮次；面额 × 数量从活动可用资金里划出。"""

    claim_from: Instant
    claim_until: Instant
    templates: Annotated[tuple[NewTemplate, ...], Meta(min_length=1, max_length=20)]


class NewLink(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个新的领券链接。"""

    streamer: Annotated[str, Meta(max_length=16, description="主播公开编号")] = ""
    platform: Annotated[str, Meta(max_length=32)] = ""
    quota: Annotated[int, Meta(ge=0, le=100_000_000, description="0：不另设上限")] = 0


class Link(Struct, frozen=True, kw_only=True):
    """领券链接：公开，只带来路，不带权利。"""

    slug: str
    url: str


class NewDrop(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """本场要投放的券。"""

    template: PublicId
    quantity: Annotated[int, Meta(ge=1, le=100_000_000)]
    window_s: Annotated[int, Meta(ge=1, le=drops.MAX_WINDOW_S, description="开放多少秒")]


class DropOpening(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """现在投放多少；不写即全部。"""

    quantity: Annotated[int, Meta(ge=1, le=100_000_000)] | None = None


class DropState(Struct, frozen=True, kw_only=True):
    """一次投放。"""

    id: str
    state: Annotated[str, Meta(description="planned 待投放，open 投放中，closed 已结束")]
    quantity: int
    claimed: int
    opens_at: Instant
    closes_at: Instant


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
    wanted = campaigns.NewCampaign(
        name=body.name,
        issuer_name=body.issuer_name,
        purpose=body.purpose,
        budget_fen=body.budget_fen,
        refund_preset=body.refund_preset,
        min_pay_fen=body.min_pay_fen,
    )
    made = await database.unit(
        lambda: campaigns.draft(
            wanted,
            bureau_id=bureau_id,
            centre_id=asked.actor.centre_id,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return await _answered(made.public_id, asked.actor, asked.now)


@calls.get(
    "/campaigns/{campaign_id}",
    summary="一个活动和它的轮次",
    needs=(Permission.CAMPAIGN_READ,),
    query=Nothing,
    answer=Campaign,
)
async def one(asked: Asked[Nothing, None], campaign_id: str) -> Campaign:
    """A campaign the caller may see."""
    return await _answered(campaign_id, asked.actor, asked.now)


@calls.get(
    "/campaigns/{campaign_id}/ledger",
    summary="活动的资金账",
    needs=(Permission.LEDGER_READ,),
    query=Paging,
    answer=LedgerAnswer,
)
async def ledger(asked: Asked[Paging, None], campaign_id: str) -> LedgerAnswer:
    """Where each fen lies, and how it came there."""
    view = await _seen(campaign_id, asked.actor, Permission.LEDGER_READ, now=asked.now)
    page = await ledger_queries.entries(view.row_id, number=asked.query.page, size=asked.query.size)
    return LedgerAnswer(
        basis="ledger",
        unit="fen",
        as_of=asked.now,
        balances=[Balance(account=kind, balance_fen=fen) for kind, fen in view.balances.items()],
        is_balanced=view.balanced,
        items=[
            LedgerEntry(
                id=str(row.id),
                at=row.at,
                kind=row.kind,
                debit=Account(row.debit),
                credit=Account(row.credit),
                amount_fen=row.amount_fen,
                voucher=row.voucher,
                redemption=row.redemption,
            )
            for row in page.items
        ],
        page=page.number,
        size=page.size,
        total=page.total,
    )


@calls.get(
    "/campaigns/{campaign_id}/metrics",
    summary="活动的发放、核销与杠杆",
    needs=(Permission.CAMPAIGN_READ,),
    query=Nothing,
    answer=Metrics,
)
async def metrics(asked: Asked[Nothing, None], campaign_id: str) -> Metrics:
    """Counts, sums, and ratios as numerator and denominator."""
    view = await _seen(campaign_id, asked.actor, Permission.CAMPAIGN_READ, now=asked.now)
    found = view.figures
    return Metrics(
        basis="redemption",
        unit="fen",
        as_of=asked.now,
        evidence_url=f"{ROOT}/campaigns/{view.id}/ledger",
        quantity=found.quantity,
        claimed=found.claimed,
        redeemed=found.redeemed,
        left=found.left,
        order_fen=found.order_fen,
        subsidy_fen=found.subsidy_fen,
        leverage=Ratio(numerator=found.order_fen, denominator=found.subsidy_fen),
        floor=Ratio(numerator=found.threshold_fen, denominator=found.face_fen),
        redeemed_of_claimed=Ratio(numerator=found.redeemed, denominator=found.claimed),
        matured=Ratio(numerator=view.matured_redeemed, denominator=view.matured_claimed),
    )


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
    view = await _seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    await database.unit(lambda: campaigns.submit(view.row_id, actor=asked.actor, now=asked.now))
    return await _answered(campaign_id, asked.actor, asked.now)


@calls.post(
    "/campaigns/{campaign_id}/countersign",
    summary="会签并拨入预算；须由起草、提交以外的人",
    needs=(Permission.CAMPAIGN_COUNTERSIGN,),
    body=Nothing,
    answer=Campaign,
    refusals=(WrongState, SecondPersonNeeded),
    versioned=True,
)
async def countersign(asked: Asked[None, Nothing], campaign_id: str) -> Campaign:
    """Approve and fund it."""
    view = await _seen(campaign_id, asked.actor, Permission.CAMPAIGN_COUNTERSIGN, now=asked.now)
    await database.unit(
        lambda: campaigns.countersign(view.row_id, actor=asked.actor, now=asked.now, version=asked.version)
    )
    return await _answered(campaign_id, asked.actor, asked.now)


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
    view = await _seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    await database.unit(lambda: campaigns.start(view.row_id, actor=asked.actor, now=asked.now))
    return await _answered(campaign_id, asked.actor, asked.now)


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
    view = await _seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    await database.unit(lambda: campaigns.pause(view.row_id, actor=asked.actor, now=asked.now))
    return await _answered(campaign_id, asked.actor, asked.now)


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
    view = await _seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    await database.unit(lambda: campaigns.resume(view.row_id, actor=asked.actor, now=asked.now))
    return await _answered(campaign_id, asked.actor, asked.now)


@calls.post(
    "/campaigns/{campaign_id}/rounds",
    summary="安排轮次",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=NewRound,
    answer=Round,
    status=201,
    refusals=(WrongState, TemplateUnfit, BudgetExhausted, InsufficientFunds),
)
async def schedule(asked: Asked[None, NewRound], campaign_id: str) -> Round:
    """Plan a claim window and set its money aside."""
    view = await _seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    body = asked.body
    made = await database.unit(
        lambda: rounds.schedule(
            view.row_id,
            templates=[_wanted(each) for each in body.templates],
            claim_from=as_utc(body.claim_from),
            claim_until=as_utc(body.claim_until),
            actor=asked.actor,
            now=asked.now,
        )
    )
    return await _round(made.public_id, campaign_id, asked.actor, asked.now)


@calls.post(
    "/rounds/{round_id}/open",
    summary="开放领取",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Nothing,
    answer=Round,
    refusals=(WrongState,),
)
async def open_round(asked: Asked[None, Nothing], round_id: str) -> Round:
    """Let people claim."""
    number, campaign = await named.round_of(round_id, actor=asked.actor)
    await database.unit(lambda: rounds.open_round(number, actor=asked.actor, now=asked.now))
    return await _round(round_id, campaign, asked.actor, asked.now)


@calls.post(
    "/rounds/{round_id}/close",
    summary="截止领取，没有领走的资金释放",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Nothing,
    answer=Round,
    refusals=(WrongState, InsufficientFunds),
)
async def close_round(asked: Asked[None, Nothing], round_id: str) -> Round:
    """End the claims."""
    number, campaign = await named.round_of(round_id, actor=asked.actor)
    await database.unit(lambda: rounds.close_round(number, actor=asked.actor, now=asked.now))
    return await _round(round_id, campaign, asked.actor, asked.now)


@calls.post(
    "/rounds/{round_id}/links",
    summary="建立领券链接",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=NewLink,
    answer=Link,
    status=201,
)
async def link(asked: Asked[None, NewLink], round_id: str) -> Link:
    """A link that gives the round's vouchers directly."""
    number, _ = await named.round_of(round_id, actor=asked.actor)
    body = asked.body
    streamer_id = await named.streamer_id(body.streamer, actor=asked.actor) if body.streamer else None
    made = await database.unit(
        lambda: links.create(
            number,
            actor=asked.actor,
            now=asked.now,
            streamer_id=streamer_id,
            platform=body.platform,
            quota=body.quota,
        )
    )
    return Link(slug=made.slug, url=f"{asked.opened.settings.url}/c/{made.slug}")


@calls.post(
    "/broadcasts/{broadcast_id}/drops",
    summary="为场次安排投放",
    needs=(Permission.DROP_RUN,),
    body=NewDrop,
    answer=DropState,
    status=201,
    refusals=(DropTooMany, DropWindowTooLong),
)
async def plan_drop(asked: Asked[None, NewDrop], broadcast_id: str) -> DropState:
    """Set vouchers aside for a broadcast."""
    body = asked.body
    broadcast = await named.broadcast_id(broadcast_id, actor=asked.actor)
    template = await named.template_id(body.template, actor=asked.actor)
    made = await database.unit(
        lambda: drops.plan(
            broadcast,
            template_id=template,
            quantity=body.quantity,
            window_s=body.window_s,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return _drop(made)


@calls.post(
    "/drops/{drop_id}/open",
    summary="开始投放",
    needs=(Permission.DROP_RUN,),
    body=DropOpening,
    answer=DropState,
    refusals=(NotLive, Ended, DropAlreadyOpen, DropTooMany),
)
async def open_drop(asked: Asked[None, DropOpening], drop_id: str) -> DropState:
    """Let the broadcast's links give the vouchers; with a smaller quantity the rest stays planned."""
    number = await named.drop_id(drop_id, actor=asked.actor)
    opened = await database.unit(
        lambda: drops.open_drop(number, actor=asked.actor, now=asked.now, quantity=asked.body.quantity)
    )
    return _drop(opened)


@calls.post(
    "/drops/{drop_id}/close",
    summary="收回投放",
    needs=(Permission.DROP_RUN,),
    body=Nothing,
    answer=DropState,
)
async def close_drop(asked: Asked[None, Nothing], drop_id: str) -> DropState:
    """End it; what nobody claimed is the template's again."""
    number = await named.drop_id(drop_id, actor=asked.actor)
    closed = await database.unit(lambda: drops.close_drop(number, actor=asked.actor, now=asked.now))
    return _drop(closed)


async def _seen(public_id: str, actor: Actor, permission: Permission, *, now: datetime) -> CampaignPage:
    """A campaign within what the permission covers; NotFound else."""
    return await campaign_queries.campaign(
        public_id, centre_id=actor.centre_id, bureaus=bureau_scope(actor, permission), now=now
    )


async def _answered(public_id: str, actor: Actor, now: datetime) -> Campaign:
    view = await _seen(public_id, actor, Permission.CAMPAIGN_READ, now=now)
    bureaus = await named.bureaus(actor.centre_id)
    return Campaign(
        id=view.id,
        name=view.name,
        issuer_name=view.issuer,
        purpose=view.purpose,
        bureau=bureaus[view.bureau_id],
        bureau_name=view.bureau,
        state=CampaignStatus(view.state),
        is_submitted=view.submitted,
        refund_preset=view.refund_preset,
        approved_at=view.approved_at,
        version=view.version,
        basis="ledger",
        unit="fen",
        as_of=now,
        budget_fen=view.budget_fen,
        min_pay_fen=view.min_pay_fen,
        worst_case_fen=view.worst_case_fen,
        rounds=[_round_of(row) for row in view.rounds],
    )


async def _round(public_id: str, campaign_id: str, actor: Actor, now: datetime) -> Round:
    view = await _seen(campaign_id, actor, Permission.CAMPAIGN_READ, now=now)
    return next(_round_of(row) for row in view.rounds if row.id == public_id)


def _round_of(row: RoundRow) -> Round:
    return Round(
        id=row.id,
        seq=row.seq,
        mode=row.mode,
        state=RoundStatus(row.state),
        claim_from=row.claim_from,
        claim_until=row.claim_until,
        allocated_fen=row.allocated_fen,
        templates=[_template(kind) for kind in row.templates],
    )


def _template(kind: Kind) -> Template:
    return Template(**{name: getattr(kind, name) for name in Template.__struct_fields__})


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
        leverage=Ratio(numerator=row.leverage_num_fen, denominator=row.leverage_den_fen),
        floor=Ratio(numerator=row.floor_num_fen, denominator=row.floor_den_fen),
        claim_from=row.claim_from,
        claim_until=row.claim_until,
    )


def _wanted(template: NewTemplate) -> rounds.NewTemplate:
    values = {name: getattr(template, name) for name in NewTemplate.__struct_fields__}
    for name in ("valid_from", "valid_until"):
        values[name] = as_utc(values[name]) if values[name] else None
    return rounds.NewTemplate(**values)


def _drop(drop: Drop) -> DropState:
    return DropState(
        id=drop.public_id,
        state=drop.state,
        quantity=drop.quantity,
        claimed=drop.claimed,
        opens_at=drop.opens_at,
        closes_at=drop.closes_at,
    )
