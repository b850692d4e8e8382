"""Amounts that a platform states for the whole order, brought down to its lines."""

from __future__ import annotations

from collections.abc import Sequence

from livehub.kit import money


def per_line(own: Sequence[int | None], *, whole: int, weights: Sequence[int]) -> list[int]:
    """The lines' own amounts where every line states one, else the whole split by weight, to the fen."""
    stated = [amount for amount in own if amount is not None]
    return stated if len(stated) == len(own) else money.split(whole, weights)
