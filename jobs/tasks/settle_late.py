"""What a statement settles is found in orders that came after it, and judged anew when an order changes."""

from __future__ import annotations

from datetime import datetime, timedelta

from jobs.schedule import every
from livehub.orders.statements import differences, importing

BEGUN = timedelta(minutes=2)  # an import that takes longer may have lost its process
CHANGED = timedelta(days=1)  # looked back at, so that nothing is missed while jobs are down for a night


@every(minutes=10)
async def settle_late(now: datetime) -> str:
    finished = await importing.finish_begun(now=now, older_than=now - BEGUN)
    looked = await differences.look_again(since=now - CHANGED, now=now)
    return f"{finished} imports finished, {looked} rows and orders looked at"


TASK = settle_late
