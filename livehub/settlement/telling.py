"""Messages about batches: to the merchant when hers goes on, to finance when she disputes one."""

from __future__ import annotations

from datetime import datetime

from livehub.accounts.models import Centre
from livehub.kit import money
from livehub.merchants.models import Merchant
from livehub.notices import sending
from livehub.settlement.models import SettlementBatch
from livehub.settlement.repayment_models import SettlementRepayment


async def submitted(batch: SettlementBatch, *, now: datetime) -> None:
    """She may look at it, and say whether it is right."""
    body = f"应付 {money.yuan(batch.pay_fen)} 元，请在“结算”里核对，确认无误或提出异议。"
    await _to_merchant("settlement.submitted", batch, body=body, now=now)


async def paid(batch: SettlementBatch, *, now: datetime) -> None:
    """The money is on its way, or all of it went against what she owed back."""
    if batch.pay_fen:
        body = f"已付款 {money.yuan(batch.pay_fen)} 元，凭证号 {batch.payment_ref}。"
    else:
        body = f"已结清：抵扣应退 {money.yuan(batch.net_fen)} 元，这一批没有付款。"
    await _to_merchant("settlement.paid", batch, body=body, now=now)


async def answered(batch: SettlementBatch, *, now: datetime) -> None:
    """Her dispute has an answer, and the batch will be sent again."""
    what = "的异议有了答复" if batch.disputed_by else "有了变动"
    body = f"{what}：{batch.answer}。批次已退回核对，重新提交后请再看一次。"
    await _to_merchant("settlement.answered", batch, body=body, now=now)


async def disputed(batch: SettlementBatch, *, now: datetime) -> None:
    """Finance has something to answer."""
    merchant = await Merchant.get(id=batch.merchant_id)
    await sending.send(
        "settlement.disputed",
        centre_id=batch.centre_id,
        recipient=(await Centre.get(id=batch.centre_id)).name,
        body=f"{merchant.name}对{_name(batch)}有异议：{batch.reason}。请财务答复。",
        dedupe_key=_key("settlement.disputed", batch),
        now=now,
    )


async def repaid(repayment: SettlementRepayment, *, now: datetime) -> None:
    """What she paid back has arrived."""
    if not repayment.merchant_id:
        return
    await sending.send(
        "settlement.repaid",
        centre_id=repayment.centre_id,
        recipient=(await Merchant.get(id=repayment.merchant_id)).name,
        body=f"已收到您退回的 {money.yuan(repayment.amount_fen)} 元，收据号 {repayment.reference}。",
        dedupe_key=f"settlement.repaid:{repayment.public_id}",
        now=now,
    )


async def _to_merchant(kind: str, batch: SettlementBatch, *, body: str, now: datetime) -> None:
    if not batch.merchant_id:  # orders of a platform, whose shop has no merchant
        return
    await sending.send(
        kind,
        centre_id=batch.centre_id,
        recipient=(await Merchant.get(id=batch.merchant_id)).name,
        body=f"{_name(batch)}{body}",
        dedupe_key=_key(kind, batch),
        now=now,
    )


def _name(batch: SettlementBatch) -> str:
    return f"{batch.day:%m月%d日}的结算批次 #{batch.number} "


def _key(kind: str, batch: SettlementBatch) -> str:
    """Each version of a batch is told about once."""
    return f"{kind}:{batch.public_id}:{batch.version}"
