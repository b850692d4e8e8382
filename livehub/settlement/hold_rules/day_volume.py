"""A merchant has far more redemptions on a day than it usually has."""

from __future__ import annotations

from statistics import median_low
from typing import Annotated

from msgspec import Meta, Struct

from livehub.settlement.signals import Measure, MerchantDay, Portion, Signal


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """How many uses, how many days to compare with, and how far above them."""

    min_uses: Annotated[int, Meta(ge=1)] = 20
    min_days: Annotated[int, Meta(ge=1)] = 7
    times: Annotated[int, Meta(ge=1)] = 3  # the median of those days
    deviations: Annotated[int, Meta(ge=1)] = 4  # above it, by the median deviation


class DayVolume:
    name, label, version, about, params = "day_volume", "当日核销远高于平时", 1, MerchantDay, Params

    def judge(self, seen: MerchantDay, params: Params) -> list[Signal]:
        if len(seen.uses) < params.min_uses or len(seen.usual) < params.min_days:
            return []
        usual = median_low(seen.usual)
        spread = max(1, median_low(abs(each - usual) for each in seen.usual))
        # 1.4826 median deviations are one standard deviation of a normal distribution.
        limit = max(params.times * usual, usual + params.deviations * spread * 14826 // 10_000)
        if len(seen.uses) <= limit:
            return []
        return [
            Signal(
                name=self.name,
                label="当日核销笔数",
                measure=Measure.COUNT,
                value=len(seen.uses),
                of=usual,
                limit=limit,
                bars=(Portion("当日", len(seen.uses)), Portion("平时（中位数）", usual)),
                rows=tuple(use.id for use in seen.uses),
            )
        ]


RULE = DayVolume()
