"""What finished rounds left goes into the rounds planned to take it."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.vouchers import rollovers


@every(minutes=5)
async def roll_rounds(now: datetime) -> int:
    return await rollovers.roll_due(now=now)


TASK = roll_rounds
