"""Rate windows in the database, so that every worker and machine counts together."""

from __future__ import annotations

from datetime import datetime

from tortoise import fields
from tortoise.models import Model

from livehub import database
from livehub.database.fields import InstantField
from livehub.kit import clock
from livehub.kit.errors import TooMany


class RateWindow(Model):
    """How often something happened since a window began."""

    id = fields.BigIntField(primary_key=True)
    key = fields.CharField(max_length=120)
    starts_at = InstantField()
    count = fields.IntField()

    class Meta:
        table = "rate_window"
        unique_together = (("key", "starts_at"),)


async def hit(key: str, *, seconds: int, now: datetime) -> int:
    """Count one occurrence and return how many there are in the current window, this one included."""
    start = clock.to_ms(now) // (seconds * 1000) * seconds * 1000
    row = await database.fetch_one(
        "INSERT INTO rate_window (key, starts_at, count) VALUES ($1, $2, 1)"
        " ON CONFLICT (key, starts_at) DO UPDATE SET count = rate_window.count + 1 RETURNING count",
        key,
        start,
    )
    assert row is not None  # noqa: S101 -- an upsert returns its row
    return int(row["count"])


async def require(key: str, *, limit: int, seconds: int, now: datetime) -> None:
    """Count one occurrence; TooMany with the seconds to wait when there were more than ``limit``."""
    if await hit(key, seconds=seconds, now=now) > limit:
        raise TooMany(retry_after=seconds - clock.to_ms(now) // 1000 % seconds)


async def give_back(key: str, *, seconds: int, now: datetime) -> None:
    """Take one counted occurrence of the current window back: it turned out to be a good one."""
    await database.execute(
        "UPDATE rate_window SET count = count - 1 WHERE key = $1 AND starts_at = $2 AND count > 0",
        key,
        clock.to_ms(now) // (seconds * 1000) * seconds * 1000,
    )


async def prune(*, before: datetime) -> int:
    """Forget windows that began before an instant."""
    return await database.execute("DELETE FROM rate_window WHERE starts_at < $1", clock.to_ms(before))
