"""Reading orders for pages: what their lines are called here, and which wait too long to be fetched."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.kit import clock

PATIENCE = timedelta(minutes=5)  # a fetch that takes longer is worth somebody's look


class Named(Struct, frozen=True):
    """The product of ours that a line is mapped to."""

    name: str
    town: str


async def products_of(order_id: int) -> dict[str, Named]:
    """An order's mapped products by line; what nobody mapped is missing."""
    rows = await database.fetch(
        "SELECT l.line_ref, p.name, p.town FROM order_line l"
        " JOIN product_map m ON m.shop_id = l.shop_id AND m.product_ref = l.product_ref"
        " JOIN product p ON p.id = m.product_id WHERE l.order_id = $1",
        order_id,
    )
    return {row["line_ref"]: Named(row["name"], row["town"]) for row in rows}


async def overdue(*, centre_id: int, now: datetime) -> int:
    """How many reads of orders or after-sales have waited too long, or were given up."""
    row = await database.fetch_one(
        "SELECT count(*) AS n FROM fetch_job f JOIN shop s ON s.id = f.shop_id"
        " WHERE s.centre_id = $1 AND f.status IN ('waiting', 'dead') AND f.created_at < $2",
        centre_id,
        clock.to_ms(now - PATIENCE),
    )
    return int(row["n"]) if row else 0
