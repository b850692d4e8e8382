"""The ledger says what settlement says: payable was not paid, receivable neither netted nor paid back."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant

# Of each campaign and merchant. What was recovered after it was settled is in no line beside its redemption.
_LATE = (
    "SELECT r.campaign_id, r.merchant_id, sum(f.clawback_fen) AS fen FROM redemption_refund f"
    " JOIN redemption r ON r.id = f.redemption_id AND r.settled_at IS NOT NULL"
    " WHERE NOT EXISTS (SELECT 1 FROM settlement_line l WHERE l.redemption_id = r.id"
    " AND l.refund_id = f.id AND NOT l.late) GROUP BY r.campaign_id, r.merchant_id"
)
_USED = (
    "SELECT campaign_id, merchant_id, sum(subsidy_fen - recovered_fen) AS fen FROM redemption"
    " WHERE state <> 'voided' GROUP BY campaign_id, merchant_id"
)
_PAID = (
    "SELECT campaign_id, merchant_id, sum(pay_fen) AS pay_fen, sum(net_fen) AS net_fen"
    " FROM settlement_batch WHERE state = 'paid' GROUP BY campaign_id, merchant_id"
)
_REPAID = (
    "SELECT campaign_id, merchant_id, sum(amount_fen) AS fen FROM settlement_repayment"
    " WHERE state = 'confirmed' GROUP BY campaign_id, merchant_id"
)
_ACCOUNTS = (
    "SELECT campaign_id, merchant_id,"
    " sum(CASE kind WHEN 'campaign:payable' THEN balance_fen ELSE 0 END) AS payable_fen,"
    " sum(CASE kind WHEN 'campaign:receivable' THEN balance_fen ELSE 0 END) AS receivable_fen,"
    " sum(CASE kind WHEN 'campaign:paid' THEN balance_fen ELSE 0 END) AS paid_fen FROM ledger_account"
    " WHERE kind IN ('campaign:payable', 'campaign:receivable', 'campaign:paid')"
    " GROUP BY campaign_id, merchant_id"
)


async def check() -> list[str]:
    """Merchants of a campaign whose accounts differ from uses, refunds, paid batches and repayments."""
    rows = await database.fetch(
        "SELECT * FROM (SELECT c.public_id, a.merchant_id, a.payable_fen, a.receivable_fen, a.paid_fen,"
        " coalesce(u.fen, 0) + coalesce(t.fen, 0) - coalesce(p.pay_fen, 0) - coalesce(p.net_fen, 0)"
        " AS owed_fen, coalesce(p.net_fen, 0) + coalesce(y.fen, 0) - coalesce(t.fen, 0) AS back_fen,"
        f" coalesce(p.pay_fen, 0) - coalesce(y.fen, 0) AS gone_fen FROM ({_ACCOUNTS}) a"
        " JOIN campaign c ON c.id = a.campaign_id"
        f" LEFT JOIN ({_USED}) u ON u.campaign_id = a.campaign_id AND u.merchant_id = a.merchant_id"
        f" LEFT JOIN ({_LATE}) t ON t.campaign_id = a.campaign_id AND t.merchant_id = a.merchant_id"
        f" LEFT JOIN ({_REPAID}) y ON y.campaign_id = a.campaign_id AND y.merchant_id = a.merchant_id"
        f" LEFT JOIN ({_PAID}) p ON p.campaign_id = a.campaign_id AND p.merchant_id = a.merchant_id) g"
        " WHERE payable_fen <> owed_fen OR receivable_fen <> back_fen OR paid_fen <> gone_fen"
        " ORDER BY public_id, merchant_id"
    )
    return [
        f"campaign {row['public_id']}, merchant {row['merchant_id']}: payable {int(row['payable_fen'])},"
        f" receivable {int(row['receivable_fen'])}, paid {int(row['paid_fen'])}; tables say"
        f" {int(row['owed_fen'])}, {int(row['back_fen'])}, {int(row['gone_fen'])}"
        for row in rows
    ]


INVARIANT = Invariant("settlement.ledger", "应付、应退、已付与结算批次一致", check)
