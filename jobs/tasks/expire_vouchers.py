"""Vouchers whose time is over give their money back, two days later where platforms may still tell."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.vouchers import expiry


@every(minutes=1)
async def expire_vouchers(now: datetime) -> int:
    return await expiry.sweep(now=now)


TASK = expire_vouchers
