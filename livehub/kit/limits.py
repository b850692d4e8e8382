"""Rate windows in the database, so that every worker and machine counts together."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Collection
from datetime import datetime

from msgspec import Struct
from tortoise import fields
from tortoise.models import Model

from livehub import database
from livehub.database.fields import InstantField
from livehub.kit import clock
from livehub.kit.errors import TooMany
from livehub.settings import Settings


class Limit(Struct):
    """At most so many in so many seconds; the setting of that name says otherwise."""

    most: int
    seconds: int
    setting: str = ""


DECLARED: dict[str, Limit] = {}


def declare(name: str, most: int, *, seconds: int, setting: str = "") -> Limit:
    """A limit by its name in docs/security.md, which a test holds against this."""
    DECLARED[name] = Limit(most, seconds, setting)
    return DECLARED[name]


def install(settings: Settings) -> None:
    """Let an installation's own numbers stand; called once at start, before anything is counted."""
    for each in DECLARED.values():
        if each.setting:
            each.most = getattr(settings, each.setting)


COUNTED = {"name": "text", "starts_at": "bigint", "n": "int"}
ADD = (
    "INSERT INTO rate_window (key, starts_at, count) SELECT name, starts_at, n FROM {of} WHERE true"
    " ON CONFLICT (key, starts_at) DO UPDATE SET count = rate_window.count + excluded.count"
)


class RateWindow(Model):
    """How often something happened since a window began."""

    id = fields.BigIntField(primary_key=True)
    key = fields.CharField(max_length=120)
    starts_at = InstantField()
    count = fields.IntField()

    class Meta:
        table = "rate_window"
        unique_together = (("key", "starts_at"),)


def network(ip: str) -> str:
    """The network an address belongs to: /24 of IPv4, /64 of IPv6; the text itself when it is neither."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 64), strict=False))


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


async def forget(key: str, *, seconds: int, now: datetime) -> int:
    """Forget what was counted in the current window; 1 if anything was, else 0."""
    return await database.execute(
        "DELETE FROM rate_window WHERE key = $1 AND starts_at = $2", key, start_of(seconds, now)
    )


async def so_far(keys: Collection[str], *, seconds: int, now: datetime) -> Counter[str]:
    """How often each of many things happened in the current window."""
    start = start_of(seconds, now)
    rows = await database.with_rows(
        {"name": "text", "starts_at": "bigint"},
        [(key, start) for key in sorted(keys)],
        "SELECT w.key, w.count FROM v JOIN rate_window w ON w.key = v.name AND w.starts_at = v.starts_at",
    )
    return Counter({row["key"]: row["count"] for row in rows})


async def add(counts: Counter[str], *, seconds: int, now: datetime) -> None:
    """Count a batch's occurrences in the current transaction, in key order."""
    start = start_of(seconds, now)
    await database.with_rows(
        COUNTED, [(key, start, number) for key, number in sorted(counts.items())], ADD.format(of="v")
    )


def seconds_left(seconds: int, now: datetime) -> int:
    """How long until the current window ends."""
    return seconds - clock.to_ms(now) // 1000 % seconds


def start_of(seconds: int, now: datetime) -> int:
    """When the current window began, in ms."""
    return clock.to_ms(now) // (seconds * 1000) * seconds * 1000


async def prune(*, before: datetime) -> int:
    """Forget windows that began before an instant."""
    return await database.execute("DELETE FROM rate_window WHERE starts_at < $1", clock.to_ms(before))
