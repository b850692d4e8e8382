"""结算: who owes money back that cannot be netted, and the receipts by which it was paid back."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.permissions import Permission
from livehub.kit.states import WrongState
from livehub.settlement import batches, repayment_queries, repayments
from livehub.settlement.errors import NotOwedBack, ReceiptKnown
from livehub.settlement.repayment_models import RepaymentState
from livehub.settlement.repayment_queries import RepaymentRow
from livehub.vouchers.errors import InsufficientFunds
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Instant, Listed, Nothing, Paging
from livehub.web.doors import SignInAgain

calls = Section("结算")

Owed = Annotated[int, Meta(description="还欠的应退，已扣除登记的收款，单位：分")]


class RepaymentQuestion(Paging, frozen=True, kw_only=True):
    """哪些收款。"""

    state: Annotated[Literal["", "noted", "confirmed", "withdrawn"], Meta(description="哪一种状态")] = ""


class SettlementDebt(Struct, frozen=True, kw_only=True):
    """一个商户在一个活动里还欠的应退。"""

    settlement: Annotated[str, Meta(description="最近一个批次的公开编号，登记收款用它")]
    number: Annotated[int, Meta(description="这个批次的批次号")]
    campaign: Annotated[str, Meta(description="活动公开编号")]
    campaign_name: str
    payee: Annotated[str, Meta(description="商户；平台订单为店铺")]
    owed_fen: Owed


class NewRepayment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """商户退回的钱。"""

    amount_fen: Annotated[int, Meta(ge=1, le=10**12, description="收到多少，单位：分")]
    reference: Annotated[str, Meta(min_length=1, max_length=batches.REF_LENGTH, description="收据号")]
    received_on: Annotated[date, Meta(description="哪一天收到")]


class WithdrawnRepayment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """为什么撤回登记。"""

    reason: Annotated[str, Meta(min_length=2, max_length=batches.REASON_LENGTH)]


class SettlementRepayment(Struct, frozen=True, kw_only=True):
    """一笔应退收款：一人登记，另一人确认后入账。"""

    id: str
    state: RepaymentState
    campaign: Annotated[str, Meta(description="活动公开编号")]
    campaign_name: str
    payee: Annotated[str, Meta(description="商户；平台订单为店铺")]
    amount_fen: Annotated[int, Meta(description="单位：分")]
    reference: Annotated[str, Meta(description="收据号")]
    received_on: date
    noted_by: str
    noted_at: Instant
    decided_by: Annotated[str, Meta(description="谁确认或撤回的")]
    decided_at: Instant | None
    reason: Annotated[str, Meta(description="撤回的原因")]


@calls.get(
    "/settlement-debts",
    summary="谁还欠应退",
    needs=(Permission.SETTLEMENT_READ,),
    query=Nothing,
    answer=All[SettlementDebt],
)
async def debts(asked: Asked[Nothing, None]) -> All[SettlementDebt]:
    """What could not be netted so far."""
    return All(
        items=[
            SettlementDebt(
                settlement=each.batch,
                number=each.number,
                campaign=each.campaign_id,
                campaign_name=each.campaign,
                payee=each.payee,
                owed_fen=each.owed_fen,
            )
            for each in await repayment_queries.debts(actor=asked.actor)
        ]
    )


@calls.get(
    "/settlement-repayments",
    summary="应退收款，新的在前",
    needs=(Permission.SETTLEMENT_READ,),
    query=RepaymentQuestion,
    answer=Listed[SettlementRepayment],
)
async def listing(asked: Asked[RepaymentQuestion, None]) -> Listed[SettlementRepayment]:
    """The receipts the caller may see."""
    query = asked.query
    page = await repayment_queries.repayments(
        actor=asked.actor, state=query.state, number=query.page, size=query.size
    )
    return Listed(
        items=[_shown(each) for each in page.items], page=page.number, size=page.size, total=page.total
    )


@calls.post(
    "/settlements/{settlement_id}/repayments",
    summary="登记这个批次的商户退回的钱，由另一人确认",
    needs=(Permission.SETTLEMENT_RUN,),
    body=NewRepayment,
    answer=SettlementRepayment,
    status=201,
    refusals=(NotOwedBack, ReceiptKnown, SecondPersonNeeded, SignInAgain),
)
async def note(asked: Asked[None, NewRepayment], settlement_id: str) -> SettlementRepayment:
    """By which receipt."""
    body = asked.body
    made = await database.unit(
        lambda: repayments.note(
            settlement_id,
            amount_fen=body.amount_fen,
            reference=body.reference,
            received_on=body.received_on,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return _shown(await repayment_queries.repayment(made.public_id, actor=asked.actor))


@calls.post(
    "/settlement-repayments/{repayment_id}/confirm",
    summary="确认收到，须由登记人之外的人",
    needs=(Permission.SETTLEMENT_PAY,),
    body=Nothing,
    answer=SettlementRepayment,
    refusals=(WrongState, SecondPersonNeeded, InsufficientFunds, SignInAgain),
)
async def confirm(asked: Asked[None, Nothing], repayment_id: str) -> SettlementRepayment:
    """It is there."""
    await database.unit(lambda: repayments.confirm(repayment_id, actor=asked.actor, now=asked.now))
    return _shown(await repayment_queries.repayment(repayment_id, actor=asked.actor))


@calls.post(
    "/settlement-repayments/{repayment_id}/withdraw",
    summary="撤回还没有确认的收款",
    needs=(Permission.SETTLEMENT_RUN,),
    body=WithdrawnRepayment,
    answer=SettlementRepayment,
    refusals=(WrongState,),
)
async def withdraw(asked: Asked[None, WithdrawnRepayment], repayment_id: str) -> SettlementRepayment:
    """It was noted by mistake."""
    await database.unit(
        lambda: repayments.withdraw(repayment_id, reason=asked.body.reason, actor=asked.actor, now=asked.now)
    )
    return _shown(await repayment_queries.repayment(repayment_id, actor=asked.actor))


def _shown(row: RepaymentRow) -> SettlementRepayment:
    return SettlementRepayment(
        campaign=row.campaign_id,
        campaign_name=row.campaign,
        **{name: getattr(row, name) for name in _SAME},
    )


_SAME = tuple(
    name for name in SettlementRepayment.__struct_fields__ if name not in {"campaign", "campaign_name"}
)
