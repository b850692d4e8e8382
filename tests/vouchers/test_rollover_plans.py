"""How many vouchers left-over money makes: never more than there is, and less than one face stays over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from livehub.vouchers.rollover_plans import fill

KINDS = st.lists(st.tuples(st.integers(1, 50_000), st.integers(0, 10_000)), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("amount_fen", "kinds", "counts"),
    [
        (10_000, [(2_000, 10)], [5]),
        (9_999, [(2_000, 10)], [4]),
        (0, [(2_000, 10)], [0]),
        (45_000, [(3_000, 100), (1_500, 100)], [10, 10]),  # 200-30 and 100-15, as many of each
        (45_000, [(3_000, 0), (1_500, 0)], [10, 10]),  # nothing planned but what is rolled over
        (4_500, [(3_000, 1), (1_500, 0)], [1, 1]),
    ],
)
def test_the_money_is_shared_as_it_was_planned(
    amount_fen: int, kinds: list[tuple[int, int]], counts: list[int]
) -> None:
    assert fill(amount_fen, kinds) == counts


@hypothesis_settings(deadline=None, database=None)
@given(st.integers(0, 10**9), KINDS)
def test_less_than_one_voucher_stays_over(amount_fen: int, kinds: list[tuple[int, int]]) -> None:
    counts = fill(amount_fen, kinds)

    rest = amount_fen - sum(count * face for count, (face, _) in zip(counts, kinds, strict=True))
    assert min(counts) >= 0
    assert 0 <= rest < min(face for face, _ in kinds)
