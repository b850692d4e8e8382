"""Times that platforms give, as milliseconds, refused where no sale of ours can have been."""

from __future__ import annotations

from datetime import UTC, datetime

from livehub.kit import clock
from livehub.platforms.contract import Malformed

EARLIEST = clock.to_ms(datetime(2015, 1, 1, tzinfo=UTC))
LATEST = clock.to_ms(datetime(2038, 1, 1, tzinfo=UTC))


def from_seconds(value: int | None, *, field: str) -> int | None:
    """Unix seconds; 0 is how platforms say 'not yet'."""
    return plausible(value * 1000, field=field) if value else None


def from_instant(value: datetime | None, *, field: str) -> int | None:
    """An aware datetime, or None for none."""
    return None if value is None else plausible(clock.to_ms(value), field=field)


def plausible(ms: int, *, field: str) -> int:
    """The time itself, or Malformed('time') outside 2015 to 2037."""
    if not EARLIEST <= ms < LATEST:
        raise Malformed("time", f"{field} is outside 2015 to 2037")
    return ms
