"""What was recovered of a settled redemption is collected by the next run, whatever is held back."""

from __future__ import annotations

from livehub import database
from livehub.kit import clock
from livehub.kit.invariants import Invariant


async def check() -> list[str]:
    """Redemptions with such a clawback in no batch, although a later day of their centre was collected."""
    rows = await database.fetch(
        "SELECT r.public_id, f.refund_no, f.at, g.day FROM redemption_refund f"
        " JOIN redemption r ON r.id = f.redemption_id AND r.settled_at IS NOT NULL"
        " JOIN campaign c ON c.id = r.campaign_id JOIN (SELECT centre_id, max(day) AS day"
        " FROM settlement_batch GROUP BY centre_id) g ON g.centre_id = c.centre_id"
        " WHERE f.clawback_fen > 0 AND NOT EXISTS (SELECT 1 FROM settlement_line l"
        " WHERE l.redemption_id = r.id AND l.refund_id = f.id) ORDER BY r.public_id, f.id"
    )
    return [
        f"refund {row['refund_no']} of {row['public_id']} came after it was settled and is in no batch"
        for row in rows
        if clock.local_day(clock.from_ms(row["at"])) < clock.day_of_number(row["day"])
    ]


INVARIANT = Invariant("settlement.late", "结算后收回的，都进入了之后的批次", check)
