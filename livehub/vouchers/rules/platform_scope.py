"""Vouchers of this template are given away on the named platforms only."""

from __future__ import annotations

from msgspec import Struct

from livehub.vouchers.eligibility import Attempt, Refusal, Stage


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """The platforms of the links that may be claimed on; empty: all."""

    only: tuple[str, ...] = ()


class PlatformScope:
    name, label, stage, rank, always, params = "platform_scope", "限定平台", Stage.CLAIM, 50, False, Params

    def judge(self, attempt: Attempt, params: Params) -> Refusal | None:
        if params.only and attempt.platform not in params.only:
            return Refusal("WRONG_PLATFORM")
        return None


RULE = PlatformScope()
