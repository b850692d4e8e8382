"""核销的退款: a redemption as it stands, and giving back an order wholly or in part, once for each number."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.permissions import Permission, bureau_scope, merchant_scope
from livehub.vouchers import refunds, use_pages
from livehub.vouchers.errors import (
    AlreadyRefunded,
    IdempotencyMismatch,
    RefundByPlatform,
    RefundTooLate,
    RefundTooMuch,
    VoucherRefused,
)
from livehub.vouchers.models import RedemptionState
from livehub.vouchers.refund_reads import Fate
from livehub.vouchers.refunds import NUMBER_LENGTH, REASON_LENGTH
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import AsOf, Fen, Instant, Nothing, Unit

calls = Section("核销")

RefundNo = Annotated[
    str, Meta(min_length=1, max_length=NUMBER_LENGTH, description="退款单号，同一核销内唯一")
]
FateOf = Annotated[
    Fate,
    Meta(
        description="券的去向：returned 退还，part 未退完，never 规则不退还，parts 分次退完，late 已过期，"
        "rolled 资金已滚存"
    ),
]


class NewRefund(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """要退的金额。"""

    refund_no: RefundNo
    refund_fen: Annotated[
        int | None, Meta(description="退掉的订单金额（用券之前），单位：分；省略即退掉剩下的全部")
    ] = None
    reason: Annotated[str, Meta(max_length=REASON_LENGTH)] = ""


class Refund(Struct, frozen=True, kw_only=True):
    """一笔退款：订单金额 = 退给顾客 + 收回的补贴。"""

    redemption: str
    refund_no: str
    unit: Unit
    refund_fen: Fen
    cash_fen: Annotated[int, Meta(description="退给顾客，单位：分")]
    clawback_fen: Annotated[int, Meta(description="收回的补贴，单位：分")]
    left_fen: Annotated[int, Meta(description="订单还剩，单位：分")]
    is_restored: Annotated[bool, Meta(description="券已退还，可以再用")]
    fate: FateOf
    at: Instant
    hit: Annotated[bool, Meta(description="同一次提交或同一单号的重复，没有再退")]


class MadeRefund(Struct, frozen=True, kw_only=True):
    """核销上的一笔退款。"""

    refund_no: str
    at: Instant
    refund_fen: Fen
    cash_fen: Fen
    clawback_fen: Fen
    fate: FateOf
    source: Annotated[str, Meta(description="till 商户，desk 中心，api 接口，platform 平台通知")]


class RedemptionNow(Struct, frozen=True, kw_only=True):
    """一次核销现在的样子。"""

    id: str
    basis: Literal["redemption"]
    unit: Unit
    as_of: AsOf
    at: Instant
    state: RedemptionState
    platform: str
    order_no: str
    template_name: str
    order_fen: Fen
    subsidy_fen: Fen
    paid_fen: Fen
    refunded_fen: Annotated[int, Meta(description="订单已退，单位：分")]
    recovered_fen: Annotated[int, Meta(description="补贴已收回，单位：分")]
    left_fen: Fen
    valid_until: Annotated[Instant, Meta(description="券的有效期止，不含这一刻")]
    refunds: list[MadeRefund]


@calls.get(
    "/redemptions/{redemption_id}",
    summary="一次核销和它的退款",
    needs=(Permission.REDEMPTION_READ,),
    query=Nothing,
    answer=RedemptionNow,
)
async def one(asked: Asked[Nothing, None], redemption_id: str) -> RedemptionNow:
    """A redemption the caller may see."""
    use = await use_pages.use(
        redemption_id,
        centre_id=asked.actor.centre_id,
        bureaus=bureau_scope(asked.actor, Permission.REDEMPTION_READ),
        merchants=merchant_scope(asked.actor, Permission.REDEMPTION_READ),
        now=asked.now,
    )
    return RedemptionNow(
        basis="redemption",
        unit="fen",
        as_of=asked.now,
        template_name=use.template,
        refunds=[
            MadeRefund(**{name: getattr(row, name) for name in MadeRefund.__struct_fields__})
            for row in use.refunds
        ],
        **{name: getattr(use, name) for name in _SAME},
    )


_SAME = (
    "id",
    "at",
    "state",
    "platform",
    "order_no",
    "order_fen",
    "subsidy_fen",
    "paid_fen",
    "refunded_fen",
    "recovered_fen",
    "left_fen",
    "valid_until",
)


@calls.post(
    "/redemptions/{redemption_id}/refunds",
    summary="退款：整单或一部分",
    needs=(Permission.REDEMPTION_REFUND,),
    body=NewRefund,
    answer=Refund,
    status=201,
    keyed=True,
    alone=True,
    refusals=(
        AlreadyRefunded,
        IdempotencyMismatch,
        RefundByPlatform,
        RefundTooLate,
        RefundTooMuch,
        VoucherRefused,
    ),
)
async def refund(asked: Asked[None, NewRefund], redemption_id: str) -> Refund:
    """Refund it, or say why not."""
    body = asked.body
    made = await database.unit(
        lambda: refunds.refund(
            redemption_id,
            refund_no=body.refund_no,
            refund_fen=body.refund_fen,
            key=asked.key,
            source="api",
            reason=body.reason,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return Refund(
        redemption=made.redemption,
        refund_no=made.refund_no,
        unit="fen",
        refund_fen=made.refund_fen,
        cash_fen=made.cash_fen,
        clawback_fen=made.clawback_fen,
        left_fen=made.left_fen,
        is_restored=made.restored,
        fate=made.fate,
        at=made.at,
        hit=made.hit,
    )
