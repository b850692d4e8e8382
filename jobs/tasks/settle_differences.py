"""Differences between platforms' lists and ours are closed when they are gone by themselves."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.orders import differences


@every(minutes=1)
async def settle_differences(now: datetime) -> int:
    return await differences.settle(now=now)


TASK = settle_differences
