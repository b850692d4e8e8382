"""How many wrong codes a merchant user and a store have sent: windows that all workers share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from livehub.kit import clock, limits

SECONDS = 600
LIMIT_USER = limits.declare("redeem.wrong_codes_of_cashier", 10, seconds=SECONDS).most
LIMIT_STORE = limits.declare("redeem.wrong_codes_of_store", 30, seconds=SECONDS).most


def keys(*, who: str, store_id: int) -> tuple[tuple[str, int], tuple[str, int]]:
    """The windows a wrong code counts in, each with its limit; ``who`` is a user or a token."""
    return (f"redeem:by:{who}", LIMIT_USER), (f"redeem:store:{store_id}", LIMIT_STORE)


async def so_far(names: Collection[str], *, now: datetime) -> Counter[str]:
    """How many wrong codes each window has."""
    return await limits.so_far(names, seconds=SECONDS, now=now)


async def add(failures: Counter[str], *, now: datetime) -> None:
    """Count a batch's wrong codes in the current transaction, in key order."""
    await limits.add(failures, seconds=SECONDS, now=now)


def seconds_left(now: datetime) -> int:
    """How long until the present window ends."""
    return SECONDS - clock.to_ms(now) // 1000 % SECONDS
