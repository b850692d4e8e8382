"""What was funded lies somewhere: every fen of a campaign is in exactly one of its accounts."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant


async def check() -> list[str]:
    """Campaigns whose accounts do not add up to what the treasury gave."""
    rows = await database.fetch(
        "SELECT c.public_id, sum(a.balance_fen) AS difference FROM ledger_account a"
        " JOIN campaign c ON c.id = a.campaign_id GROUP BY c.id, c.public_id"
        " HAVING sum(a.balance_fen) <> 0 ORDER BY c.public_id"
    )
    return [
        f"campaign {row['public_id']}: {int(row['difference'])} fen more than were funded" for row in rows
    ]


INVARIANT = Invariant("vouchers.ledger_conservation", "财政拨入等于各账户之和", check)
