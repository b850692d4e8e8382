"""Bookings that nobody approved in time give their room back."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.accounts.actors import system
from rooms import booking


@every(minutes=1)
async def expire_holds(now: datetime) -> int:
    return await booking.expire_holds(actor=system("expire_holds"), now=now)


TASK = expire_holds
