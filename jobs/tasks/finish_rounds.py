"""Rounds all of whose vouchers are used or expired are finished."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.vouchers import round_ends


@every(minutes=5)
async def finish_rounds(now: datetime) -> int:
    return await round_ends.finish_due(now=now)


TASK = finish_rounds
