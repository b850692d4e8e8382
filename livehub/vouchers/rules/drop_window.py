"""A broadcast's link gives vouchers only while a drop of that broadcast is open."""

from __future__ import annotations

from msgspec import Struct

from livehub.vouchers.eligibility import Attempt, Refusal, Stage


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """None."""


class DropWindow:
    name, label, stage, rank, always, params = "drop_window", "投放进行中", Stage.CLAIM, 30, True, Params

    def judge(self, attempt: Attempt, params: Params) -> Refusal | None:  # noqa: ARG002 -- a rule's signature
        drop = attempt.drop
        if drop is None:
            return None
        if drop.state != "open":
            return Refusal("ENDED", "本次投放已经结束。")
        if drop.opens_at is not None and attempt.now < drop.opens_at:
            return Refusal("NOT_STARTED")
        if drop.closes_at is not None and attempt.now >= drop.closes_at:
            return Refusal("ENDED", "本次投放已经结束。")
        return None


RULE = DropWindow()
