"""What a benchmark is: a plan in, a report with its ratios out."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, Literal, Protocol

from msgspec import Struct

Engine = Literal["sqlite", "postgres"]


class Plan(Struct, frozen=True, kw_only=True):
    """How to measure: ``seconds`` of load each, in so many interleaved rounds."""

    engine: Engine
    seconds: float = 5.0
    repetitions: int = 5
    connections: int = 64
    postgres_url: str = ""  # a server on which databases may be created
    redis_url: str = ""  # empty: the peer that needs one is left out
    seed: int = 1
    orders: int = 0  # rollups: so many, whatever the seconds; 0: by the seconds
    plain: bool = False  # claims: without rules and link quota
    granted: bool = False  # claims: stock for everybody


class Report(Struct, kw_only=True):
    """What came out: ``rates`` are operations per second of each contender, one for each round."""

    correct: bool
    rates: dict[str, list[float]] = {}
    ratio: dict[str, float] = {}
    value: dict[str, Any] = {}
    notes: list[str] = []  # sentences for people


class Bench(Protocol):
    """A benchmark: a module of ``benches`` with ``BENCH``."""

    summary: str

    async def run(self, plan: Plan) -> Report:
        """Measure; the report says whether what was measured was also right."""
        ...


def ratio(report: Report, ours: str, peer: str) -> float:
    """Median of the rounds' own ratios: what disturbed a whole round disturbs both sides of it."""
    pairs = zip(report.rates[ours], report.rates[peer], strict=True)
    return round(median(mine / theirs for mine, theirs in pairs if theirs), 3)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
