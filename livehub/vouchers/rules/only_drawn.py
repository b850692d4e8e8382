"""In a lottery only those who were drawn claim."""

from __future__ import annotations

from msgspec import Struct

from livehub.vouchers.eligibility import Attempt, Refusal, Stage


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """None."""


class OnlyDrawn:
    name, label, stage, rank, always, params = "only_drawn", "限中签者", Stage.CLAIM, 25, True, Params

    def judge(self, attempt: Attempt, params: Params) -> Refusal | None:  # noqa: ARG002 -- a rule's signature
        return Refusal("NOT_DRAWN") if attempt.drawn is False else None


RULE = OnlyDrawn()
