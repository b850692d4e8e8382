"""Days counted as offices count them: Monday to Friday. Pure."""

from __future__ import annotations

from datetime import date, timedelta

_DAY = timedelta(days=1)


def before(day: date, count: int, *, working: bool) -> date:
    """The last day that lies so many days, or working days, before another."""
    return _moved(day, count, -_DAY, working=working)


def after(day: date, count: int, *, working: bool) -> date:
    """The day so many days, or working days, later."""
    return _moved(day, count, _DAY, working=working)


def _moved(day: date, count: int, step: timedelta, *, working: bool) -> date:
    while count:
        day += step
        if not working or day.weekday() < 5:
            count -= 1
    return day
