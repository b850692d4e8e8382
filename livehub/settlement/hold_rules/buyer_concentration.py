"""A handful of buyers placed most of a broadcast's orders."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub.settlement.signals import Measure, Portion, Show, Signal, is_share, most


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """How many orders, how many buyers, and which share is theirs."""

    min_orders: Annotated[int, Meta(ge=1)] = 50
    top: Annotated[int, Meta(ge=1, le=10)] = 4
    percent: Annotated[int, Meta(ge=1, le=100)] = 80


class BuyerConcentration:
    name, label, version, about, params = "buyer_concentration", "少数买家下了大部分订单", 1, Show, Params

    def judge(self, seen: Show, params: Params) -> list[Signal]:
        known = [order for order in seen.orders if order.buyer]  # without a buyer there is nothing to test
        top = most((order.buyer for order in known), params.top)
        buyers = {buyer for buyer, _ in top}
        theirs = [order for order in known if order.buyer in buyers]
        if len(known) < params.min_orders or not is_share(len(theirs), len(known), params.percent):
            return []
        rest = len(known) - len(theirs)
        return [
            Signal(
                name=self.name,
                label=f"下单最多的 {len(top)} 位买家的订单",
                measure=Measure.SHARE,
                value=len(theirs),
                of=len(known),
                limit=params.percent,
                bars=(*(Portion(f"买家 {buyer[:6]}", n) for buyer, n in top), Portion("其余买家", rest)),
                rows=tuple(order.id for order in theirs),
            )
        ]


RULE = BuyerConcentration()
