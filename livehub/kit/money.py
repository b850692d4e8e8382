"""Integer fen: reading, showing and splitting without losing one."""

from __future__ import annotations

import re
from collections.abc import Sequence

_YUAN = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,2}))?")


def yuan(fen: int) -> str:
    """1234.05 yuan as ``1,234.05``."""
    sign = "-" if fen < 0 else ""
    whole, rest = divmod(abs(fen), 100)
    return f"{sign}{whole:,}.{rest:02d}"


def parse_yuan(text: str) -> int:
    """Fen of a decimal text of at most two decimals; ValueError for anything else, ``12.345`` too."""
    match = _YUAN.fullmatch(text.strip().replace(",", ""))
    if match is None:
        raise ValueError(text)
    sign, whole, cents = match.groups()
    fen = int(whole) * 100 + int((cents or "").ljust(2, "0"))
    return -fen if sign else fen


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Parts of ``total`` in proportion to ``weights`` that add up to it exactly.

    Largest remainder, ties to the earlier part. Weights are not negative; if all are 0 the parts are
    as equal as can be. A negative total is split like its absolute value.
    """
    if not weights:
        if total:
            raise ValueError("nothing to split over")
        return []
    if total < 0:
        return [-part for part in split(-total, weights)]
    whole = sum(weights)
    if whole == 0:
        return split(total, [1] * len(weights))
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts
