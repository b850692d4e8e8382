"""Rounds whose claim window is over close; the money of what nobody claimed is released."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.vouchers import round_ends


@every(minutes=1)
async def close_rounds(now: datetime) -> int:
    return await round_ends.close_due(now=now)


TASK = close_rounds
