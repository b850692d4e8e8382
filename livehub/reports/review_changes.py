"""Why a show's net sales are not what they were: each fen between two instants has one of five reasons."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.reports.basis import G2_SQL
from livehub.reports.review_figures import Frame


class Change(Struct, frozen=True, kw_only=True):
    """One reason: by how much it moved the net sales, and of how many orders."""

    fen: int = 0
    orders: int = 0


class Changes(Struct, frozen=True, kw_only=True):
    """From the net sales of one instant to those of a later one; the reasons add up to the difference."""

    since: datetime
    until: datetime
    tail: Change  # first booked in between, paid after the end
    late: Change  # first booked in between, paid before the end: the message came late
    moved: Change  # known before, given to this show or taken from it
    corrected: Change  # known before, with another amount
    refunds: Change  # never above 0 but where a refund was taken back

    @property
    def fen(self) -> int:
        """The difference."""
        return sum(getattr(self, name).fen for name in REASONS)


REASONS = ("tail", "late", "moved", "corrected", "refunds")

# An order is known once its sale was booked anywhere; a message without amounts makes nothing known.
_REASONED = f"""
    WITH e AS (
        SELECT r.order_id, r.minute, {G2_SQL} AS g2, r.refund_done AS refund,
               CASE WHEN r.reason = 'message' THEN 0 ELSE 1 END AS moved,
               CASE WHEN EXISTS (SELECT 1 FROM contribution_entry k WHERE k.order_id = r.order_id
                                 AND k.minute > 0 AND k.applied_at <= $2) THEN 1 ELSE 0 END AS known
        FROM contribution_entry r
        WHERE r.broadcast_id = $1 AND r.applied_at > $2 AND r.applied_at <= $3
    ), reasoned AS (
        SELECT order_id, g2 AS fen,
               CASE WHEN known = 1 AND moved = 1 THEN 'moved' WHEN known = 1 THEN 'corrected'
                    WHEN minute > $4 THEN 'tail' ELSE 'late' END AS reason
        FROM e WHERE g2 <> 0
        UNION ALL
        SELECT order_id, -refund, CASE WHEN known = 1 AND moved = 1 THEN 'moved' ELSE 'refunds' END
        FROM e WHERE refund <> 0
    ), by_order AS (
        SELECT reason, order_id, sum(fen) AS fen FROM reasoned GROUP BY reason, order_id
    )
"""


async def between(show: Frame, *, since: datetime, until: datetime) -> Changes:
    """What moved a show's net sales after one instant and up to another."""
    rows = await database.fetch(
        f"{_REASONED} SELECT reason, sum(fen) AS fen, count(*) AS orders FROM by_order WHERE fen <> 0"
        " GROUP BY reason",
        show.broadcast_id,
        clock.to_ms(since),
        clock.to_ms(until),
        show.last_minute,
    )
    found = {row["reason"]: Change(fen=int(row["fen"]), orders=int(row["orders"])) for row in rows}
    return Changes(since=since, until=until, **{name: found.get(name, Change()) for name in REASONS})
