"""Facts that every listener has heard are forgotten after 30 days; dead ones stay."""

from __future__ import annotations

from datetime import datetime, timedelta

from jobs.schedule import daily
from livehub.kit import outbox

KEPT = timedelta(days=30)


@daily(hour=3, minute=40)
async def prune_outbox(now: datetime) -> int:
    return await outbox.prune(before=now - KEPT)


TASK = prune_outbox
