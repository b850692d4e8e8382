"""A period of training by its name: a year, a quarter or a month."""

from __future__ import annotations

import re
from datetime import date, timedelta

from livehub.kit.errors import Detail, Invalid

YEARS = range(2000, 2200)
_NAME = re.compile(r"^(\d{4})(?:-(?:Q([1-4])|(0[1-9]|1[0-2])))?$")


def days(name: str) -> tuple[date, date]:
    """(first, last) day of 2026, 2026-Q1 or 2026-03; Invalid for anything else."""
    found = _NAME.fullmatch(name) if name.isascii() else None
    if found is None or int(found[1]) not in YEARS:
        raise Invalid(details=[Detail("period", "没有这个时期", "2026、2026-Q1 或 2026-03")])
    year, quarter, month = int(found[1]), found[2], found[3]
    if month:
        first, months = date(year, int(month), 1), 1
    elif quarter:
        first, months = date(year, int(quarter) * 3 - 2, 1), 3
    else:
        first, months = date(year, 1, 1), 12
    return first, (first + timedelta(days=months * 31)).replace(day=1) - timedelta(days=1)
