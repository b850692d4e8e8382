"""Finance's steps with a batch: submitted by one person, taken back when it is disputed, paid by another."""

from __future__ import annotations

from datetime import datetime

from msgspec import structs

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock, states
from livehub.kit.errors import Detail, Invalid
from livehub.settlement import amounts, collecting, files, holding, telling
from livehub.settlement.errors import NothingToSettle, SettlementHeld
from livehub.settlement.models import BatchState, SettlementBatch
from livehub.vouchers import ledger
from livehub.vouchers.models import Account

MOVES = {
    BatchState.DRAFT: frozenset({BatchState.SUBMITTED}),
    BatchState.SUBMITTED: frozenset({BatchState.CONFIRMED, BatchState.DISPUTED}),
    BatchState.DISPUTED: frozenset({BatchState.DRAFT}),
    BatchState.CONFIRMED: frozenset({BatchState.PAID}),
}
REASON_LENGTH = 200
REF_LENGTH = 60


@database.atomic
async def submit(public_id: str, *, actor: Actor, now: datetime) -> SettlementBatch:
    """Fix the lines and the file of a draft: from now on its redemptions are settled.

    Refunds since it was collected stand in it, what is held back now does not. SecondPersonNeeded for
    machines, SettlementHeld while its merchant is held back and that is not confirmed, NothingToSettle when
    no line is left; one that was sent before goes again as nothing.
    """
    batch = await holding.hold(public_id)
    permissions.require(actor, Permission.SETTLEMENT_RUN, merchant_id=0, centre_id=batch.centre_id)
    permissions.require_second_person(actor, first_user_id=0)
    states.require_move(MOVES, current=batch.state, target=BatchState.SUBMITTED)
    await _require_not_held(batch, by_confirmed=False)
    await _hold_vouchers(batch)
    await collecting.take_early_refunds(batch.id)
    await _leave_out_held(batch)
    found = await amounts.of(batch)
    if not (found.redeemed_fen or found.late_fen or batch.version):
        raise NothingToSettle
    version = batch.version + 1
    digest = await files.write(batch, found, version=version, made_by=actor.name, now=now)
    await database.execute(
        "UPDATE redemption SET settled_at = $1 WHERE settled_at IS NULL AND id IN"
        " (SELECT redemption_id FROM settlement_line WHERE batch_id = $2 AND refund_id = 0)",
        clock.to_ms(now),
        batch.id,
    )
    batch.update_from_dict(
        structs.asdict(found)
        | {
            "state": BatchState.SUBMITTED,
            "version": version,
            "sha256": digest,
            "submitted_by_id": actor.id,
            "submitted_by": actor.name,
            "submitted_at": now,
        }
    )
    await batch.save()
    await record("settlement.submitted", batch, actor=actor, now=now, sha256=digest.hex())
    await telling.submitted(batch, now=now)
    return batch


@database.atomic
async def reopen(public_id: str, *, answer: str, actor: Actor, now: datetime) -> SettlementBatch:
    """Take a disputed batch back, with an answer; what is held back by then is left out next time.

    Of a merchant whom a confirmed case holds back, one that she had confirmed too: it would never be paid.
    """
    batch = await holding.hold(public_id)
    permissions.require(actor, Permission.SETTLEMENT_RUN, merchant_id=0, centre_id=batch.centre_id)
    require_words("answer", answer)
    if not (batch.state is BatchState.CONFIRMED and await holding.is_withheld(batch.merchant_id)):
        states.require_move(MOVES, current=batch.state, target=BatchState.DRAFT)
    batch.state, batch.answer = BatchState.DRAFT, answer
    await batch.save(update_fields=["state", "answer"])
    await record("settlement.reopened", batch, actor=actor, now=now, answer=answer)
    await telling.answered(batch, now=now)
    return batch


