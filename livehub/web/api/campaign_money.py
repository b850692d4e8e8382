"""Where the money of a campaign lies, and what came of it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub.accounts.permissions import Permission
from livehub.vouchers import ledger_queries
from livehub.vouchers.models import Account
from livehub.web.api import campaign_answers
from livehub.web.api.campaign_answers import Ratio
from livehub.web.api.declared import ROOT, Asked, Section
from livehub.web.api.shapes import AsOf, Fen, Instant, Nothing, Paging, RowRef, Unit

calls = Section("消费券")


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


@calls.get(
    "/campaigns/{campaign_id}/ledger",
    summary="活动的资金账",
    needs=(Permission.LEDGER_READ,),
    query=Paging,
    answer=LedgerAnswer,
)
async def ledger(asked: Asked[Paging, None], campaign_id: str) -> LedgerAnswer:
    """Where each fen lies, and how it came there."""
    view = await campaign_answers.seen(campaign_id, asked.actor, Permission.LEDGER_READ, now=asked.now)
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
    view = await campaign_answers.seen(campaign_id, asked.actor, Permission.CAMPAIGN_READ, now=asked.now)
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
