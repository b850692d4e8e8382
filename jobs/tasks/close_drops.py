"""Drops whose time is over close; what nobody claimed is the template's again."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.vouchers import drops


@every(minutes=1)
async def close_drops(now: datetime) -> int:
    return await drops.close_due(now=now)


TASK = close_drops
