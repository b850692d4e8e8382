"""Windows of platforms' lists are opened when they are due: the last half hour, yesterday, thirty days."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.orders import cursors


@every(minutes=2)  # a window ends two minutes before it may be read: each is opened as soon as it may
async def plan_pulls(now: datetime) -> int:
    return await cursors.plan(now=now)


TASK = plan_pulls
