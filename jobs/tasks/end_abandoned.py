"""Broadcasts that nobody watches over any more end at their last pulse."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.accounts.actors import system
from rooms import onair


@every(minutes=1)
async def end_abandoned(now: datetime) -> int:
    return await onair.end_abandoned(actor=system("end_abandoned"), now=now)


TASK = end_abandoned
