"""At most so many vouchers of one person used in one shop on one day."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub.vouchers.eligibility import Refusal, Stage, Use


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """How many."""

    limit: Annotated[int, Meta(ge=1)] = 2


class PerShopDay:
    name, label, stage, rank, always, params = (
        "per_shop_day",
        "每人每店每日限用",
        Stage.USE,
        10,
        False,
        Params,
    )

    def judge(self, attempt: Use, params: Params) -> Refusal | None:
        if attempt.uses_in_shop_today >= params.limit:
            return Refusal("LIMIT_SHOP_DAY", f"同一位顾客每天在本店最多使用 {params.limit} 张券。")
        return None


RULE = PerShopDay()
