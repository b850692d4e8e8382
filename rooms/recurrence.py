"""When a series takes place: its rule read on the wall clock of the room's zone, then placed in time. Pure.

Summer time begins and ends between occurrences without moving them on the clock. An occurrence is named by
its original local start, which stays its name when it is moved.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from msgspec import Struct

from livehub.kit import clock
from livehub.kit.errors import Detail
from rooms.errors import SeriesRefused

AT_MOST = 60  # occurrences of one series
HORIZON = timedelta(days=400)  # how far from its first day a series reaches
NAME = "%Y-%m-%dT%H:%M"
_PARTS = {
    "FREQ": r"DAILY|WEEKLY|MONTHLY",
    "INTERVAL": r"[1-9]\d?",
    "COUNT": r"[1-9]\d{0,2}",
    "UNTIL": r"\d{8}T\d{6}Z",
    "BYDAY": r"[+-]?[1-5]?(MO|TU|WE|TH|FR|SA|SU)(,[+-]?[1-5]?(MO|TU|WE|TH|FR|SA|SU))*",
    "BYMONTHDAY": r"-?([1-9]|[12]\d|3[01])(,-?([1-9]|[12]\d|3[01]))*",
    "BYSETPOS": r"-?[1-5]",
    "WKST": r"MO|SU",
}
_SAID = {
    "UNTIL": ("UNTIL 要用 UTC 时间，以 Z 结尾", "UNTIL=20260401T120000Z"),
    "FREQ": ("只能每天、每周或每月", "FREQ=WEEKLY"),
}


class Rule(Struct, frozen=True, kw_only=True):
    """A rule and its exceptions; local times without a zone, the zone beside them."""

    start: datetime  # local
    rrule: str
    rdates: tuple[datetime, ...] = ()
    exdates: tuple[datetime, ...] = ()
    zone: ZoneInfo = clock.SHANGHAI


class Occurrence(Struct, frozen=True, order=True):
    """One time of a series; without ``starts_at`` the clock never shows it (summer time begins)."""

    name: str  # its original local start
    starts_at: datetime | None


def occurrences(rule: Rule) -> list[Occurrence]:
    """Every time of a rule but its exceptions, in order; SeriesRefused says what is wrong with it."""
    excepted = set(rule.exdates)
    return [
        Occurrence(f"{local:{NAME}}", placed(local, rule.zone))
        for local in locals_of(rule)
        if local not in excepted
    ]


def locals_of(rule: Rule) -> list[datetime]:
    """The rule's whole set on the wall clock, exceptions included."""
    parts = _parts(rule.rrule)
    count = int(parts.pop("COUNT", AT_MOST + 1))
    last = rule.start + HORIZON
    if "UNTIL" in parts:
        until = datetime.strptime(parts.pop("UNTIL"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        last = min(last, until.astimezone(rule.zone).replace(tzinfo=None))
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    made = rrulestr(text, dtstart=rule.start).replace(until=last)
    found = sorted({*islice(made, min(count, AT_MOST + 1)), *rule.rdates})
    if not found:
        raise _refused("rrule", "没有一次", "至少一次")
    if len(found) > AT_MOST:
        raise _refused("rrule", f"超过 {AT_MOST} 次", f"COUNT 或 UNTIL，最多 {AT_MOST} 次")
    return found


def placed(local: datetime, zone: ZoneInfo) -> datetime | None:
    """The instant of a wall-clock time, of two the first; None when the clock jumps over it."""
    instant = local.replace(tzinfo=zone).astimezone(UTC)
    return instant if instant.astimezone(zone).replace(tzinfo=None) == local else None


def named(name: str) -> datetime:
    """The local start that a name says."""
    return datetime.strptime(name, NAME)  # noqa: DTZ007 -- local on purpose


def read(field: str, names: Sequence[str]) -> tuple[datetime, ...]:
    """Local times as somebody wrote them; SeriesRefused names the field when one is none."""
    try:
        return tuple(named(each) for each in names)
    except ValueError:
        raise _refused(field, "不是当地时间", "2026-10-01T20:00") from None


def with_count(rrule: str, count: int) -> str:
    """The same rule with so many times, whatever ended it before."""
    parts = _parts(rrule)
    parts.pop("UNTIL", None)
    parts["COUNT"] = str(count)
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _parts(rrule: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for piece in rrule.strip().upper().removeprefix("RRULE:").split(";"):
        name, _, value = piece.partition("=")
        if name not in _PARTS or name in parts:
            raise _refused("rrule", f"规则里不能有“{piece[:20]}”", "、".join(_PARTS))
        if not re.fullmatch(_PARTS[name], value):
            raise _refused("rrule", *_SAID.get(name, (f"{name} 的值不对", _PARTS[name])))
        if name == "UNTIL":
            _require_time(value)
        parts[name] = value
    if "FREQ" not in parts:
        raise _refused("rrule", *_SAID["FREQ"])
    if ("COUNT" in parts) == ("UNTIL" in parts):
        raise _refused("rrule", "要有 COUNT 或 UNTIL 其中一个", "如 COUNT=8")
    if parts["FREQ"] != "MONTHLY" and re.search(r"\d", parts.get("BYDAY", "")):
        raise _refused("rrule", "只有每月的规则能写第几个星期几", "BYDAY=MO")
    if "BYSETPOS" in parts and not parts.keys() & {"BYDAY", "BYMONTHDAY"}:
        raise _refused("rrule", "BYSETPOS 要和 BYDAY 或 BYMONTHDAY 一起用", "BYDAY=MO;BYSETPOS=1")
    return parts


def _require_time(value: str) -> None:
    try:
        datetime.strptime(value, "%Y%m%dT%H%M%SZ")  # noqa: DTZ007 -- only whether it is one
    except ValueError:
        raise _refused("rrule", *_SAID["UNTIL"]) from None


def _refused(field: str, reason: str, expected: str) -> SeriesRefused:
    return SeriesRefused(details=[Detail(field, reason, expected)])
