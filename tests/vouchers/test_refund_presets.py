"""What each preset takes back, fen by fen: in any parts, never more than there is, and all of it in the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from livehub.vouchers import refund_policy
from livehub.vouchers.refund_policy import Preset, Split, Used, of_cash, split

PRESETS = refund_policy.registry()
ORDERS = st.integers(2, 10**6).flatmap(lambda order: st.tuples(st.just(order), st.integers(1, order - 1)))


def in_parts(preset: Preset, used: Used, amounts: list[int]) -> list[Split]:
    parts, before = [], 0
    for amount in amounts:
        parts.append(split(preset, used, before_fen=before, refund_fen=amount))
        before += amount
    return parts


def test_the_presets_are_those_that_cities_published() -> None:
    assert sorted(PRESETS) == ["futian", "hubei2025", "luohu", "yiwu", "yunnan", "zhuhai"]
    assert [name for name, preset in PRESETS.items() if not preset.gives_back] == ["hubei2025"]
    assert all(name == preset.name for name, preset in PRESETS.items())


@pytest.mark.parametrize(
    ("name", "order_fen", "subsidy_fen", "refunds", "cash", "clawback"),
    [
        ("futian", 10_000, 2_000, [5_000], [4_000], [1_000]),
        ("yiwu", 10_000, 2_000, [5_000], [4_000], [1_000]),
        ("futian", 10_000, 2_000, [10_000], [8_000], [2_000]),
        ("futian", 10_000, 2_000, [3_333, 3_333, 3_334], [2_667, 2_666, 2_667], [666, 667, 667]),
        (
            "futian",
            10_000,
            3_000,
            [3_333, 3_333, 3_333, 1],
            [2_334, 2_333, 2_333, 0],
            [999, 1_000, 1_000, 1],
        ),
        ("luohu", 10_000, 2_000, [1_500, 1_500, 7_000], [0, 1_000, 7_000], [1_500, 500, 0]),
    ],
)
def test_published_splits(
    name: str, order_fen: int, subsidy_fen: int, refunds: list[int], cash: list[int], clawback: list[int]
) -> None:
    parts = in_parts(PRESETS[name], Used(order_fen, subsidy_fen), refunds)

    assert [part.cash_fen for part in parts] == cash
    assert [part.clawback_fen for part in parts] == clawback


@pytest.mark.parametrize("refund_fen", [0, -1, 6_668])
def test_no_more_than_is_left_is_split(refund_fen: int) -> None:
    with pytest.raises(ValueError, match=str(refund_fen)):
        split(PRESETS["futian"], Used(10_000, 2_000), before_fen=3_333, refund_fen=refund_fen)


@hypothesis_settings(deadline=None, database=None)
@given(st.sampled_from(sorted(PRESETS)), ORDERS, st.data())
def test_parts_of_any_size_and_order_lose_no_fen(name: str, order: tuple[int, int], data) -> None:
    used, preset = Used(*order), PRESETS[name]
    cuts = sorted(data.draw(st.sets(st.integers(1, used.order_fen - 1), max_size=6)))
    amounts = [b - a for a, b in zip([0, *cuts], [*cuts, used.order_fen], strict=True)]
    amounts = data.draw(st.permutations(amounts))

    parts = in_parts(preset, used, amounts)

    assert all(part.cash_fen >= 0 and part.clawback_fen >= 0 for part in parts)
    assert sum(part.clawback_fen for part in parts) == used.subsidy_fen
    assert sum(part.cash_fen for part in parts) == used.order_fen - used.subsidy_fen
    assert [part.is_whole for part in parts] == [False] * (len(parts) - 1) + [True]
    assert [part.in_one for part in parts] == [True] + [False] * (len(parts) - 1)


@hypothesis_settings(deadline=None, database=None)
@given(st.sampled_from(sorted(PRESETS)), ORDERS, st.data())
def test_cash_tells_the_least_that_was_refunded(name: str, order: tuple[int, int], data) -> None:
    used, preset = Used(*order), PRESETS[name]
    paid = used.order_fen - used.subsidy_fen
    cash = data.draw(st.integers(0, paid))

    refunded = of_cash(preset, used, cash)

    assert refunded == used.order_fen if cash == paid else refunded - preset.recovered(used, refunded) == cash
    if 0 < cash < paid:
        assert refunded - 1 - preset.recovered(used, refunded - 1) < cash
    assert of_cash(preset, used, paid + 1) == used.order_fen
