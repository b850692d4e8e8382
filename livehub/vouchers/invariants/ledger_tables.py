"""The ledger says what the tables say: money held and unissued is that of vouchers given and left."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant

_HELD = (
    "SELECT n.public_id AS name, coalesce(sum(t.face_fen), 0) AS expected,"
    " (SELECT coalesce(sum(a.balance_fen), 0) FROM ledger_account a"
    " WHERE a.round_id = n.id AND a.kind = 'round:held') AS balance"
    " FROM campaign_round n LEFT JOIN (SELECT x.round_id, k.face_fen FROM voucher x"
    " JOIN voucher_template k ON k.id = x.template_id WHERE x.state IN ('issued', 'locked')) t"
    " ON t.round_id = n.id GROUP BY n.id, n.public_id"
)
_UNISSUED = (
    "SELECT n.public_id AS name, coalesce(sum(CASE WHEN n.status IN ('scheduled', 'signup', 'drawn', 'open')"
    " THEN t.face_fen * (t.quantity - t.issued) ELSE 0 END), 0) AS expected,"
    " (SELECT coalesce(sum(a.balance_fen), 0) FROM ledger_account a"
    " WHERE a.round_id = n.id AND a.kind = 'round:unissued') AS balance"
    " FROM campaign_round n LEFT JOIN voucher_template t ON t.round_id = n.id GROUP BY n.id, n.public_id"
)
_PAYABLE = (
    "SELECT c.public_id AS name, coalesce(sum(r.subsidy_fen - r.recovered_fen), 0) AS expected,"
    " (SELECT coalesce(sum(a.balance_fen), 0) FROM ledger_account a WHERE a.campaign_id = c.id AND a.kind IN"
    " ('campaign:payable', 'campaign:paid', 'campaign:receivable')) AS balance FROM campaign c"
    " LEFT JOIN redemption r ON r.campaign_id = c.id"
    " AND r.state <> 'voided' GROUP BY c.id, c.public_id"
)


async def check() -> list[str]:
    """Rounds and campaigns whose accounts differ from their vouchers and redemptions."""
    found = []
    for what, rows in (("held", _HELD), ("unissued", _UNISSUED), ("payable", _PAYABLE)):
        wrong = await database.fetch(f"SELECT * FROM ({rows}) b WHERE expected <> balance ORDER BY name")
        found += [
            f"{what} of {row['name']}: ledger {int(row['balance'])}, tables {int(row['expected'])}"
            for row in wrong
        ]
    return found


INVARIANT = Invariant("vouchers.ledger_tables", "账本与券、核销一致", check)
