"""Bookings whose time is over are completed, or noted as no-show when nobody came."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.accounts.actors import system
from rooms import booking


@every(minutes=5)
async def close_past_bookings(now: datetime) -> int:
    return await booking.close_past(actor=system("close_past_bookings"), now=now)


TASK = close_past_bookings
