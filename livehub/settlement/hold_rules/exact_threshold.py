"""Most of a merchant's orders sit exactly on the voucher's threshold."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub.settlement.signals import Measure, MerchantDay, Portion, Signal, is_share


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """How many uses there must be, and which share."""

    min_uses: Annotated[int, Meta(ge=1)] = 20
    percent: Annotated[int, Meta(ge=1, le=100)] = 60


class ExactThreshold:
    name, label, version, about, params = "exact_threshold", "订单金额正好卡在门槛", 1, MerchantDay, Params

    def judge(self, seen: MerchantDay, params: Params) -> list[Signal]:
        exact = [use for use in seen.uses if use.order_fen == use.threshold_fen]
        if len(seen.uses) < params.min_uses or not is_share(len(exact), len(seen.uses), params.percent):
            return []
        return [
            Signal(
                name=self.name,
                label="正好等于门槛的订单",
                measure=Measure.SHARE,
                value=len(exact),
                of=len(seen.uses),
                limit=params.percent,
                bars=(Portion("正好等于门槛", len(exact)), Portion("高于门槛", len(seen.uses) - len(exact))),
                rows=tuple(use.id for use in exact),
            )
        ]


RULE = ExactThreshold()
