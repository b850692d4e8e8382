"""What was booked for days of closed months afterwards: adjustments, each with its reason and its lines."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.reports.basis import G2_SQL


class Adjustment(Struct, frozen=True, kw_only=True):
    """What one reason changed of one closed month; integer fen."""

    month: int  # that is closed
    reason: str  # late | refund | attribution | mapping | rebuild
    g2_fen: int
    refund_fen: int
    orders: int
    closed_as_of: datetime  # its lines are those booked after this
    first_at: datetime
    last_at: datetime

    @property
    def g3_fen(self) -> int:
        """By how much it moved the net sales."""
        return self.g2_fen - self.refund_fen


_FOUND = (
    "SELECT c.month AS month, c.as_of AS as_of,"
    " CASE WHEN r.reason <> 'message' THEN r.reason WHEN r.refund_done <> 0 THEN 'refund' ELSE 'late' END"
    f" AS why, sum({G2_SQL}) AS g2_fen, sum(r.refund_done) AS refund_fen,"
    " count(DISTINCT r.order_id) AS orders, min(r.applied_at) AS first_at, max(r.applied_at) AS last_at"
    " FROM closed_month c JOIN contribution_entry r ON r.centre_id = c.centre_id"
    " AND r.day BETWEEN c.month * 100 + 1 AND c.month * 100 + 31 AND r.applied_at > c.as_of"
    f" WHERE c.centre_id = $1 AND ({G2_SQL} <> 0 OR r.refund_done <> 0) AND {{narrowed}}"
    " GROUP BY c.month, c.as_of, why ORDER BY c.month DESC, why"
)


async def of(month: int, *, centre_id: int) -> list[Adjustment]:
    """What was booked for a closed month after it was closed; nothing for one that is open."""
    rows = await database.fetch(_FOUND.format(narrowed="c.month = $2"), centre_id, month)
    return [_adjustment(row) for row in rows]


async def booked(*, centre_id: int, since: datetime, until: datetime) -> list[Adjustment]:
    """What was booked in a span of time for months closed by then: adjustments of the open month."""
    rows = await database.fetch(
        _FOUND.format(narrowed="r.applied_at >= $2 AND r.applied_at < $3"),
        centre_id,
        clock.to_ms(since),
        clock.to_ms(until),
    )
    return [_adjustment(row) for row in rows]


def _adjustment(row: dict[str, Any]) -> Adjustment:
    return Adjustment(
        month=row["month"],
        reason=row["why"],
        g2_fen=int(row["g2_fen"]),
        refund_fen=int(row["refund_fen"]),
        orders=int(row["orders"]),
        closed_as_of=clock.from_ms(row["as_of"]),
        first_at=clock.from_ms(row["first_at"]),
        last_at=clock.from_ms(row["last_at"]),
    )
