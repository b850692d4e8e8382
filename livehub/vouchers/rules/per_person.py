"""At most so many vouchers of this template for one person."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub.vouchers.eligibility import Attempt, Refusal, Stage


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """``by_platform`` counts each platform's links apart."""

    limit: Annotated[int, Meta(ge=1)] = 1
    by_platform: bool = False


class PerPerson:
    name, label, stage, rank, always, params = "per_person", "每人限领", Stage.CLAIM, 60, True, Params

    def judge(self, attempt: Attempt, params: Params) -> Refusal | None:
        if attempt.claims_by_person >= params.limit:
            return Refusal("LIMIT_PERSON", f"每人限领 {params.limit} 张，您已经领过了。")
        return None


RULE = PerPerson()
