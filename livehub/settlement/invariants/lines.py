"""Each settled redemption is one positive line, each clawback one negative line, and batches add up."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant
from livehub.settlement.amounts import REPAID

_WRONG = {
    "the line of {name} is not its subsidy": (
        "SELECT r.public_id AS name FROM settlement_line l JOIN redemption r ON r.id = l.redemption_id"
        " WHERE l.refund_id = 0 AND l.amount_fen <> r.subsidy_fen"
    ),
    "a line of {name} is no clawback of it": (
        "SELECT r.public_id AS name FROM settlement_line l JOIN redemption r ON r.id = l.redemption_id"
        " LEFT JOIN redemption_refund f ON f.id = l.refund_id AND f.redemption_id = l.redemption_id"
        " WHERE l.refund_id > 0 AND (f.id IS NULL OR l.amount_fen <> -f.clawback_fen)"
    ),
    "{name} is settled without a line": (
        "SELECT r.public_id AS name FROM redemption r WHERE r.settled_at IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM settlement_line l WHERE l.redemption_id = r.id AND l.refund_id = 0)"
    ),
    "{name} stands in a batch that was sent, and is not settled": (
        "SELECT r.public_id AS name FROM settlement_line l JOIN settlement_batch b ON b.id = l.batch_id"
        " JOIN redemption r ON r.id = l.redemption_id"
        " WHERE l.refund_id = 0 AND b.state <> 'draft' AND r.settled_at IS NULL"
    ),
    "batch {name} is not the sum of its lines": (
        "SELECT b.number AS name FROM settlement_batch b LEFT JOIN (SELECT batch_id, sum(amount_fen) AS fen"
        " FROM settlement_line GROUP BY batch_id) l ON l.batch_id = b.id"
        " WHERE (b.state <> 'draft' OR b.version = 0)"
        " AND b.redeemed_fen - b.recovered_fen - b.late_fen <> coalesce(l.fen, 0)"
    ),
    "campaign {name}: more is netted and paid back than is owed back": (
        "SELECT b.campaign_id AS name FROM settlement_batch b WHERE b.version > 0"
        " GROUP BY b.campaign_id, b.merchant_id, b.shop_id"
        f" HAVING sum(b.late_fen - b.net_fen) < {REPAID.format(row='b')}"
    ),
    "batch {name} has another file than it says": (
        "SELECT b.number AS name FROM settlement_batch b LEFT JOIN settlement_file f"
        " ON f.batch_id = b.id AND f.version = b.version"
        " WHERE b.version > 0 AND (f.id IS NULL OR f.sha256 <> b.sha256)"
    ),
}


async def check() -> list[str]:
    """Lines, sums and files that contradict what they stand for."""
    found = []
    for sentence, rows in _WRONG.items():
        found += [
            sentence.format(name=row["name"])
            for row in await database.fetch(f"SELECT * FROM ({rows}) w ORDER BY name")
        ]
    return found


INVARIANT = Invariant("settlement.lines", "每笔核销、每笔收回各在一行，批次等于明细之和", check)
