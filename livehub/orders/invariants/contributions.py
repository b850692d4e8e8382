"""What is booked for an order is what its state says, and its entries add up to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from livehub import database
from livehub.kit.invariants import Invariant
from livehub.orders import ledger, mending
from livehub.orders.held import Held

CHUNK = 500


async def check() -> list[str]:
    """Orders whose booked contribution is not that of their state, or not the sum of their entries."""
    found: list[str] = []
    async for orders in _chunks():
        fresh = await ledger.recomputed(orders)
        entries = await mending.entries_of([order.id for order in orders])
        for order in orders:
            name = f"order {order.platform}:{order.order_ref}"
            if fresh[order.id] != order.booked:
                found.append(f"{name}: booked contribution is not that of its state")
            if entries.get(order.id, {}) != order.booked:
                found.append(f"{name}: entries do not add up to what is booked")
    return found


async def _chunks() -> AsyncIterator[list[Held]]:
    last = 0
    while True:
        rows = await database.fetch(
            f"SELECT {ledger.HELD} FROM sales_order o WHERE o.id > $1 ORDER BY o.id LIMIT {CHUNK}", last
        )
        if not rows:
            return
        last = rows[-1]["id"]
        yield [ledger.held(row) for row in rows]


INVARIANT = Invariant("orders.contributions", "贡献等于订单状态", check)
