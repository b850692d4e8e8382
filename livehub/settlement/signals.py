"""What hold rules may look at and what they say: pure judgements over structs, one file per rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Protocol

from msgspec import Struct

from livehub.kit import plugins
from livehub.settlement import hold_rules

BARS = 12  # of a signal's picture, at most


class Measure(StrEnum):
    """How a signal's numbers are read."""

    SHARE = "share"  # value of so many; the limit in percent
    COUNT = "count"  # value, beside what is usual or all there are; the limit a count
    SECONDS = "seconds"  # value, the median of so many; the limit in seconds
    FEN = "fen"  # value of so much money; no limit


class Use(Struct, frozen=True, kw_only=True):
    """One redemption at a merchant."""

    id: int
    at: datetime
    claimed_at: datetime
    order_fen: int
    threshold_fen: int
    person: str  # the beginning of a keyed hash: nobody's name
    is_staff: bool = False  # the phone is one of the merchant's own people


class MerchantDay(Struct, frozen=True, kw_only=True):
    """What was used at one merchant on one day, and how many uses its days before had."""

    day: date
    uses: tuple[Use, ...]
    usual: tuple[int, ...] = ()  # of each day of the last four weeks with any


class Placed(Struct, frozen=True, kw_only=True):
    """One order of a broadcast."""

    id: int
    buyer: str  # a keyed hash, '' where the platform names no buyer
    is_undone: bool  # closed unpaid, or wholly refunded


class Show(Struct, frozen=True, kw_only=True):
    """The orders of one broadcast that has ended."""

    orders: tuple[Placed, ...]


class Late(Struct, frozen=True, kw_only=True):
    """An order that was told after its voucher's money was free."""

    id: int
    order_fen: int
    subsidy_fen: int


Seen = MerchantDay | Show | Late


class Portion(Struct, frozen=True):
    """A name and a count, for a signal's picture."""

    label: str
    count: int


class CaseFigure(Struct, frozen=True, kw_only=True):
    """One number that is out of the ordinary: what a case keeps and shows."""

    name: str
    label: str
    measure: Measure
    value: int
    of: int
    limit: int
    bars: tuple[Portion, ...] = ()


class Signal(CaseFigure, frozen=True, kw_only=True):
    """The same with the rows that make it up, which stand beside the case and may be many."""

    rows: tuple[int, ...] = ()

    def figure(self) -> CaseFigure:
        """It without its rows."""
        return CaseFigure(**{name: getattr(self, name) for name in CaseFigure.__struct_fields__})


class Rule(Protocol):
    """One file in hold_rules/ with a module attribute RULE; ``judge`` is pure and moves nothing."""

    name: str
    label: str
    version: int  # goes up when the same numbers would be judged differently
    about: type[Seen]
    params: type[Struct]  # its thresholds, with their defaults

    def judge(self, seen: Any, params: Any) -> Sequence[Signal]:
        """The signals, none when nothing is out of the ordinary."""
        ...


@cache
def registry() -> Mapping[str, Rule]:
    """Every rule by its name."""
    return {rule.name: rule for rule in plugins.discover(hold_rules, "RULE").values()}


def about(kind: type[Seen]) -> list[Rule]:
    """The rules that judge this kind of thing."""
    return [rule for rule in registry().values() if rule.about is kind]


def is_share(value: int, of: int, percent: int) -> bool:
    """Whether it is at least that share, in whole numbers."""
    return of > 0 and value * 100 >= of * percent


def most(names: Iterable[str], number: int = BARS) -> list[tuple[str, int]]:
    """The names that come most often, ties by name."""
    return sorted(Counter(names).items(), key=lambda each: (-each[1], each[0]))[:number]
