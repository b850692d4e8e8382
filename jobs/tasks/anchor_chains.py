"""The heads of the audit chains are written to a second place once a day."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import daily
from livehub.accounts import anchors


@daily(hour=0, minute=10)
async def anchor_chains(now: datetime) -> int:
    return await anchors.write(now)


TASK = anchor_chains
