"""The only door to the present, and the two named days of an instant."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def now() -> datetime:
    """The present as an aware UTC datetime, cut to whole milliseconds as it is stored."""
    return from_ms(time.time_ns() // 1_000_000)


def to_ms(instant: datetime) -> int:
    """Milliseconds since the epoch; a naive datetime is our own mistake."""
    if instant.tzinfo is None:
        raise ValueError("naive datetime")
    return (instant - _EPOCH) // _MS


def from_ms(ms: int) -> datetime:
    """The aware UTC datetime of a number of milliseconds since the epoch."""
    return _EPOCH + timedelta(milliseconds=ms)


def from_ms_or_none(ms: int | None) -> datetime | None:
    """The same for a column that may be NULL."""
    return None if ms is None else from_ms(ms)


def local(instant: datetime) -> datetime:
    """The same instant on the wall clock of Asia/Shanghai."""
    return instant.astimezone(SHANGHAI)


@lru_cache(maxsize=256)
def at_local(day: date, *, hour: int = 0, minute: int = 0) -> datetime:
    """The UTC instant of a wall-clock time in Asia/Shanghai."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=SHANGHAI).astimezone(UTC)


def local_day(instant: datetime) -> date:
    """The calendar day in Asia/Shanghai: the event date."""
    return local(instant).date()


def business_day(instant: datetime, *, boundary_hour: int) -> date:
    """The day a show belongs to: before the room's boundary hour it is still the day before."""
    return (local(instant) - timedelta(hours=boundary_hour)).date()


def day_number(day: date) -> int:
    """A day as the integer YYYYMMDD, as bucket keys and DayFields store it."""
    return day.year * 10000 + day.month * 100 + day.day


def day_of_number(number: int) -> date:
    """The day of an integer YYYYMMDD; ValueError when there is none."""
    return date(number // 10000, number // 100 % 100, number % 100)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
