"""What became known of a signed report's period since, and why: the report stays, this stands beside it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from livehub import database
from livehub.kit import clock
from livehub.reports import figures, fund_rows
from livehub.reports.basis import G2_SQL
from livehub.reports.forms import Ask


class Change(Struct, frozen=True, kw_only=True):
    """What one reason changed; integer fen. Its lines are those booked after the report's instant."""

    reason: str  # late | refund | attribution | clerk | mapping | rebuild | repair
    g2_fen: int
    refund_fen: int
    orders: int
    first_at: datetime
    last_at: datetime

    @property
    def g3_fen(self) -> int:
        """By how much it moved the net sales."""
        return self.g2_fen - self.refund_fen


class Refunded(Struct, frozen=True, kw_only=True):
    """Uses of vouchers in the period that were refunded since; integer fen."""

    refunds: int
    refund_fen: int
    recovered_fen: int


async def sales(ask: Ask) -> list[Change]:
    """What was booked for its days after its instant, by reason."""
    scope = replace(ask.scope(), as_of=None, booked_after=ask.as_of)
    source, where, args = figures.question(scope)
    rows = await database.fetch(
        "SELECT CASE WHEN r.reason <> 'message' THEN r.reason WHEN r.refund_done <> 0 THEN 'refund'"
        f" ELSE 'late' END AS why, sum({G2_SQL}) AS g2_fen, sum(r.refund_done) AS refund_fen,"
        " count(DISTINCT r.order_id) AS orders, min(r.applied_at) AS first_at, max(r.applied_at) AS last_at"
        f" FROM {source} WHERE {where} AND ({G2_SQL} <> 0 OR r.refund_done <> 0) GROUP BY why ORDER BY why",
        *args,
    )
    return [_change(row) for row in rows]


def _change(row: dict[str, Any]) -> Change:
    return Change(
        reason=row["why"],
        g2_fen=int(row["g2_fen"]),
        refund_fen=int(row["refund_fen"]),
        orders=int(row["orders"]),
        first_at=clock.from_ms(row["first_at"]),
        last_at=clock.from_ms(row["last_at"]),
    )


async def refunds(ask: Ask) -> Refunded:
    """What came back after its instant of vouchers that were used in its period."""
    ids = fund_rows.ids_of(await fund_rows.campaigns(ask))
    row = await database.fetch_one(
        "SELECT count(*) AS refunds, coalesce(sum(f.refund_fen), 0) AS refund_fen,"
        " coalesce(sum(f.clawback_fen), 0) AS recovered_fen FROM redemption_refund f"
        f" JOIN redemption r ON r.id = f.redemption_id WHERE f.campaign_id IN ({ids})"
        " AND r.at >= $1 AND r.at < $2 AND f.at > $3",
        ask.since_ms,
        ask.until_ms,
        ask.as_of_ms,
    )
    return Refunded(**{name: int(value) for name, value in (row or {}).items()})
