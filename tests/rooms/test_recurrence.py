"""R5 without a database: a rule on the wall clock, across summer time, with everything counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms import recurrence
from rooms.errors import SeriesRefused
from rooms.recurrence import Occurrence, Rule

BERLIN = ZoneInfo("Europe/Berlin")
SUNDAY = datetime(2026, 3, 22, 20)  # noqa: DTZ001 -- local


def test_a_show_keeps_its_hour_when_summer_time_begins() -> None:
    rule = Rule(start=SUNDAY, rrule="FREQ=WEEKLY;COUNT=2", zone=BERLIN)

    assert recurrence.occurrences(rule) == [
        Occurrence("2026-03-22T20:00", datetime(2026, 3, 22, 19, tzinfo=UTC)),
        Occurrence("2026-03-29T20:00", datetime(2026, 3, 29, 18, tzinfo=UTC)),
    ]


def test_an_hour_that_the_clock_jumps_over_is_no_time() -> None:
    rule = Rule(start=datetime(2026, 3, 28, 2, 30), rrule="FREQ=DAILY;COUNT=3", zone=BERLIN)  # noqa: DTZ001
    assert [each.starts_at is None for each in recurrence.occurrences(rule)] == [False, True, False]


def test_shanghai_had_summer_time_once() -> None:
    rule = Rule(start=datetime(1990, 7, 1, 20), rrule="FREQ=DAILY;COUNT=1")  # noqa: DTZ001 -- local
    assert recurrence.occurrences(rule)[0].starts_at == datetime(1990, 7, 1, 11, tzinfo=UTC)


def test_the_thirty_first_skips_short_months() -> None:
    rule = Rule(start=datetime(2026, 1, 31, 20), rrule="FREQ=MONTHLY;BYMONTHDAY=31;COUNT=4")  # noqa: DTZ001
    assert [each.name[5:10] for each in recurrence.occurrences(rule)] == ["01-31", "03-31", "05-31", "07-31"]


def test_until_is_an_instant_and_its_own_last_time_counts() -> None:
    rule = Rule(start=SUNDAY, rrule="RRULE:FREQ=WEEKLY;UNTIL=20260405T120000Z")  # 20:00 in Beihai
    assert len(recurrence.occurrences(rule)) == 3
    before = Rule(start=SUNDAY, rrule="FREQ=WEEKLY;UNTIL=20260405T115959Z")
    assert len(recurrence.occurrences(before)) == 2


@pytest.mark.parametrize(
    "rrule",
    [
        "FREQ=WEEKLY;UNTIL=20260401T200000",  # without Z
        "FREQ=WEEKLY;UNTIL=20260401",
        "FREQ=WEEKLY;UNTIL=20261301T000000Z",
        "FREQ=WEEKLY",
        "FREQ=SECONDLY;COUNT=2",
        "FREQ=WEEKLY;COUNT=2;UNTIL=20260401T200000Z",
        "FREQ=WEEKLY;COUNT=2;COUNT=3",
        "FREQ=DAILY;COUNT=61",
        "FREQ=DAILY;INTERVAL=0;COUNT=2",
        "FREQ=WEEKLY;BYDAY=1MO;COUNT=2",
        "FREQ=DAILY;BYSETPOS=1;COUNT=2",
        "FREQ=MONTHLY;BYDAY=+5MO;BYMONTHDAY=1;COUNT=2",  # never
        "COUNT=2",
        "nonsense",
        "",
        "FREQ=WEEKLY;COUNT=2;EXRULE=1",
    ],
)
def test_what_is_wrong_with_a_rule_is_said_at_its_field(rrule: str) -> None:
    with pytest.raises(SeriesRefused) as refusal:
        recurrence.occurrences(Rule(start=SUNDAY, rrule=rrule))
    assert (refusal.value.status, refusal.value.details[0].field) == (422, "rrule")


starts = st.integers(0, 700).map(lambda hours: datetime(2026, 1, 1) + timedelta(hours=hours))  # noqa: DTZ001
rules = st.builds(
    lambda freq, interval, count: f"FREQ={freq};INTERVAL={interval};COUNT={count}",
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY"]),
    st.integers(1, 3),
    st.integers(1, 12),
)
offsets = st.lists(st.integers(0, 30), max_size=4)


@given(starts, rules, offsets, offsets, st.sampled_from([BERLIN, ZoneInfo("Asia/Shanghai")]))
def test_everything_of_a_rule_is_counted_once(
    start: datetime, rrule: str, more: list[int], less: list[int], zone: ZoneInfo
) -> None:
    whole = recurrence.locals_of(Rule(start=start, rrule=rrule))
    rdates = tuple({start + timedelta(days=day, hours=1) for day in more})
    exdates = tuple({whole[number % len(whole)] for number in less})
    rule = Rule(start=start, rrule=rrule, rdates=rdates, exdates=exdates, zone=zone)

    found = recurrence.occurrences(rule)

    assert len(found) + len(set(exdates)) == len(recurrence.locals_of(rule)) == len({*whole, *rdates})
    assert found == recurrence.occurrences(rule)
    assert [each.name for each in found] == sorted({each.name for each in found})
    for each in found:
        if each.starts_at is not None:
            assert f"{each.starts_at.astimezone(zone):%Y-%m-%dT%H:%M}" == each.name
