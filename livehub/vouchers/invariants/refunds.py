"""A redemption's refunds add up: to the order, to the subsidy, and to what its state says."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant

_SUMS = (
    "SELECT r.public_id, r.state, r.order_fen, r.subsidy_fen, r.refunded_fen, r.recovered_fen,"
    " coalesce(sum(f.refund_fen), 0) AS refund_fen, coalesce(sum(f.clawback_fen), 0) AS clawback_fen"
    " FROM redemption r LEFT JOIN redemption_refund f ON f.redemption_id = r.id"
    " GROUP BY r.id, r.public_id, r.state, r.order_fen, r.subsidy_fen, r.refunded_fen, r.recovered_fen"
)
_STATE = (
    "CASE WHEN refunded_fen = order_fen THEN 'refunded' WHEN refunded_fen > 0 THEN 'partially_refunded'"
    " ELSE state END"
)


async def check() -> list[str]:
    """Redemptions whose sums are not those of their refunds, or whose state is another."""
    rows = await database.fetch(
        f"SELECT * FROM ({_SUMS}) g WHERE refunded_fen <> refund_fen OR recovered_fen <> clawback_fen"
        f" OR state <> {_STATE} OR (refunded_fen = order_fen AND recovered_fen <> subsidy_fen)"
        " OR (refunded_fen = 0 AND state IN ('refunded', 'partially_refunded')) ORDER BY public_id"
    )
    return [
        f"redemption {row['public_id']} is {row['state']} with {row['refunded_fen']} fen refunded and"
        f" {row['recovered_fen']} recovered; its refunds are {int(row['refund_fen'])} and"
        f" {int(row['clawback_fen'])}"
        for row in rows
    ]


INVARIANT = Invariant("vouchers.refunds", "退款之和等于核销上的累计", check)
