"""Which windows of a shop's lists are due: pure, so that everybody who asks finds the same ones.

Recent windows join: each begins where the one before ended, less an overlap, since a platform may list an
update late. Yesterday is read once more as a whole, and once a week the after-sales of thirty days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from livehub.kit import clock
from livehub.orders.pull_models import Cadence
from livehub.platforms.contract import FetchKind, Reach

STEP_MS: Final = 10 * 60_000
OVERLAP_MS: Final = 20 * 60_000  # with a step of ten minutes, the last half hour
SETTLE_MS: Final = 2 * 60_000  # a push of that age has arrived, or is late
NIGHT: Final = timedelta(minutes=30)  # after midnight, when yesterday is read
WEEKLY_HOUR: Final = 2
WEEKLY_DAYS: Final = 30
DAY: Final = timedelta(days=1)
DAY_MS: Final = 86_400_000


class Planned(Struct, frozen=True):
    """A window to be read, or one that the platform does not list any more."""

    kind: FetchKind
    cadence: Cadence
    start: int
    end: int
    is_too_old: bool = False


def due(
    kind: FetchKind, reach: Reach, *, planned: Mapping[Cadence, int], since: int, now: datetime
) -> list[Planned]:
    """The windows of a list that nobody planned yet.

    ``planned``: where the newest window of each cadence ends; ``since``: when the shop was registered.
    """
    found = list(_recent(kind, reach, planned.get(Cadence.RECENT), since=since, now=now))
    midnight = clock.at_local(clock.local_day(now))
    yesterday, today = clock.to_ms(midnight - DAY), clock.to_ms(midnight)
    if now >= midnight + NIGHT and planned.get(Cadence.DAILY, 0) < today and since < today:
        found += pieces(kind, Cadence.DAILY, yesterday, today, reach)
    if kind is FetchKind.REFUND:
        monday = clock.at_local(clock.local_day(now) - timedelta(days=clock.local_day(now).weekday()))
        end = clock.to_ms(monday)
        start = max(end - WEEKLY_DAYS * DAY_MS, _floor(since))
        if (
            now >= monday + timedelta(hours=WEEKLY_HOUR)
            and planned.get(Cadence.WEEKLY, 0) < end
            and start < end
        ):
            found += pieces(kind, Cadence.WEEKLY, start, end, reach)
    return found


def backfill(kind: FetchKind, reach: Reach, *, since: datetime, now: datetime) -> list[Planned]:
    """Everything from an instant to now, as far back as the platform lists."""
    end = clock.to_ms(now)
    start = max(clock.to_ms(since), end - reach.back_ms + STEP_MS)
    return list(pieces(kind, Cadence.BACKFILL, _floor(start), end, reach)) if start < end else []


def pieces(kind: FetchKind, cadence: Cadence, start: int, end: int, reach: Reach) -> Iterator[Planned]:
    """A stretch of time in windows that are no longer than the platform allows."""
    while start < end:
        until = min(end, start + reach.span_ms)
        yield Planned(kind, cadence, start, until)
        start = until


def _recent(
    kind: FetchKind, reach: Reach, planned_until: int | None, *, since: int, now: datetime
) -> Iterator[Planned]:
    end = _floor(clock.to_ms(now) - SETTLE_MS)
    oldest = _floor(clock.to_ms(now) - reach.back_ms) + STEP_MS
    if planned_until is None:  # nothing before was promised
        planned_until = max(_floor(since), oldest + OVERLAP_MS)
    if end <= planned_until:
        return
    start = planned_until - OVERLAP_MS
    if start < oldest:
        lost = min(oldest, end)
        yield Planned(kind, Cadence.RECENT, start, lost, is_too_old=True)
        start = lost
    yield from pieces(kind, Cadence.RECENT, start, end, reach)


def _floor(ms: int) -> int:
    return ms // STEP_MS * STEP_MS
