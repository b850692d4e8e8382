"""What a refund writes: its row, the redemption's sums, the voucher's state, and the ledger last."""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.kit import clock
from livehub.vouchers import ledger
from livehub.vouchers.models import Account, CampaignStatus, RedemptionState, RoundStatus, VoucherState
from livehub.vouchers.refund_policy import Split
from livehub.vouchers.refund_reads import Fate, Refundable


async def fate_of(held: Refundable, parted: Split, *, now: datetime) -> Fate:
    """What becomes of the voucher; where its face would need money of the round, that is held from now on."""
    missing_fen = held.face_fen - held.subsidy_fen
    if held.fate(parted, now=now, released_fen=missing_fen) is not Fate.RETURNED or not missing_fen:
        return held.fate(parted, now=now, released_fen=missing_fen)
    balances = await ledger.hold(
        [_owed(held), *(_of_round(held, each) for each in (Account.HELD, Account.RELEASED))]
    )
    return held.fate(parted, now=now, released_fen=balances[_of_round(held, Account.RELEASED)])


async def write(
    held: Refundable,
    parted: Split,
    fate: Fate,
    *,
    refund_no: str,
    source: str,
    reason: str,
    now: datetime,
) -> None:
    """All of it, in the current transaction, in which ``held`` was locked."""
    at = clock.to_ms(now)
    await database.execute(
        "INSERT INTO redemption_refund (redemption_id, refund_no, voucher_id, campaign_id, refund_fen,"
        " cash_fen, clawback_fen, restored, fate, source, reason, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        held.id,
        refund_no,
        held.voucher_id,
        held.campaign_id,
        parted.refund_fen,
        parted.cash_fen,
        parted.clawback_fen,
        fate is Fate.RETURNED,
        str(fate),
        source,
        reason,
        at,
    )
    state = RedemptionState.REFUNDED if parted.is_whole else RedemptionState.PARTIALLY_REFUNDED
    await database.execute(
        f"UPDATE redemption SET state = '{state}', refunded_fen = refunded_fen + $1,"
        " recovered_fen = recovered_fen + $2 WHERE id = $3",
        parted.refund_fen,
        parted.clawback_fen,
        held.id,
    )
    if parted.is_whole:
        await _end_use(held, fate)
    await ledger.post(_postings(held, parted, fate), now=now)


async def _end_use(held: Refundable, fate: Fate) -> None:
    state = VoucherState.ISSUED if fate is Fate.RETURNED else VoucherState.REFUNDED
    await database.execute(
        f"UPDATE voucher SET state = '{state}', version = version + 1 WHERE id = $1", held.voucher_id
    )
    if fate is Fate.RETURNED:
        await database.execute(
            "UPDATE voucher_template SET redeemed = redeemed - 1 WHERE id = $1", held.template_id
        )


def _postings(held: Refundable, parted: Split, fate: Fate) -> list[ledger.Posting]:
    about = {"voucher_id": held.voucher_id, "redemption_id": held.id}
    if fate is not Fate.RETURNED:
        return [
            ledger.Posting(
                debit=_owed(held),
                credit=_pool(held),
                amount_fen=parted.clawback_fen,
                kind="clawback",
                **about,
            )
        ]
    again = _of_round(held, Account.HELD)
    return [
        ledger.Posting(
            debit=_owed(held), credit=again, amount_fen=parted.clawback_fen, kind="refund", **about
        ),
        ledger.Posting(
            debit=_of_round(held, Account.RELEASED),
            credit=again,
            amount_fen=held.face_fen - held.subsidy_fen,
            kind="restore",
            **about,
        ),
    ]


def _owed(held: Refundable) -> ledger.Key:
    """What the merchant is still owed, or what she owes back once her line was settled."""
    kind = Account.RECEIVABLE if held.settled else Account.PAYABLE
    return ledger.Key(held.campaign_id, kind, 0, held.merchant_id)


def _pool(held: Refundable) -> ledger.Key:
    """Where recovered subsidy goes: its round's pool; once that went on, the campaign or treasury."""
    if held.campaign is CampaignStatus.SETTLED:
        return ledger.Key(held.campaign_id, Account.TREASURY_RETURN)
    if held.round is RoundStatus.ROLLED:
        return ledger.Key(held.campaign_id, Account.AVAILABLE)
    return _of_round(held, Account.RELEASED)


def _of_round(held: Refundable, kind: Account) -> ledger.Key:
    return ledger.Key(held.campaign_id, kind, held.round_id)
