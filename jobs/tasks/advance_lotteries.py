"""Lotteries go on at the times that were announced: sign-up, the frozen list, the draw, the claims."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.vouchers import draws


@every(minutes=1)
async def advance_lotteries(now: datetime) -> int:
    return await draws.advance(now=now)


TASK = advance_lotteries
