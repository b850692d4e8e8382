"""应退收款: a merchant pays back what cannot be netted any more; one person notes it, another confirms it.

From the note on it is netted in no batch, so that nobody pays twice; the ledger moves with the confirmation.
"""

from __future__ import annotations

from datetime import date, datetime

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock, ids, states
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.settlement import amounts, batches, collecting, holding, telling
from livehub.settlement.errors import NotOwedBack, ReceiptKnown
from livehub.settlement.repayment_models import RepaymentState, SettlementRepayment
from livehub.vouchers import ledger
from livehub.vouchers.models import Account

MOVES = {RepaymentState.NOTED: frozenset({RepaymentState.CONFIRMED, RepaymentState.WITHDRAWN})}
_INSERT = (
    "INSERT INTO settlement_repayment (public_id, centre_id, campaign_id, merchant_id, shop_id, amount_fen,"
    " reference, received_on, state, noted_by_id, noted_by, noted_at, decided_by_id, decided_by, reason)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'noted', $9, $10, $11, 0, '', '')"
    " ON CONFLICT (centre_id, reference) WHERE state <> 'withdrawn' DO NOTHING RETURNING id"
)


@database.atomic
async def note(
    batch: str, *, amount_fen: int, reference: str, received_on: date, actor: Actor, now: datetime
) -> SettlementRepayment:
    """Note that the payee of a batch (public id) paid money back for its campaign, by which receipt.

    NotOwedBack for more than she owes after all batches that were submitted, ReceiptKnown for a receipt that
    stands already, SecondPersonNeeded for machines.
    """
    of = await holding.hold(batch)
    permissions.require(actor, Permission.SETTLEMENT_RUN, merchant_id=0, centre_id=of.centre_id)
    permissions.require_second_person(actor, first_user_id=0)
    _require_sound(amount_fen, reference, received_on, now=now)
    owed_fen = await amounts.owed_back(of.campaign_id, of.merchant_id, of.shop_id)
    if amount_fen > owed_fen:
        raise NotOwedBack(data={"owed_fen": owed_fen})
    made = await database.fetch(
        _INSERT,
        ids.public_id(),
        of.centre_id,
        of.campaign_id,
        of.merchant_id,
        of.shop_id,
        amount_fen,
        reference.strip(),
        clock.day_number(received_on),
        actor.id,
        actor.name,
        clock.to_ms(now),
    )
    if not made:
        raise ReceiptKnown
    noted = await SettlementRepayment.get(id=made[0]["id"])
    await _record("settlement.repayment_noted", noted, actor=actor, now=now)
    return noted


@database.atomic
async def confirm(public_id: str, *, actor: Actor, now: datetime) -> SettlementRepayment:
    """The money is there: what was paid to her is less by so much, and so is what she owes.

    SecondPersonNeeded for machines and for whoever noted it, InsufficientFunds while less was paid to her.
    """
    repayment = await _held(public_id, actor, Permission.SETTLEMENT_PAY)
    permissions.require_second_person(actor, first_user_id=repayment.noted_by_id)
    states.require_move(MOVES, current=repayment.state, target=RepaymentState.CONFIRMED)
    paid, receivable = (
        ledger.Key(repayment.campaign_id, kind, 0, repayment.merchant_id)
        for kind in (Account.PAID, Account.RECEIVABLE)
    )
    await ledger.post(
        [ledger.Posting(debit=paid, credit=receivable, amount_fen=repayment.amount_fen, kind="repay")],
        now=now,
    )
    await _decided(repayment, RepaymentState.CONFIRMED, actor=actor, now=now)
    await _record("settlement.repaid", repayment, actor=actor, now=now)
    await telling.repaid(repayment, now=now)
    return repayment


@database.atomic
async def withdraw(public_id: str, *, reason: str, actor: Actor, now: datetime) -> SettlementRepayment:
    """It was noted by mistake: she owes what she owed, and her receipt may be noted again."""
    repayment = await _held(public_id, actor, Permission.SETTLEMENT_RUN)
    batches.require_words("reason", reason)
    states.require_move(MOVES, current=repayment.state, target=RepaymentState.WITHDRAWN)
    await _decided(repayment, RepaymentState.WITHDRAWN, reason=reason, actor=actor, now=now)
    await _record("settlement.repayment_withdrawn", repayment, actor=actor, now=now)
    return repayment


def _require_sound(amount_fen: int, reference: str, received_on: date, *, now: datetime) -> None:
    details = []
    if amount_fen <= 0:
        details.append(Detail("amount_fen", "金额要大于 0", "如 35.00 元"))
    if not 1 <= len(reference.strip()) <= batches.REF_LENGTH or not reference.isprintable():
        details.append(Detail("reference", "请填写收据号", f"1 到 {batches.REF_LENGTH} 个字"))
    if received_on > clock.local_day(now) or received_on.year < collecting.EARLIEST:
        details.append(Detail("received_on", "收款日期不对", f"今天或更早，{collecting.EARLIEST} 年以后"))
    if details:
        raise Invalid(details=details)


async def _held(public_id: str, actor: Actor, permission: Permission) -> SettlementRepayment:
    seen = await SettlementRepayment.get_or_none(public_id=public_id)
    if seen is None:
        raise NotFound
    permissions.require(actor, permission, merchant_id=0, centre_id=seen.centre_id)
    await holding.alone(seen.centre_id)
    return await SettlementRepayment.get(id=seen.id)


async def _decided(
    repayment: SettlementRepayment, into: RepaymentState, *, reason: str = "", actor: Actor, now: datetime
) -> None:
    repayment.update_from_dict(
        {
            "state": into,
            "reason": reason,
            "decided_by_id": actor.id,
            "decided_by": actor.name,
            "decided_at": now,
        }
    )
    await repayment.save(update_fields=["state", "reason", "decided_by_id", "decided_by", "decided_at"])


async def _record(verb: str, repayment: SettlementRepayment, *, actor: Actor, now: datetime) -> None:
    row = await database.fetch_one("SELECT bureau_id FROM campaign WHERE id = $1", repayment.campaign_id)
    await audit.write(
        verb,
        actor=actor,
        now=now,
        about=("settlement_repayment", repayment.public_id),
        bureau_id=int(row["bureau_id"]) if row else 0,
        detail={
            "amount_fen": repayment.amount_fen,
            "reference": repayment.reference,
            "received_on": repayment.received_on.isoformat(),
            "merchant_id": repayment.merchant_id,
            "reason": repayment.reason,
        },
    )
