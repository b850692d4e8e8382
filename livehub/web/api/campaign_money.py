"""Where the money of a campaign lies, and what came of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.permissions import Permission
from livehub.kit.states import WrongState
from livehub.vouchers import budgets, ledger_queries
from livehub.vouchers.errors import BudgetCommitted, BudgetMoved
from livehub.vouchers.models import Account
from livehub.web.api import campaign_answers
from livehub.web.api.campaign_answers import Campaign, Leverages, Ratio, leverages, ratio
from livehub.web.api.declared import ROOT, Asked, Section
from livehub.web.api.shapes import AsOf, Fen, Instant, Nothing, Paging, RowRef, Unit
from livehub.web.doors import SignInAgain

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


class Vouchers(Struct, frozen=True, kw_only=True):
    """券在哪里：cap = unclaimed + issued + locked + redeemed + refunded + expired + revoked，张。"""

    cap: Annotated[int, Meta(description="投放")]
    cap_fen: Fen
    unclaimed: int
    claimed: int
    claimed_fen: Fen
    issued: int
    locked: int
    redeemed: int
    refunded: Annotated[int, Meta(description="核销后退款，券不再退还")]
    expired: int
    expired_fen: Fen
    revoked: int
    refunds: Annotated[int, Meta(description="退款，笔")]
    returned: Annotated[int, Meta(description="其中券退还顾客，次")]
    recovered_fen: Annotated[int, Meta(description="收回的补贴，单位：分")]
    released_fen: Annotated[int, Meta(description="已释放、没有再用的资金，单位：分")]
    left: Annotated[int, Meta(description="现在还能领的")]


class Rate(Struct, frozen=True, kw_only=True):
    """按张和按金额。"""

    by_count: Ratio
    by_value: Ratio


class Metrics(Struct, frozen=True, kw_only=True):
    """活动的数字，一律来自核销记录；比值只给分子和分母。"""

    basis: Literal["redemption"]
    unit: Unit
    as_of: AsOf
    evidence_url: str
    funnel: Vouchers
    order_fen: Annotated[int, Meta(description="用券订单，核销时，单位：分")]
    subsidy_fen: Annotated[int, Meta(description="补贴，核销时，单位：分")]
    net_order_fen: Annotated[int, Meta(description="用券订单 − 退款，单位：分")]
    net_subsidy_fen: Annotated[int, Meta(description="补贴 − 收回，单位：分")]
    leverage: Leverages
    claim_rate: Rate
    redemption_rate_of_claimed: Annotated[Rate, Meta(description="已用 / 已领；净补贴 / 已领面额")]
    redemption_rate_of_released: Annotated[Rate, Meta(description="已用 / 投放；净补贴 / 投放面额")]
    redemption_rate_matured: Annotated[Rate, Meta(description="同占领取，只算已过有效期的券")]
    budget_use: Annotated[Ratio, Meta(description="净补贴 / 预算")]


class NewBudget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """预算从多少改为多少。"""

    current_fen: Annotated[int, Meta(ge=1, le=budgets.MOST_FEN, description="看到的预算，单位：分")]
    target_fen: Annotated[int, Meta(ge=1, le=budgets.MOST_FEN, description="新的预算，单位：分")]
    reason: Annotated[str, Meta(min_length=2, max_length=budgets.REASON_LENGTH)]


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
    found, pulled, funnel = view.figures, view.figures.pulled, view.funnel
    counts: dict[str, Any] = {name: getattr(funnel, name, None) for name in Vouchers.__struct_fields__}
    return Metrics(
        basis="redemption",
        unit="fen",
        as_of=asked.now,
        evidence_url=f"{ROOT}/campaigns/{view.id}/ledger",
        funnel=Vouchers(**counts | {"left": found.left, "released_fen": view.balances[Account.RELEASED]}),
        order_fen=pulled.order_fen,
        subsidy_fen=pulled.subsidy_fen,
        net_order_fen=pulled.net_order_fen,
        net_subsidy_fen=pulled.net_subsidy_fen,
        leverage=leverages(pulled),
        claim_rate=_rate(funnel.claimed, funnel.cap, funnel.claimed_fen, funnel.cap_fen, "还没有投放"),
        redemption_rate_of_claimed=_rate(
            funnel.used, funnel.claimed, funnel.net_fen, funnel.claimed_fen, "尚无领取"
        ),
        redemption_rate_of_released=_rate(
            funnel.used, funnel.cap, funnel.net_fen, funnel.cap_fen, "还没有投放"
        ),
        redemption_rate_matured=_rate(
            funnel.matured_used, funnel.matured, funnel.matured_net_fen, funnel.matured_fen, "尚无到期的券"
        ),
        budget_use=ratio(funnel.net_fen, view.budget_fen),
    )


@calls.post(
    "/campaigns/{campaign_id}/budget",
    summary="调整预算：现在是多少、改为多少；须由起草、提交以外的人",
    needs=(Permission.CAMPAIGN_COUNTERSIGN,),
    body=NewBudget,
    answer=Campaign,
    refusals=(WrongState, SecondPersonNeeded, SignInAgain, BudgetMoved, BudgetCommitted),
    method="PATCH",
)
async def change_budget(asked: Asked[None, NewBudget], campaign_id: str) -> Campaign:
    """Compare and set."""
    view = await campaign_answers.seen(
        campaign_id, asked.actor, Permission.CAMPAIGN_COUNTERSIGN, now=asked.now
    )
    body = asked.body
    await database.unit(
        lambda: budgets.change(
            view.row_id,
            current_fen=body.current_fen,
            target_fen=body.target_fen,
            reason=body.reason,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return await campaign_answers.campaign(campaign_id, asked.actor, asked.now)


def _rate(count: int, of_count: int, fen: int, of_fen: int, reason: str) -> Rate:
    return Rate(by_count=ratio(count, of_count, reason), by_value=ratio(fen, of_fen, reason))
