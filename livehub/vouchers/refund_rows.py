"""What a refund writes: its row, the redemption's sums, the voucher's state, and the ledger last."""

from __future__ import annotations

from datetime import datetime

from livehub.kit import clock
from livehub.vouchers import hot, ledger
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
    state = RedemptionState.REFUNDED if parted.is_whole else RedemptionState.PARTIALLY_REFUNDED
    voucher = VoucherState.ISSUED if fate is Fate.RETURNED else VoucherState.REFUNDED
    row = {
        "redemption_id": held.id,
        "refund_no": refund_no,
        "voucher_id": held.voucher_id,
        "campaign_id": held.campaign_id,
        "template_id": held.template_id,
        "refund_fen": parted.refund_fen,
        "cash_fen": parted.cash_fen,
        "clawback_fen": parted.clawback_fen,
        "restored": fate is Fate.RETURNED,
        "fate": str(fate),
        "source": source,
        "reason": reason,
        "at": clock.to_ms(now),
        "state": str(state),
        "voucher_state": str(voucher),
    }
    steps = [_REFUND, _REDEMPTION]
    steps += [_VOUCHER] if parted.is_whole else []
    steps += [_TEMPLATE] if fate is Fate.RETURNED else []
    await hot.run(_COLUMNS, [row], steps)
    await ledger.post(_postings(held, parted, fate), now=now)


_COLUMNS = {
    "redemption_id": "bigint",
    "refund_no": "text",
    "voucher_id": "bigint",
    "campaign_id": "bigint",
    "template_id": "bigint",
    "refund_fen": "bigint",
    "cash_fen": "bigint",
    "clawback_fen": "bigint",
    "restored": "boolean",
    "fate": "text",
    "source": "text",
    "reason": "text",
    "at": "bigint",
    "state": "text",
    "voucher_state": "text",
}
_NOT_OF_IT = {"template_id", "state", "voucher_state"}
_REFUND = hot.insert(
    "refund", "redemption_refund", {name: name for name in _COLUMNS if name not in _NOT_OF_IT}
)
_REDEMPTION = hot.Step(
    "redemption_sums",
    ("redemption_id", "state", "refund_fen", "clawback_fen"),
    "UPDATE redemption SET state = v.state, refunded_fen = redemption.refunded_fen + v.refund_fen,"
    " recovered_fen = redemption.recovered_fen + v.clawback_fen FROM v WHERE redemption.id = v.redemption_id",
)
_VOUCHER = hot.Step(
    "voucher_fate",
    ("voucher_id", "voucher_state"),
    "UPDATE voucher SET state = v.voucher_state, version = voucher.version + 1 FROM v"
    " WHERE voucher.id = v.voucher_id",
)
_TEMPLATE = hot.Step(
    "template_redeemed",
    ("template_id",),
    "UPDATE voucher_template SET redeemed = voucher_template.redeemed - 1 FROM v"
    " WHERE voucher_template.id = v.template_id",
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
