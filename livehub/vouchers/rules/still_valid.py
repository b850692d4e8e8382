"""Nobody is given a voucher that has already expired."""

from __future__ import annotations

from msgspec import Struct

from livehub.vouchers.eligibility import Attempt, Refusal, Stage


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """None."""


class StillValid:
    name, label, stage, rank, always, params = "still_valid", "未过有效期", Stage.CLAIM, 40, True, Params

    def judge(self, attempt: Attempt, params: Params) -> Refusal | None:  # noqa: ARG002 -- a rule's signature
        return Refusal("ENDED") if attempt.valid_until <= attempt.now else None


RULE = StillValid()
