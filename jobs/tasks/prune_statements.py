"""Statements that were looked at and not imported are forgotten after a week."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import daily
from livehub.orders.statements import drafts


@daily(hour=3, minute=50)
async def prune_statements(now: datetime) -> int:
    return await drafts.prune(now=now)


TASK = prune_statements
