"""Rate windows of yesterday count for nothing any more."""

from __future__ import annotations

from datetime import datetime, timedelta

from jobs.schedule import every
from livehub.kit import limits

KEPT = timedelta(days=2)  # longer than the longest window


@every(minutes=60)
async def prune_rate_windows(now: datetime) -> int:
    return await limits.prune(before=now - KEPT)


TASK = prune_rate_windows
