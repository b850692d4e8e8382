"""Vouchers are used at a merchant within moments of being claimed."""

from __future__ import annotations

from statistics import median_low
from typing import Annotated

from msgspec import Meta, Struct

from livehub.settlement.signals import Measure, MerchantDay, Portion, Signal

STEPS = ((30, "30 秒内"), (90, "30–90 秒"), (600, "90 秒–10 分钟"), (3600, "10–60 分钟"))


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """How many uses, and below which median."""

    min_uses: Annotated[int, Meta(ge=1)] = 20
    seconds: Annotated[int, Meta(ge=1)] = 90


class QuickUse:
    name, label, version, about, params = "quick_use", "领券后立即核销", 1, MerchantDay, Params

    def judge(self, seen: MerchantDay, params: Params) -> list[Signal]:
        if len(seen.uses) < params.min_uses:
            return []
        took = {use.id: int((use.at - use.claimed_at).total_seconds()) for use in seen.uses}
        middle = median_low(took.values())
        if middle >= params.seconds:
            return []
        return [
            Signal(
                name=self.name,
                label="领券到核销（中位数）",
                measure=Measure.SECONDS,
                value=middle,
                of=len(seen.uses),
                limit=params.seconds,
                bars=_bars(list(took.values())),
                rows=tuple(number for number, seconds in took.items() if seconds < params.seconds),
            )
        ]


def _bars(took: list[int]) -> tuple[Portion, ...]:
    low, bars = 0, []
    for high, label in STEPS:
        bars.append(Portion(label, sum(low <= seconds < high for seconds in took)))
        low = high
    return (*bars, Portion("1 小时以上", sum(seconds >= low for seconds in took)))


RULE = QuickUse()
