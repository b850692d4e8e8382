"""People who work for a merchant use vouchers at it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub.settlement.signals import Measure, MerchantDay, Portion, Signal, most


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """How many such uses a day may have."""

    allowed: Annotated[int, Meta(ge=0)] = 2


class StaffOverlap:
    name, label, version, about, params = "staff_overlap", "商户人员自己核销", 1, MerchantDay, Params

    def judge(self, seen: MerchantDay, params: Params) -> list[Signal]:
        own = [use for use in seen.uses if use.is_staff]
        if len(own) <= params.allowed:
            return []
        return [
            Signal(
                name=self.name,
                label="登记在本店人员手机下的核销",
                measure=Measure.COUNT,
                value=len(own),
                of=len(seen.uses),
                limit=params.allowed,
                bars=tuple(Portion(f"人员 {person}", n) for person, n in most(use.person for use in own)),
                rows=tuple(use.id for use in own),
            )
        ]


RULE = StaffOverlap()
