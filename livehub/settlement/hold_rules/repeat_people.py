"""A few people use voucher after voucher at one merchant on one day."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub.settlement.signals import BARS, Measure, MerchantDay, Portion, Signal, is_share, most


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """Who counts as repeating, how many of them, and their share of the uses."""

    min_uses: Annotated[int, Meta(ge=1)] = 20
    uses_each: Annotated[int, Meta(ge=2)] = 3
    people: Annotated[int, Meta(ge=1)] = 3
    percent: Annotated[int, Meta(ge=1, le=100)] = 50


class RepeatPeople:
    name, label, version, about, params = "repeat_people", "同一批人反复核销", 1, MerchantDay, Params

    def judge(self, seen: MerchantDay, params: Params) -> list[Signal]:
        counted = most((use.person for use in seen.uses), len(seen.uses))
        repeating = {person: n for person, n in counted if n >= params.uses_each}
        theirs = [use for use in seen.uses if use.person in repeating]
        if (
            len(seen.uses) < params.min_uses
            or len(repeating) < params.people
            or not is_share(len(theirs), len(seen.uses), params.percent)
        ):
            return []
        return [
            Signal(
                name=self.name,
                label=f"{len(repeating)} 位反复核销的顾客所占笔数",
                measure=Measure.SHARE,
                value=len(theirs),
                of=len(seen.uses),
                limit=params.percent,
                bars=tuple(Portion(f"顾客 {person}", n) for person, n in list(repeating.items())[:BARS]),
                rows=tuple(use.id for use in theirs),
            )
        ]


RULE = RepeatPeople()
