"""Who sells best in a theme, without praising the luck of one evening: means drawn toward the theme's. Pure.

With x her G3 an hour over n broadcasts and m the theme's, the score is (n·x + k·m) / (n + k), exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import groupby

from msgspec import Struct

K = 5  # broadcasts that the theme's mean weighs
_HOUR_MS = 3_600_000


class Part(Struct, frozen=True, kw_only=True):
    """What one streamer did in one theme."""

    streamer_id: int
    theme: str
    broadcasts: int
    live_ms: int
    g3_fen: int


class Place(Struct, frozen=True, kw_only=True):
    """Where that puts her; fen an hour, exactly."""

    streamer_id: int
    theme: str
    broadcasts: int
    live_ms: int
    g3_fen: int
    mean: Fraction  # her own
    theme_mean: Fraction  # a ratio of sums, never a mean of ratios
    score: Fraction
    rank: int  # who has the same score has the same rank
    of: int


def places(parts: Iterable[Part]) -> list[Place]:
    """Everybody who was on air in a theme, themes by name and the best first."""
    on_air = sorted((each for each in parts if each.live_ms > 0), key=lambda each: each.theme)
    return [
        place for _, group in groupby(on_air, key=lambda each: each.theme) for place in _theme(list(group))
    ]


def score(part: Part, theme_mean: Fraction) -> Fraction:
    """Her mean, drawn toward the theme's by K broadcasts."""
    own = Fraction(part.g3_fen * _HOUR_MS, part.live_ms)
    return (part.broadcasts * own + K * theme_mean) / (part.broadcasts + K)


def _theme(group: list[Part]) -> list[Place]:
    mean = Fraction(sum(each.g3_fen for each in group) * _HOUR_MS, sum(each.live_ms for each in group))
    scores = {each.streamer_id: score(each, mean) for each in group}
    return [
        Place(
            streamer_id=each.streamer_id,
            theme=each.theme,
            broadcasts=each.broadcasts,
            live_ms=each.live_ms,
            g3_fen=each.g3_fen,
            mean=Fraction(each.g3_fen * _HOUR_MS, each.live_ms),
            theme_mean=mean,
            score=scores[each.streamer_id],
            rank=1 + sum(other > scores[each.streamer_id] for other in scores.values()),
            of=len(group),
        )
        for each in sorted(group, key=lambda each: (-scores[each.streamer_id], each.streamer_id))
    ]
