"""The overlap predicate against brute force, and what is suggested instead."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livehub.kit import clock
from rooms.conflicts import Frame, Span, Taken, Wanted, buffered, faults, find, overlap, suggest
from tests.factories.rooms import NOW, local

BASE = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def _span(first: int, last: int) -> Span:
    return Span(BASE + first * MINUTE, BASE + last * MINUTE)


def test_the_predicate_equals_brute_force_on_a_grid() -> None:
    """R3: equal, nested, touching, same start, same end: every pair on six minutes."""
    spans = list(itertools.combinations(range(7), 2))
    for one, other in itertools.product(spans, repeat=2):
        shared = set(range(*one)) & set(range(*other))
        assert overlap(_span(*one), _span(*other)) is bool(shared), (one, other)


_spans = st.tuples(st.integers(0, 300), st.integers(1, 90)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@settings(max_examples=60, deadline=None)
@given(
    wished=st.integers(0, 96),
    length=st.sampled_from([30, 60, 90]),
    room=st.lists(_spans, max_size=12),
    people=st.lists(_spans, max_size=6),
)
def test_suggestions_are_the_nearest_of_all_free_starts(wished, length, room, people) -> None:
    frame = Frame(opens_minute=0, closes_minute=2880, setup_min=15, turnover_min=30)
    core = _span(wished * 15, wished * 15 + length)
    now = BASE - timedelta(days=1)

    offered = suggest(
        core,
        frame=frame,
        room=[_span(*each) for each in room],
        people=[_span(*each) for each in people],
        now=now,
    )

    def free(start: int) -> bool:
        outer, inner = set(range(start - 15, start + length + 30)), set(range(start, start + length))
        return not any(outer & set(range(*each)) for each in room) and not any(
            inner & set(range(*each)) for each in people
        )

    starts = range(-1440, 1440 * 8, 15)
    best = sorted((s for s in starts if free(s)), key=lambda s: (abs(s - wished * 15), -s))[:3]
    assert [each.starts_at for each in offered] == [BASE + s * MINUTE for s in sorted(best)]


def test_find_names_each_clash_once() -> None:
    wanted = [Wanted("room", 1, *_pair(0, 60)), Wanted("person", 7, *_pair(15, 45))]
    existing = [
        Taken("room", 1, *_pair(60, 90), "甲局"),  # touches
        Taken("room", 2, *_pair(0, 60), "甲局"),  # another room
        Taken("room", 1, *_pair(59, 61), "乙局"),
        Taken("person", 7, *_pair(0, 16), "丙局"),
    ]
    assert find([*wanted, *wanted], existing) == [existing[3], existing[2]]


def _pair(first: int, last: int) -> tuple[datetime, datetime]:
    return BASE + first * MINUTE, BASE + last * MINUTE


def test_buffers_add_up() -> None:
    assert buffered(Span(local(2, 19), local(2, 21)), frame=Frame()) == Span(
        local(2, 18, 30), local(2, 21, 30)
    )


def test_nothing_is_suggested_outside_the_opening_hours() -> None:
    frame = Frame(opens_minute=540, closes_minute=1080, setup_min=0, turnover_min=0)
    core = Span(local(2, 17), local(2, 18))
    offered = suggest(core, frame=frame, room=[core], people=[], now=NOW)
    assert [each.starts_at for each in offered] == [local(2, 15, 30), local(2, 15, 45), local(2, 16)]


@pytest.mark.parametrize(
    ("starts_at", "minutes", "rules"),
    [
        (local(2, 8), 60, []),
        (local(2, 25), 60, []),
        (local(2, 25), 75, ["opening_hours"]),
        (local(2, 26), 60, ["opening_hours"]),
        (local(2, 10), 50, ["slot_alignment"]),
        (local(2, 10), 15, ["duration"]),
        (local(2, 10), 375, ["duration"]),
        (local(1, 8, 45), 60, ["past"]),
        (local(2, 10) + timedelta(seconds=1), 60, ["slot_alignment"]),
    ],
)
def test_faults_of_a_time(starts_at, minutes, rules) -> None:
    core = Span(starts_at, starts_at + minutes * MINUTE)
    assert [each.rule for each in faults(core, frame=Frame(), now=NOW)] == rules


def test_opening_hours_follow_the_wall_clock_over_a_change_of_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    frame = Frame(opens_minute=1200, closes_minute=1320, zone=berlin)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    for day, utc_hour in ((22, 19), (29, 18)):  # the clocks change on the 29th
        start = datetime(2026, 3, day, utc_hour, tzinfo=UTC)
        assert faults(Span(start, start + timedelta(hours=2)), frame=frame, now=now) == []
    assert clock.local(datetime(2026, 3, 29, 18, tzinfo=UTC)).hour == 2
