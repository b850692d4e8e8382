"""Days counted as offices count them: with public holidays and the weekends worked for them. Pure.

The table is the package chinesecalendar's, which follows the announcement of each November. Of a year that is
not in it nobody can know yet which days are swapped: there Monday to Friday count, and pages say so.
"""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar

FIRST: int = min(chinese_calendar.holidays).year  # the years of the table
LAST: int = max(chinese_calendar.holidays).year
_DAY = timedelta(days=1)


def before(day: date, count: int, *, working: bool) -> date:
    """The last day that lies so many days, or working days, before another."""
    return _moved(day, count, -_DAY, working=working)


def after(day: date, count: int, *, working: bool) -> date:
    """The day so many days, or working days, later."""
    return _moved(day, count, _DAY, working=working)


def is_working(day: date) -> bool:
    """Whether offices work on a day."""
    return bool(chinese_calendar.is_workday(day)) if is_announced(day) else day.weekday() < 5


def is_announced(day: date) -> bool:
    """Whether the holidays of a day's year are in the table."""
    return FIRST <= day.year <= LAST


def _moved(day: date, count: int, step: timedelta, *, working: bool) -> date:
    while count:
        day += step
        if not working or is_working(day):
            count -= 1
    return day
