"""Broadcasts are reviewed as they were known 10 minutes, 7 days and 30 days after their end."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.reports import reviews


@every(minutes=1)
async def freeze_reviews(now: datetime) -> int:
    return await reviews.freeze_due(now=now)


TASK = freeze_reviews
