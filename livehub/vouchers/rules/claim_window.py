"""A round gives vouchers away only while it is open and inside its claim window."""

from __future__ import annotations

from msgspec import Struct

from livehub.vouchers.eligibility import Attempt, Refusal, Stage
from livehub.vouchers.round_states import BEFORE_CLAIMS, GIVING


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """None."""


class ClaimWindow:
    name, label, stage, rank, always, params = "claim_window", "领取时间内", Stage.CLAIM, 20, True, Params

    def judge(self, attempt: Attempt, params: Params) -> Refusal | None:  # noqa: ARG002 -- a rule's signature
        if attempt.round not in GIVING or attempt.now >= attempt.claim_until:
            return Refusal("ENDED")
        if attempt.round in BEFORE_CLAIMS or attempt.now < attempt.claim_from:
            return Refusal("NOT_STARTED")
        return None


RULE = ClaimWindow()
