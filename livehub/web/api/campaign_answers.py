"""A campaign and its rounds as /api/v1 answers with them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.vouchers import campaign_queries
from livehub.vouchers.campaign_queries import CampaignPage, RoundRow
from livehub.vouchers.kinds import Kind
from livehub.vouchers.leverage import Leverage
from livehub.vouchers.models import CampaignStatus, RoundStatus, Validity
from livehub.web import show
from livehub.web.api import named
from livehub.web.api.shapes import AsOf, Fen, Instant, Unit


class Ratio(Struct, frozen=True, kw_only=True):
    """分子与分母；分母为 0 时没有比值。"""

    numerator: int
    denominator: int
    value: Annotated[str | None, Meta(description="四位小数；分母为 0 时为 null")]
    reason: Annotated[str, Meta(description="为什么没有比值，有则为空")]


class Leverages(Struct, frozen=True, kw_only=True):
    """杠杆，一律来自核销记录。"""

    leverage_after_refunds: Annotated[Ratio, Meta(description="（订单 − 退款）/（补贴 − 收回）：对外的数字")]
    floor_after_refunds: Annotated[Ratio, Meta(description="门槛 / 面额，没有退完的核销：退款后杠杆的下限")]
    lost_fen: Annotated[int, Meta(description="低于下限时多付的补贴，单位：分")]
    leverage_gross: Annotated[Ratio, Meta(description="订单 / 补贴，核销时")]
    floor: Annotated[Ratio, Meta(description="门槛 / 面额，全部核销：毛杠杆的下限")]
    net_pull: Annotated[Ratio, Meta(description="（订单 − 补贴）/ 补贴，核销时")]
    leverage_cash: Annotated[Ratio, Meta(description="顾客净付 /（补贴 − 收回）")]


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
    pack: Annotated[str, Meta(description="所在券包的公开编号，单独发放为空")]
    n: Annotated[int, Meta(description="每个券包里的张数，单独发放为 1")]


class Pack(Struct, frozen=True, kw_only=True):
    """一个券包：里面的券一起领取；quantity、issued 是包数。"""

    id: str
    name: str
    quantity: int
    issued: int
    per_person: int
    vouchers: Annotated[int, Meta(description="每包张数")]
    face_fen: Annotated[int, Meta(description="每包面额合计，单位：分")]


class Round(Struct, frozen=True, kw_only=True):
    """一个轮次。"""

    id: str
    seq: int
    mode: str
    state: RoundStatus
    claim_from: Instant
    claim_until: Instant
    allocated_fen: Fen
    rolled_into: Annotated[int, Meta(description="剩下的资金滚入第几轮，0：没有安排")]
    rolled_fen: Annotated[int, Meta(description="已滚存的资金，单位：分")]
    rollover_hindrance: Annotated[
        Literal["", "closed", "window_over"],
        Meta(
            description="安排的滚存为什么已经做不到：滚入的轮次已截止（closed）或领取时间已过（window_over）"
        ),
    ]
    templates: list[Template]
    packs: list[Pack]


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


def ratio(numerator: int, denominator: int, reason: str = "分母为 0") -> Ratio:
    """A ratio, or why there is none."""
    return Ratio(
        numerator=numerator,
        denominator=denominator,
        value=show.quotient(numerator, denominator),
        reason="" if denominator else reason,
    )


def leverages(pulled: Leverage) -> Leverages:
    """Everything M6 asks for, from the same redemptions."""
    none = "补贴已随退款全部收回" if pulled.redemptions else "尚无核销"
    paid_fen = pulled.net_order_fen - pulled.net_subsidy_fen
    return Leverages(
        leverage_after_refunds=ratio(pulled.net_order_fen, pulled.net_subsidy_fen, none),
        floor_after_refunds=ratio(pulled.kept_threshold_fen, pulled.kept_face_fen, none),
        lost_fen=pulled.lost_fen,
        leverage_gross=ratio(pulled.order_fen, pulled.subsidy_fen, none),
        floor=ratio(pulled.threshold_fen, pulled.face_fen, none),
        net_pull=ratio(pulled.order_fen - pulled.subsidy_fen, pulled.subsidy_fen, none),
        leverage_cash=ratio(paid_fen, pulled.net_subsidy_fen, none),
    )


async def seen(public_id: str, actor: Actor, permission: Permission, *, now: datetime) -> CampaignPage:
    """A campaign within what the permission covers; NotFound else."""
    return await campaign_queries.campaign(
        public_id, centre_id=actor.centre_id, bureaus=bureau_scope(actor, permission), now=now
    )


async def campaign(public_id: str, actor: Actor, now: datetime) -> Campaign:
    """The campaign with its rounds; NotFound where the caller may not read it."""
    view = await seen(public_id, actor, Permission.CAMPAIGN_READ, now=now)
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
        rounds=[_round(row) for row in view.rounds],
    )


async def round_of(public_id: str, campaign_id: str, actor: Actor, now: datetime) -> Round:
    """One of its rounds."""
    view = await seen(campaign_id, actor, Permission.CAMPAIGN_READ, now=now)
    return next(_round(row) for row in view.rounds if row.id == public_id)


def _round(row: RoundRow) -> Round:
    return Round(
        id=row.id,
        seq=row.seq,
        mode=row.mode,
        state=RoundStatus(row.state),
        claim_from=row.claim_from,
        claim_until=row.claim_until,
        allocated_fen=row.allocated_fen,
        rolled_into=row.rolled_into,
        rolled_fen=row.rolled_fen,
        rollover_hindrance=row.rollover_hindrance,  # type: ignore[arg-type]
        templates=[_template(kind) for kind in row.templates],
        packs=[Pack(**{name: getattr(each, name) for name in Pack.__struct_fields__}) for each in row.packs],
    )


def _template(kind: Kind) -> Template:
    return Template(**{name: getattr(kind, name) for name in Template.__struct_fields__})
