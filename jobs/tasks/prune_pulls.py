"""Windows that were read and lists that were compared are forgotten when nobody looks back at them."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import daily
from livehub.orders import reconciled


@daily(hour=3, minute=50)
async def prune_pulls(now: datetime) -> int:
    return await reconciled.prune(now=now)


TASK = prune_pulls
