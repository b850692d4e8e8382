"""What merchants are owed for yesterday becomes draft batches; campaigns with nothing open are settled."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import daily
from livehub.settlement import closing, collecting


@daily(hour=6, minute=30)
async def run_settlements(now: datetime) -> str:
    made = await collecting.run_all(now=now)
    return f"{made} batches made, {await closing.settle_due(now=now)} campaigns settled"


TASK = run_settlements
