"""How often claims and redemptions were refused, by round, reason and minute: a rush leaves a few rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from livehub import database
from livehub.kit import clock
from livehub.kit.sums import Sums

Counted = tuple[int, str, int]  # round id (0: none), reason code, minute in ms

FLUSH_SECONDS = 1.0

COLUMNS = {"round_id": "bigint", "reason": "text", "minute": "bigint", "n": "int"}
ADD = (
    "INSERT INTO refusal_count (round_id, reason, minute, count)"
    " SELECT round_id, reason, minute, n FROM {of} WHERE true ON CONFLICT (round_id, reason, minute)"
    " DO UPDATE SET count = refusal_count.count + excluded.count"
)


def key(round_id: int, reason: str, *, now: datetime) -> Counted:
    """The count one refusal belongs to."""
    return round_id, reason, clock.to_ms(now) // 60_000 * 60_000


async def add(counts: Mapping[Counted, int]) -> None:
    """Add a batch's refusals in the current transaction, in key order."""
    await database.with_rows(COLUMNS, rows(counts), ADD.format(of="v"))


def rows(counts: Mapping[Counted, int]) -> list[tuple[int, str, int, int]]:
    """The counts as rows, in key order."""
    return [(*each, number) for each, number in sorted(counts.items())]


def sums() -> Sums[Counted]:
    """Refusals counted in memory: somebody is told that nothing is left without waiting for a commit."""
    return Sums("refusals", lambda counts: database.unit(lambda: add(counts)), seconds=FLUSH_SECONDS)
