"""May this person claim, may this voucher be used: pure judgements over structs, one file per rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from livehub.kit import plugins
from livehub.vouchers import rules
from livehub.vouchers.errors import REASONS, VoucherRefused
from livehub.vouchers.models import CampaignStatus, RoundStatus


class Refusal(Struct, frozen=True):
    """A reason code of errors.py, and a sentence where the class's own is not exact enough."""

    code: str
    message: str = ""

    def error(self) -> VoucherRefused:
        """The exception a person gets."""
        return REASONS[self.code](self.message)


class Stage(StrEnum):
    """When a rule is asked."""

    CLAIM = "claim"
    USE = "use"


class DropNow(Struct, frozen=True, kw_only=True):
    """The drop a broadcast's link leads to; ``state`` is none when there is no open one."""

    state: str  # open | planned | closed
    opens_at: datetime | None = None
    closes_at: datetime | None = None


class Attempt(Struct, frozen=True, kw_only=True):
    """One person's wish to claim, with all that claim rules may look at."""

    now: datetime
    campaign: CampaignStatus
    round: RoundStatus
    claim_from: datetime
    claim_until: datetime
    valid_until: datetime
    platform: str = ""
    claims_by_person: int = 0
    drop: DropNow | None = None  # None: the link needs no drop
    drawn: bool | None = None  # in a lottery; None: the round is none


class Use(Struct, frozen=True, kw_only=True):
    """One voucher's use on an order, with all that use rules may look at."""

    now: datetime
    uses_in_shop_today: int = 0


class Rule(Protocol):
    """One file in rules/ with a module attribute RULE; ``judge`` is pure."""

    name: str
    label: str
    stage: Stage
    rank: int  # asked in this order, so that the first refusal is the most telling one
    always: bool  # asked even when the template does not name it
    params: type[Struct]

    def judge(self, attempt: Any, params: Any) -> Refusal | None:
        """The refusal, or None."""
        ...


class BoundRule(Struct, frozen=True):
    """A rule with the parameters of one template."""

    rule: Any
    params: Any

    def judge(self, attempt: Attempt | Use) -> Refusal | None:
        """What the rule says to it."""
        verdict: Refusal | None = self.rule.judge(attempt, self.params)
        return verdict


def judge(bound: Sequence[BoundRule], attempt: Attempt | Use) -> Refusal | None:
    """The first refusal in order of rank, or None: it may go ahead."""
    for each in bound:
        refusal = each.judge(attempt)
        if refusal is not None:
            return refusal
    return None


@cache
def registry() -> Mapping[str, Rule]:
    """Every rule by its name."""
    return {rule.name: rule for rule in plugins.discover(rules, "RULE").values()}


@lru_cache(maxsize=1024)
def bind(text: str, stage: Stage) -> tuple[BoundRule, ...]:
    """The rules of a template's JSON ``{name: parameters}`` for a stage, by rank.

    ValueError (msgspec.ValidationError among them) when a name or a parameter is not known.
    """
    named: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    unknown = named.keys() - registry().keys()
    if unknown:
        raise ValueError(f"unknown rules {sorted(unknown)}")
    chosen = [
        BoundRule(rule, msgspec.convert(named.get(rule.name, {}), type=rule.params))
        for rule in registry().values()
        if rule.name in named or rule.always
    ]
    return tuple(sorted((b for b in chosen if b.rule.stage is stage), key=lambda each: each.rule.rank))
