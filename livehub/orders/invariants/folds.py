"""Every order state is the fold of the facts in the inbox, message by message."""

from __future__ import annotations

from livehub import database
from livehub.inbox import layout
from livehub.kit.invariants import Invariant
from livehub.orders import folding, state
from livehub.orders.state import OrderState

CHUNK = 500


async def check() -> list[str]:
    """Orders whose stored state differs from the fold of their booked messages."""
    found: list[str] = []
    last = 0
    while True:
        orders = await database.fetch(
            "SELECT o.id, o.platform, o.order_ref, o.state, s.shop_ref FROM sales_order o JOIN shop s"
            f" ON s.id = o.shop_id WHERE o.id > $1 ORDER BY o.id LIMIT {CHUNK}",
            last,
        )
        if not orders:
            return found
        last = orders[-1]["id"]
        keys = {layout.order_key(row["platform"], row["shop_ref"], row["order_ref"]): row for row in orders}
        folded = await folding.fold(keys)
        found += [
            f"order {key}: its state is not the fold of its facts"
            for key, row in keys.items()
            if state.encode(folded.get(key, OrderState())) != row["state"]
        ]


INVARIANT = Invariant("orders.folds", "订单状态等于消息之合并", check)
