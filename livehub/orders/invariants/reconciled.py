"""What a platform listed is known, asked for or told as a difference; and what is known was listed."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant
from livehub.orders import state
from livehub.orders.listings import EDGE_MS
from livehub.orders.state import ORDER, OrderState

CHUNK = 500


async def check() -> list[str]:
    """Listed orders and after-sales that nobody knows or asks for, and orders that no list had."""
    return [*await _listed_and_unknown(), *await _known_and_not_listed()]


async def _listed_and_unknown() -> list[str]:
    """Rows of lists, but those whose fetch waits and those that a difference tells."""
    found: list[str] = []
    last = 0
    while True:
        rows = await database.fetch(
            "SELECT l.id, l.shop_id, l.kind, l.ref, l.updated_at, o.state, j.status AS job,"
            " (SELECT count(*) FROM sync_difference d WHERE d.shop_id = l.shop_id AND d.about = l.kind"
            " AND d.ref = l.ref AND d.status <> 'closed') AS told FROM listed_item l"
            " LEFT JOIN fetch_job j ON j.shop_id = l.shop_id AND j.kind = l.kind AND j.ref = l.ref"
            " LEFT JOIN sales_order o ON o.shop_id = l.shop_id"
            " AND o.order_ref = coalesce(nullif(l.order_ref, ''), j.order_ref)"
            f" WHERE l.id > $1 ORDER BY l.id LIMIT {CHUNK}",
            last,
        )
        if not rows:
            return found
        last = rows[-1]["id"]
        found += [
            f"{row['kind']} {row['ref']} of shop {row['shop_id']}: listed, not known and not told"
            for row in rows
            if not row["told"] and row["job"] != "waiting" and not _is_known(row["state"], row)
        ]


def _is_known(text: str | None, row: dict[str, object]) -> bool:
    known = state.decode(text) if text else OrderState()
    key = ORDER if row["kind"] == "order" else str(row["ref"])
    updated_at = row["updated_at"]
    return known.covered.get(key, -1) >= (int(str(updated_at)) if updated_at is not None else 0)


async def _known_and_not_listed() -> list[str]:
    """Orders whose last word we had lies in a window that was done afterwards, and that no list had.

    Windows whose rows were forgotten say nothing: they stay for where the next one begins.
    """
    rows = await database.fetch(
        "WITH unlisted AS MATERIALIZED (SELECT o.shop_id, o.order_ref, o.state, o.told_at, o.changed_at"
        " FROM sales_order o WHERE o.told_at >= (SELECT min(window_start) FROM sync_cursor"
        " WHERE opened_at IS NOT NULL)"
        " AND EXISTS (SELECT 1 FROM sync_mark m WHERE m.shop_id = o.shop_id)"
        " AND NOT EXISTS (SELECT 1 FROM listed_item l WHERE l.shop_id = o.shop_id AND l.kind = 'order'"
        " AND l.ref = o.order_ref)"
        " AND NOT EXISTS (SELECT 1 FROM sync_difference d WHERE d.shop_id = o.shop_id AND d.about = 'order'"
        " AND d.ref = o.order_ref AND d.status <> 'closed'))"
        " SELECT o.shop_id, o.order_ref, o.state, c.window_end FROM unlisted o JOIN sync_cursor c"
        " ON c.shop_id = o.shop_id AND c.kind = 'order' AND c.status = 'done'"
        " AND o.told_at >= c.window_start + $1 AND o.told_at < c.window_end - $1"
        " AND o.changed_at < c.opened_at ORDER BY o.shop_id, o.order_ref",
        EDGE_MS,
    )
    return sorted(
        {
            f"order {row['order_ref']} of shop {row['shop_id']}: known, not listed and not told"
            for row in rows
            if max(state.decode(row["state"]).wanted.values(), default=0) < row["window_end"] - EDGE_MS
        }
    )


INVARIANT = Invariant("orders.reconciled", "平台清单与本系统一致，或有差异记录", check)
