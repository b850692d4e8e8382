"""How many wrong codes a merchant user and a store have sent: windows that all workers share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from livehub import database
from livehub.kit import clock

SECONDS = 600
LIMIT_USER = 10
LIMIT_STORE = 30


def keys(*, who: str, store_id: int) -> tuple[tuple[str, int], tuple[str, int]]:
    """The windows a wrong code counts in, each with its limit; ``who`` is a user or a token."""
    return (f"redeem:by:{who}", LIMIT_USER), (f"redeem:store:{store_id}", LIMIT_STORE)


async def so_far(names: Collection[str], *, now: datetime) -> Counter[str]:
    """How many wrong codes each window has."""
    rows = await database.with_rows(
        {"name": "text", "starts_at": "bigint"},
        [(name, _start(now)) for name in sorted(names)],
        "SELECT w.key, w.count FROM v JOIN rate_window w ON w.key = v.name AND w.starts_at = v.starts_at",
    )
    return Counter({row["key"]: row["count"] for row in rows})


async def add(failures: Counter[str], *, now: datetime) -> None:
    """Count a batch's wrong codes in the current transaction, in key order."""
    await database.with_rows(
        {"name": "text", "starts_at": "bigint", "n": "int"},
        [(name, _start(now), number) for name, number in sorted(failures.items())],
        "INSERT INTO rate_window (key, starts_at, count) SELECT name, starts_at, n FROM v WHERE true"
        " ON CONFLICT (key, starts_at) DO UPDATE SET count = rate_window.count + excluded.count",
    )


def seconds_left(now: datetime) -> int:
    """How long until the present window ends."""
    return SECONDS - clock.to_ms(now) // 1000 % SECONDS


def _start(now: datetime) -> int:
    return clock.to_ms(now) // (SECONDS * 1000) * SECONDS * 1000