@database.atomic
async def pay(public_id: str, *, reference: str, actor: Actor, now: datetime) -> SettlementBatch:
    """Note that a confirmed batch was paid, by which paper; what the merchant owed back is netted.

    SecondPersonNeeded for machines and for whoever submitted it, SettlementHeld for a merchant held back,
    but not for one held by a confirmed case while there is nothing to pay.
    """
    batch = await holding.hold(public_id)
    permissions.require(actor, Permission.SETTLEMENT_PAY, merchant_id=0, centre_id=batch.centre_id)
    permissions.require_second_person(actor, first_user_id=batch.submitted_by_id)
    states.require_move(MOVES, current=batch.state, target=BatchState.PAID)
    if len(reference) > REF_LENGTH or (batch.pay_fen and not reference.strip()):
        raise Invalid(details=[Detail("reference", "请填写付款凭证号", f"1 到 {REF_LENGTH} 个字")])
    await _require_not_held(batch, by_confirmed=batch.pay_fen > 0)
    payable, receivable, paid = (
        ledger.Key(batch.campaign_id, kind, 0, batch.merchant_id)
        for kind in (Account.PAYABLE, Account.RECEIVABLE, Account.PAID)
    )
    await ledger.post(
        [
            ledger.Posting(debit=payable, credit=receivable, amount_fen=batch.net_fen, kind="net"),
            ledger.Posting(debit=payable, credit=paid, amount_fen=batch.pay_fen, kind="pay"),
        ],
        now=now,
    )
    batch.update_from_dict(
        {"state": BatchState.PAID, "paid_by": actor.name, "paid_at": now, "payment_ref": reference.strip()}
    )
    await batch.save(update_fields=["state", "paid_by", "paid_at", "payment_ref"])
    await record("settlement.paid", batch, actor=actor, now=now, reference=batch.payment_ref)
    await telling.paid(batch, now=now)
    return batch


async def record(verb: str, batch: SettlementBatch, *, actor: Actor, now: datetime, **detail: object) -> None:
    """The audit entry of a step."""
    await audit.write(
        verb,
        actor=actor,
        now=now,
        about=("settlement", batch.public_id),
        bureau_id=await collecting.bureau_of(batch),
        detail={"number": batch.number, "pay_fen": batch.pay_fen, "net_fen": batch.net_fen, **detail},
    )


def require_words(field: str, text: str) -> None:
    """A sentence that somebody else will read."""
    if not 2 <= len(text.strip()) <= REASON_LENGTH or not text.isprintable():
        raise Invalid(details=[Detail(field, "请写明原因", f"2 到 {REASON_LENGTH} 个字")])


async def _require_not_held(batch: SettlementBatch, *, by_confirmed: bool) -> None:
    if await holding.is_merchant_held(batch.merchant_id, by_confirmed=by_confirmed):
        raise SettlementHeld


async def _hold_vouchers(batch: SettlementBatch) -> None:
    """Refunds lock the voucher first: none of these is under way, and the next one finds them settled."""
    if database.dialect() == "postgres":
        await database.fetch(
            "SELECT x.id FROM settlement_line l JOIN redemption r ON r.id = l.redemption_id"
            " JOIN voucher x ON x.id = r.voucher_id WHERE l.batch_id = $1 AND l.refund_id = 0"
            " ORDER BY x.id FOR NO KEY UPDATE OF x",
            batch.id,
        )


async def _leave_out_held(batch: SettlementBatch) -> None:
    """Take out the redemptions held back, with their refunds, unless a refund stands in another batch."""
    rows = await database.fetch(
        "SELECT l.redemption_id AS id FROM settlement_line l JOIN redemption r ON r.id = l.redemption_id"
        f" WHERE l.batch_id = $1 AND {holding.HELD}"
        " AND l.refund_id = 0 AND NOT EXISTS (SELECT 1 FROM redemption_refund f WHERE f.clawback_fen > 0"
        " AND f.redemption_id = l.redemption_id AND NOT EXISTS (SELECT 1 FROM settlement_line k"
        " WHERE k.batch_id = l.batch_id AND k.refund_id = f.id AND NOT k.late)) ORDER BY l.redemption_id",
        batch.id,
    )
    held = [(row["id"],) for row in rows]
    for statement in (
        (
            f"DELETE FROM settlement_line WHERE batch_id = {batch.id}"
            " AND redemption_id IN (SELECT wanted FROM v)"
        ),
        "UPDATE redemption SET settled_at = NULL WHERE id IN (SELECT wanted FROM v)",
    ):
        await database.with_rows({"wanted": "bigint"}, held, statement)
