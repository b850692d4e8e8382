"""Orders that nobody pays are noted after a while: only then are they booked as placed and not paid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from livehub import database
from livehub.kit import clock
from livehub.orders import ledger

PATIENCE = timedelta(minutes=30)  # since the last that was heard of the order
BATCH = 500


async def note(*, since: datetime, now: datetime) -> int:
    """Note the orders that were last heard of after ``since`` and are still not paid; returns how many."""
    noted = 0
    for centre in await database.fetch("SELECT id FROM centre ORDER BY id"):
        while rows := await database.fetch(
            "SELECT id FROM sales_order WHERE centre_id = $1 AND changed_at >= $2 AND changed_at <= $3"
            f" AND status = 'created' AND left_unpaid_at = 0 ORDER BY changed_at LIMIT {BATCH}",
            centre["id"],
            clock.to_ms(since),
            clock.to_ms(now - PATIENCE),
        ):
            await database.unit(partial(_note, [row["id"] for row in rows], now=now))
            noted += len(rows)
    return noted


async def _note(order_ids: Sequence[int], *, now: datetime) -> None:
    """Note and book them; one that was paid at this moment is not booked as unpaid by its own state."""
    await ledger.hold(order_ids)
    await database.write_rows(
        {"id": "bigint"},
        [(each,) for each in order_ids],
        f"UPDATE sales_order SET left_unpaid_at = {clock.to_ms(now)} FROM v WHERE sales_order.id = v.id",
    )
    await ledger.book_anew(order_ids, reason="unpaid", now=now)
