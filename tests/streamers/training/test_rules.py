"""Attendance in exact fractions, and decisions that come out the same from what was kept of them."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamers.training import preset, rules, working_days
from streamers.training.course_models import Presence
from streamers.training.rules import Bar, Given, Sat, Terms

BAR = Bar()
lessons = st.lists(
    st.builds(Sat, st.integers(1, 80), st.sampled_from(list(Presence))), min_size=1, max_size=30
)


@given(lessons, st.integers(1, 80), st.randoms(use_true_random=False))
def test_the_rate_is_a_share_that_presence_never_lowers_and_absence_never_raises(sat, tenths, random) -> None:
    rate = rules.attendance_rate(sat, bar=BAR)
    shuffled = list(sat)
    random.shuffle(shuffled)

    assert rate is not None
    assert 0 <= rate <= 1
    assert rules.attendance_rate(shuffled, bar=BAR) == rate
    assert rules.attendance_rate([*sat, Sat(tenths, Presence.PRESENT)], bar=BAR) >= rate
    assert rules.attendance_rate([*sat, Sat(tenths, Presence.ABSENT)], bar=BAR) <= rate


def test_four_fifths_are_reached_exactly_and_missed_by_nothing_less() -> None:
    sat = [Sat(10, Presence.PRESENT)] * 7 + [Sat(10, Presence.LATE)] * 2 + [Sat(10, Presence.ABSENT)]
    almost = [*sat, Sat(1, Presence.ABSENT)]

    assert rules.attendance_rate(sat, bar=BAR) == Fraction(4, 5)
    assert rules.attendance_rate([], bar=BAR) is None
    for each, graduated in ((sat, True), (almost, False)):
        inputs = Given(
            attended=str(rules.attended(each, bar=BAR)), held=sum(one.tenths for one in each),
            theory_tenths=600, skill_tenths=600,
        )  # fmt: skip
        assert rules.decide(inputs, bar=BAR).graduated is graduated


givens = st.builds(
    Given,
    attended=st.fractions(0, 50, max_denominator=2).map(str),
    held=st.integers(0, 60),
    theory_tenths=st.none() | st.integers(0, 1000),
    skill_tenths=st.none() | st.integers(0, 1000),
    practice_broadcasts=st.integers(0, 5),
    practice_minutes=st.integers(0, 500),
    food_safety=st.booleans(),
)
bars = st.builds(
    Bar,
    min_attendance=st.sampled_from(["0.80", "4/5", "0", "1"]),
    min_theory_tenths=st.integers(0, 1000),
    min_skill_tenths=st.integers(0, 1000),
    min_practice_broadcasts=st.integers(0, 3),
    min_practice_minutes=st.integers(0, 300),
    require_food_safety=st.booleans(),
)


@given(givens, bars)
def test_a_decision_comes_out_the_same_from_its_snapshot(inputs: Given, bar: Bar) -> None:
    kept, rule = msgspec.json.encode(inputs), msgspec.json.encode(bar)

    again = rules.decide(msgspec.json.decode(kept, type=Given), bar=msgspec.json.decode(rule, type=Bar))

    assert again == rules.decide(inputs, bar=bar)
    assert again.graduated == (not again.reasons)
    assert set(again.reasons) <= set(rules.REASONS)


@pytest.mark.parametrize("text", ["3/2", "1/0", "1.5", "-1", "x", ""])
def test_what_is_no_share_is_named(text: str) -> None:
    assert rules.bad_shares(Bar(min_attendance=text)) == ["min_attendance"]


def test_every_citys_rule_can_be_taken_as_it_is() -> None:
    for each in preset.every().values():
        assert rules.bad_shares(each.terms) + rules.bad_shares(each.bar) == []
        assert msgspec.convert(msgspec.to_builtins(each.terms), Terms) == each.terms


def test_working_days_leave_out_the_weekend() -> None:
    monday = date(2026, 3, 16)

    assert working_days.before(monday, 10, working=True) == date(2026, 3, 2)
    assert working_days.before(monday, 10, working=False) == date(2026, 3, 6)
    assert working_days.after(date(2026, 3, 6), 1, working=True) == date(2026, 3, 9)


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        (date(2026, 2, 13), 1, date(2026, 2, 14)),  # a Saturday worked for the Spring Festival
        (date(2026, 2, 14), 1, date(2026, 2, 24)),  # the festival, a Monday to a Monday in the middle of it
        (date(2026, 4, 30), 1, date(2026, 5, 6)),
        (date(2026, 5, 8), 1, date(2026, 5, 9)),  # a Saturday worked for May Day
        (date(2026, 9, 30), 5, date(2026, 10, 13)),
        (date(2024, 2, 9), 1, date(2024, 2, 18)),  # a Sunday
        (date(2027, 2, 5), 1, date(2027, 2, 8)),  # not announced when the table was made: Monday to Friday
        (date(2003, 10, 1), 1, date(2003, 10, 2)),  # before the table
    ],
)
def test_working_days_know_holidays_and_the_weekends_worked_for_them(
    day: date, count: int, expected: date
) -> None:
    assert working_days.after(day, count, working=True) == expected


def test_before_and_after_agree_on_working_days() -> None:
    start = date(2025, 12, 20)
    for offset in range(420):
        day = start + timedelta(days=offset)
        if working_days.is_working(day):
            there = working_days.after(day, 10, working=True)
            assert working_days.before(there, 10, working=True) == day


def test_a_year_beyond_the_table_is_said_to_be_so() -> None:
    assert working_days.LAST >= 2026
    assert [working_days.is_announced(date(year, 1, 1)) for year in (2003, 2026, working_days.LAST + 1)] == [
        False,
        True,
        False,
    ]
