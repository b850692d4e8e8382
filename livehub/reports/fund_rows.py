"""The voucher money of a bureau's campaigns as it was known at an instant: SQL that forms and evidence share.

The ledger and the refunds are append-only, so what they say of an instant stays; a use of a voucher is known
from when its money was booked, whatever day it is dated by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from livehub import database
from livehub.reports.forms import Ask

# What an entry of the ledger does, for the sums of a form.
GROUPS: Mapping[str, str] = {
    "fund": "funded",
    "allocate": "allocated",
    "claim": "claimed",
    "redeem": "redeemed",
    "clawback": "recovered",
    "refund": "recovered",
    "remainder": "released",
    "expire": "released",
    "revoke": "released",
    "close": "released",
    "rollover": "rolled",
    "return": "returned",
    "unfund": "returned",  # the budget was made smaller
    "net": "netted",
    "pay": "paid",
}


async def campaigns(ask: Ask) -> list[dict[str, Any]]:
    """The campaigns that had money by then, the oldest first."""
    return await database.fetch(
        "SELECT c.id, c.public_id, c.name, c.issuer_name, c.purpose, c.budget_fen, c.refund_preset,"
        " c.min_pay_fen, c.created_at FROM campaign c WHERE c.centre_id = $1 AND c.bureau_id = $2"
        " AND ($3 = '' OR c.public_id = $3) AND EXISTS (SELECT 1 FROM ledger_entry e"
        " WHERE e.campaign_id = c.id AND e.at <= $4) ORDER BY c.id",
        ask.centre_id,
        ask.bureau_id,
        ask.campaign,
        ask.as_of_ms,
    )


def ids_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Row ids as SQL, for ``IN``."""
    return ", ".join(str(int(row["id"])) for row in rows) or "0"


def period(column: str, ask: Ask) -> str:
    """SQL: before, in or after the period of a report."""
    return (
        f"CASE WHEN {column} < {ask.since_ms} THEN 'before'"
        f" WHEN {column} < {ask.until_ms} THEN 'in' ELSE 'after' END"
    )


def redemptions(ask: Ask, ids: str) -> str:
    """SQL of every use of a voucher that was booked by then, with what was refunded of it by then."""
    refunded, recovered = (
        f"(SELECT coalesce(sum(f.{column}), 0) FROM redemption_refund f"
        f" WHERE f.redemption_id = r.id AND f.at <= {ask.as_of_ms})"
        for column in ("refund_fen", "clawback_fen")
    )
    return (
        "SELECT e.id AS entry_id, r.id, r.public_id AS redemption, c.public_id AS campaign,"
        " t.public_id AS template, t.face_fen, t.threshold_fen, x.public_id AS voucher, r.platform,"
        " r.order_no, coalesce(g.name, '') AS merchant, coalesce(o.name, s.name, '') AS place, r.at,"
        f" r.order_fen, r.subsidy_fen, {period('r.at', ask)} AS period, {refunded} AS refunded_fen,"
        f" {recovered} AS recovered_fen"
        # Written so that SQLite goes from the entries to the uses.
        " FROM ledger_entry e CROSS JOIN redemption r JOIN voucher_template t ON t.id = r.template_id"
        " JOIN campaign c ON c.id = r.campaign_id JOIN voucher x ON x.id = r.voucher_id"
        " LEFT JOIN merchant g ON g.id = r.merchant_id LEFT JOIN store o ON o.id = r.store_id"
        " LEFT JOIN shop s ON s.id = r.shop_id AND r.shop_id <> 0"
        f" WHERE r.id = e.redemption_id AND e.campaign_id IN ({ids}) AND e.kind = 'redeem'"
        f" AND e.at <= {ask.as_of_ms} AND r.state <> 'voided'"
    )


# Columns of the evidence that follow from a use and its refunds, as SQL over ``redemptions``.
DERIVED: Mapping[str, str] = {
    "net_order_fen": "order_fen - refunded_fen",
    "net_subsidy_fen": "subsidy_fen - recovered_fen",
    "kept_threshold_fen": "CASE WHEN refunded_fen < order_fen THEN threshold_fen ELSE 0 END",
    "kept_face_fen": "CASE WHEN refunded_fen < order_fen THEN face_fen ELSE 0 END",
}
AMOUNTS = ("order_fen", "subsidy_fen", "refunded_fen", "recovered_fen", "threshold_fen", "face_fen")


def derived() -> str:
    """The columns of DERIVED in a SELECT."""
    return ", ".join(f"{sql} AS {name}" for name, sql in DERIVED.items())
