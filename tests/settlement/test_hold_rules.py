"""Each hold rule on what it is for, just below its threshold, and on nothing: without a database."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from livehub.kit import clock
from livehub.settlement import signals
from livehub.settlement.signals import Late, MerchantDay, Placed, Show, Signal, Use

DAY = date(2026, 5, 21)
NOON, NIGHT = clock.at_local(DAY, hour=12), clock.at_local(DAY, hour=3)


def a_use(n: int, **changes) -> Use:
    values = {
        "id": n,
        "at": NOON,
        "claimed_at": NOON - timedelta(hours=3),
        "order_fen": 4_130,
        "threshold_fen": 4_000,
        "person": f"p{n}",
    }
    return Use(**(values | changes))


def a_day(*groups: tuple[int, dict], usual: tuple[int, ...] = ()) -> MerchantDay:
    """So many uses of each kind."""
    uses = [changes for number, changes in groups for _ in range(number)]
    return MerchantDay(day=DAY, uses=tuple(a_use(n, **each) for n, each in enumerate(uses)), usual=usual)


def a_show(*groups: tuple[int, str, bool]) -> Show:
    rows = [(buyer, undone) for number, buyer, undone in groups for _ in range(number)]
    return Show(
        orders=tuple(
            Placed(id=n, buyer=buyer.format(n=n), is_undone=undone) for n, (buyer, undone) in enumerate(rows)
        )
    )


def judged(name: str, seen: signals.Seen) -> list[Signal]:
    rule = signals.registry()[name]
    return list(rule.judge(seen, rule.params()))


PLAIN: dict[str, object] = {}
EXACT = {"order_fen": 4_000}
QUICK = {"claimed_at": NOON - timedelta(seconds=89)}
SLOW = {"claimed_at": NOON - timedelta(seconds=90)}
LATE_NIGHT = {"at": NIGHT, "claimed_at": NIGHT - timedelta(hours=3)}
STAFF = {"is_staff": True}

CASES = {
    "twelve of twenty exactly on the threshold": (
        "exact_threshold",
        a_day((12, EXACT), (8, PLAIN)),
        (12, 20),
    ),
    "eleven of twenty": ("exact_threshold", a_day((11, EXACT), (9, PLAIN)), None),
    "nineteen uses are too few to say": ("exact_threshold", a_day((19, EXACT)), None),
    "three times and one": ("day_volume", a_day((31, PLAIN), usual=(10,) * 7), (31, 10)),
    "three times": ("day_volume", a_day((30, PLAIN), usual=(10,) * 7), None),
    "six days are no history": ("day_volume", a_day((90, PLAIN), usual=(10,) * 6), None),
    "a merchant whose days differ much": (
        "day_volume",
        a_day((90, PLAIN), usual=(2, 9, 20, 24, 31, 50, 60)),
        None,
    ),
    "three people use half": (
        "repeat_people",
        a_day(*[(4, {"person": f"r{n}"}) for n in range(3)], (12, PLAIN)),
        (12, 24),
    ),
    "two people do": (
        "repeat_people",
        a_day(*[(6, {"person": f"r{n}"}) for n in range(2)], (12, PLAIN)),
        None,
    ),
    "everybody twice": ("repeat_people", a_day(*[(2, {"person": f"r{n}"}) for n in range(12)]), None),
    "used within 89 seconds": ("quick_use", a_day((20, QUICK)), (89, 20)),
    "used after 90 seconds": ("quick_use", a_day((20, SLOW)), None),
    "half of them later": ("quick_use", a_day((10, QUICK), (11, PLAIN)), None),
    "half at night": ("night_share", a_day((10, LATE_NIGHT), (10, PLAIN)), (10, 20)),
    "less than half at night": ("night_share", a_day((9, LATE_NIGHT), (11, PLAIN)), None),
    "three by its own people": ("staff_overlap", a_day((3, STAFF), (2, PLAIN)), (3, 5)),
    "two by its own people": ("staff_overlap", a_day((2, STAFF), (40, PLAIN)), None),
    "four buyers place four fifths": (
        "buyer_concentration",
        a_show(*[(10, f"straw{n}", False) for n in range(4)], (10, "guest{n}", False)),
        (40, 50),
    ),
    "a little less": (
        "buyer_concentration",
        a_show(*[(10, f"straw{n}", False) for n in range(4)], (11, "guest{n}", False)),
        None,
    ),
    "no platform names a buyer": ("buyer_concentration", a_show((599, "", True)), None),
    "nine tenths came to nothing": (
        "undone_orders",
        a_show((45, "a{n}", True), (5, "b{n}", False)),
        (45, 50),
    ),
    "a little less came to nothing": ("undone_orders", a_show((44, "a{n}", True), (6, "b{n}", False)), None),
    "a late redemption always": (
        "late_redemption",
        Late(id=7, order_fen=15_000, subsidy_fen=2_000),
        (2_000, 15_000),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_says(name: str) -> None:
    rule, seen, expected = CASES[name]

    found = judged(rule, seen)

    assert [(each.value, each.of) for each in found] == ([] if expected is None else [expected])


def test_the_published_show_is_caught_by_both_rules() -> None:
    straw = [(147, "straw0", True), (147, "straw1", True), (146, "straw2", True), (146, "straw3", True)]
    seen = a_show(*straw, (8, "guest{n}", True), (5, "guest{n}", False))

    (concentration,) = judged("buyer_concentration", seen)
    (undone,) = judged("undone_orders", seen)

    assert (concentration.value, concentration.of) == (586, 599)
    assert (undone.value, undone.of) == (594, 599)
    assert [bar.count for bar in concentration.bars] == [147, 147, 146, 146, 13]


uses = st.builds(
    a_use,
    st.integers(1, 10**9),
    order_fen=st.integers(4_000, 4_003),
    person=st.sampled_from("abcdefgh"),
    at=st.integers(0, 23).map(lambda hour: clock.at_local(DAY, hour=hour)),
    is_staff=st.booleans(),
)
days = st.builds(
    MerchantDay,
    day=st.just(DAY),
    uses=st.lists(uses, max_size=30, unique_by=lambda each: each.id).map(tuple),
    usual=st.lists(st.integers(1, 40), max_size=28).map(tuple),
)
shows = st.lists(st.tuples(st.sampled_from("abcdefg"), st.booleans()), max_size=70).map(
    lambda rows: a_show(*[(1, buyer, undone) for buyer, undone in rows])
)


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(days, shows))
def test_a_signal_stands_on_rows_of_what_was_seen_and_is_kept_as_it_was(seen: MerchantDay | Show) -> None:
    there = {each.id for each in (seen.uses if isinstance(seen, MerchantDay) else seen.orders)}
    for rule in signals.about(type(seen)):
        for signal in rule.judge(seen, rule.params()):
            assert signal.rows
            assert set(signal.rows) <= there
            assert len(signal.bars) <= 24
            assert msgspec.json.decode(msgspec.json.encode(signal), type=Signal) == signal


def test_rules_and_their_thresholds_have_names_that_fit_a_case() -> None:
    for name, rule in signals.registry().items():
        assert name == rule.name
        assert len(name) <= 24
        assert rule.version >= 1
        assert msgspec.to_builtins(rule.params()) is not None
