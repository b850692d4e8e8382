"""Runs of scheduled tasks are remembered for 30 days."""

from __future__ import annotations

from datetime import datetime, timedelta

from jobs import runner
from jobs.schedule import daily

KEPT = timedelta(days=30)


@daily(hour=3, minute=20)
async def prune_job_runs(now: datetime) -> int:
    return await runner.prune(before=now - KEPT)


TASK = prune_job_runs
