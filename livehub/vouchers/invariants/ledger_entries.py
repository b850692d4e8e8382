"""Every ledger account's balance is the sum of its entries."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant


async def check() -> list[str]:
    """Accounts whose balance is not what their entries add up to."""
    rows = await database.fetch(
        "SELECT a.id, a.kind, a.campaign_id, a.balance_fen, coalesce(g.fen, 0) AS fen FROM ledger_account a"
        " LEFT JOIN (SELECT id, sum(fen) AS fen FROM"
        " (SELECT credit_id AS id, amount_fen AS fen FROM ledger_entry"
        " UNION ALL SELECT debit_id, -amount_fen FROM ledger_entry) m GROUP BY id) g ON g.id = a.id"
        " WHERE a.balance_fen <> coalesce(g.fen, 0) ORDER BY a.id"
    )
    return [
        f"account {row['id']} ({row['kind']} of campaign {row['campaign_id']}): balance {row['balance_fen']},"
        f" entries {int(row['fen'])}"
        for row in rows
    ]


INVARIANT = Invariant("vouchers.ledger_entries", "账户余额等于分录之和", check)
