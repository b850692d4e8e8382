"""Logins that have ended by themselves are forgotten."""

from __future__ import annotations

from datetime import datetime

from jobs.schedule import every
from livehub.accounts import logins


@every(minutes=60)
async def prune_sessions(now: datetime) -> int:
    return await logins.forget_expired(now=now)


TASK = prune_sessions
