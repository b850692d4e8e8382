"""An order paid in time was told only after its voucher's money was free: somebody decides, nothing moves."""

from __future__ import annotations

from msgspec import Struct

from livehub.settlement.signals import Late, Measure, Signal


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to set: each one is a case."""


class LateRedemption:
    name, label, version, about, params = "late_redemption", "订单到达时券款已释放", 1, Late, Params

    def judge(self, seen: Late, params: Params) -> list[Signal]:  # noqa: ARG002 -- the contract of all rules
        return [
            Signal(
                name=self.name,
                label="券抵扣的金额，订单金额",
                measure=Measure.FEN,
                value=seen.subsidy_fen,
                of=seen.order_fen,
                limit=0,
                rows=(seen.id,),
            )
        ]


RULE = LateRedemption()
