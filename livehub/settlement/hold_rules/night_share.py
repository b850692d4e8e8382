"""Most of a merchant's redemptions are made in the small hours."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub.kit import clock
from livehub.settlement.signals import Measure, MerchantDay, Portion, Signal, is_share


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """How many uses, until which hour it is night, and which share."""

    min_uses: Annotated[int, Meta(ge=1)] = 20
    until_hour: Annotated[int, Meta(ge=1, le=12)] = 5
    percent: Annotated[int, Meta(ge=1, le=100)] = 50


class NightShare:
    name, label, version, about, params = "night_share", "集中在凌晨核销", 1, MerchantDay, Params

    def judge(self, seen: MerchantDay, params: Params) -> list[Signal]:
        hours = {use.id: clock.local(use.at).hour for use in seen.uses}
        night = [number for number, hour in hours.items() if hour < params.until_hour]
        if len(hours) < params.min_uses or not is_share(len(night), len(hours), params.percent):
            return []
        return [
            Signal(
                name=self.name,
                label=f"0–{params.until_hour} 点的核销",
                measure=Measure.SHARE,
                value=len(night),
                of=len(hours),
                limit=params.percent,
                bars=tuple(
                    Portion(f"{hour} 点", sum(each == hour for each in hours.values()))
                    for hour in sorted(set(hours.values()))
                ),
                rows=tuple(night),
            )
        ]


RULE = NightShare()
