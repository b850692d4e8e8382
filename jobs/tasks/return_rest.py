"""What is left of ended campaigns goes back to the treasury."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.vouchers import campaign_ends


@every(minutes=10)
async def return_rest(now: datetime) -> int:
    return await campaign_ends.return_due(now=now)


TASK = return_rest
