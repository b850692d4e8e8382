"""What a refund takes back of a subsidy, and whether the voucher comes back: pure, a file for each preset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from msgspec import Struct

from livehub.kit import plugins
from livehub.vouchers import refund_presets


class Used(Struct, frozen=True):
    """The order a voucher paid for, in fen: its amount, and what the voucher paid of it."""

    order_fen: int
    subsidy_fen: int


class Preset(Struct, frozen=True, kw_only=True):
    """A city's published rule.

    ``recovered(used, refunded_fen)`` is the subsidy that is back once so much of the order is refunded: 0 at
    0, all of it at ``order_fen``, and with each fen refunded either the same or one more.
    """

    name: str
    label: str
    source: str  # whose published rule
    gives_back: bool  # one refund of the whole order, in time, makes the voucher usable again
    recovered: Callable[[Used, int], int]


class Split(Struct, frozen=True, kw_only=True):
    """One refund, parted: ``refund_fen = cash_fen + clawback_fen``."""

    refund_fen: int
    cash_fen: int
    clawback_fen: int
    is_whole: bool  # nothing of the order is left
    in_one: bool  # nothing of it had been refunded before


def split(preset: Preset, used: Used, *, before_fen: int, refund_fen: int) -> Split:
    """Part a refund of the order after ``before_fen`` were refunded; ValueError beyond what is left."""
    after_fen = before_fen + refund_fen
    if not 0 < refund_fen <= used.order_fen - before_fen:
        raise ValueError(refund_fen)
    clawback_fen = preset.recovered(used, after_fen) - preset.recovered(used, before_fen)
    return Split(
        refund_fen=refund_fen,
        cash_fen=refund_fen - clawback_fen,
        clawback_fen=clawback_fen,
        is_whole=after_fen == used.order_fen,
        in_one=before_fen == 0,
    )


def of_cash(preset: Preset, used: Used, cash_fen: int) -> int:
    """Fen of an order that are refunded when so much cash is back: the least that fits, all with all cash."""
    if cash_fen >= used.order_fen - used.subsidy_fen:
        return used.order_fen
    low, high = 0, used.order_fen
    while low < high:
        middle = (low + high) // 2
        if middle - preset.recovered(used, middle) < cash_fen:
            low = middle + 1
        else:
            high = middle
    return low


def pro_rata(used: Used, refunded_fen: int) -> int:
    """The subsidy's share of what is refunded."""
    return used.subsidy_fen * refunded_fen // used.order_fen


def subsidy_first(used: Used, refunded_fen: int) -> int:
    """The subsidy before any cash."""
    return min(used.subsidy_fen, refunded_fen)


@cache
def registry() -> Mapping[str, Preset]:
    """Every preset by its name."""
    return {preset.name: preset for preset in plugins.discover(refund_presets, "PRESET").values()}
