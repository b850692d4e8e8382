"""What a quota counts: windows of business days, prime time, bookings and minutes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from msgspec import Struct

from livehub.kit import clock
from rooms.sharing_models import QuotaUnit, QuotaWindow

_MINUTE = timedelta(minutes=1)


class Use(Struct, frozen=True, kw_only=True):
    """A booking as quotas see it."""

    booking_id: int
    room_id: int
    theme: str
    boundary_hour: int  # of its room's business day
    starts_at: datetime
    ends_at: datetime

    @property
    def day(self) -> date:
        """The business day it begins on: the whole booking counts there."""
        return clock.business_day(self.starts_at, boundary_hour=self.boundary_hour)

    @property
    def minutes(self) -> int:
        """How long it is, without buffers."""
        return int((self.ends_at - self.starts_at) / _MINUTE)


class Limit(Struct, frozen=True, kw_only=True):
    """A quota as it is counted; without rooms and theme it is for the whole centre."""

    id: int
    rooms: frozenset[int]
    theme: str
    window: QuotaWindow
    unit: QuotaUnit
    limit: int
    prime: tuple[int, int] | None  # minutes after local midnight; None counts every hour

    def covers(self, use: Use) -> bool:
        """Whether a booking counts at all, whatever its window."""
        if self.rooms and use.room_id not in self.rooms:
            return False
        if self.theme and use.theme != self.theme:
            return False
        return self.prime is None or meets_prime(use.starts_at, use.ends_at, prime=self.prime)

    def weight(self, use: Use) -> int:
        """What a booking counts for."""
        return 1 if self.unit is QuotaUnit.BOOKINGS else use.minutes

    def used(self, uses: Iterable[Use], *, day: date) -> int:
        """What is used of it in the window of a business day."""
        first, after = window(day, self.window)
        return sum(self.weight(use) for use in uses if first <= use.day < after and self.covers(use))


def window(day: date, kind: QuotaWindow) -> tuple[date, date]:
    """The first day of the window a business day lies in, and the day after its last."""
    if kind is QuotaWindow.DAILY:
        return day, day + timedelta(days=1)
    if kind is QuotaWindow.WEEKLY:
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def meets_prime(starts_at: datetime, ends_at: datetime, *, prime: tuple[int, int]) -> bool:
    """Whether a time shares an instant with the prime hours of any day; touching is not sharing."""
    begins, until = prime
    day = clock.local_day(starts_at)
    while (midnight := clock.at_local(day)) < ends_at:
        if starts_at < midnight + until * _MINUTE and midnight + begins * _MINUTE < ends_at:
            return True
        day += timedelta(days=1)
    return False
