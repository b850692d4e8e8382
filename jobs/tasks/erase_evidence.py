"""The sealed bytes of deliveries go when their shop keeps them no longer; digest, verdict and facts stay."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import daily
from livehub.inbox import retention


@daily(hour=4, minute=0)
async def erase_evidence(now: datetime) -> int:
    return await retention.erase_due(now=now)


TASK = erase_evidence
