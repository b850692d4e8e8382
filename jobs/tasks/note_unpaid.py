"""Orders that nobody paid within half an hour are booked as placed and not paid."""

from __future__ import annotations

from datetime import datetime, timedelta

from jobs.schedule import every
from livehub.orders import unpaid

BACK = timedelta(hours=6)  # so long may the jobs have been down


@every(minutes=5)
async def note_unpaid(now: datetime) -> int:
    return await unpaid.note(since=now - BACK, now=now)


TASK = note_unpaid
