"""Figures per minute are kept for 48 hours."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.orders import rollup


@every(minutes=60)
async def prune_minutes(now: datetime) -> int:
    return await rollup.prune_minutes(now=now)


TASK = prune_minutes
