"""Bookings that nobody approved in time give their room back, and whoever waits for it is offered it."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.accounts.actors import system
from rooms import booking, waitlist


@every(minutes=1)
async def expire_holds(now: datetime) -> int:
    expired = await booking.expire_holds(actor=system("expire_holds"), now=now)
    return expired + await waitlist.advance(now=now)


TASK = expire_holds
