"""Nearly all of a broadcast's orders were closed unpaid or wholly refunded."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub.settlement.signals import Measure, Portion, Show, Signal, is_share


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """How many orders, and which share came to nothing."""

    min_orders: Annotated[int, Meta(ge=1)] = 50
    percent: Annotated[int, Meta(ge=1, le=100)] = 90


class UndoneOrders:
    name, label, version, about, params = "undone_orders", "订单几乎全部退款或关闭", 1, Show, Params

    def judge(self, seen: Show, params: Params) -> list[Signal]:
        undone = [order for order in seen.orders if order.is_undone]
        if len(seen.orders) < params.min_orders or not is_share(
            len(undone), len(seen.orders), params.percent
        ):
            return []
        return [
            Signal(
                name=self.name,
                label="退款或关闭的订单",
                measure=Measure.SHARE,
                value=len(undone),
                of=len(seen.orders),
                limit=params.percent,
                bars=(Portion("退款或关闭", len(undone)), Portion("成立", len(seen.orders) - len(undone))),
                rows=tuple(order.id for order in undone),
            )
        ]


RULE = UndoneOrders()
