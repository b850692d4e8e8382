"""Before the morning's settlement the hold rules look at the day that is over and at shows that ended."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import daily
from livehub.settlement import evaluating


@daily(hour=6)
async def open_cases(now: datetime) -> str:
    return f"{await evaluating.run_all(now=now)} cases opened"


TASK = open_cases
