"""Messages to people are personal data: forgotten 30 days after they came to their end."""

from __future__ import annotations

from datetime import datetime, timedelta

from jobs.schedule import daily
from livehub.notices import sending

KEPT = timedelta(days=30)


@daily(hour=3, minute=30)
async def prune_notices(now: datetime) -> int:
    return await sending.forget(before=now - KEPT)


TASK = prune_notices
