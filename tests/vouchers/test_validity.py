"""From when to when: the published edges, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from livehub.kit.clock import SHANGHAI
from livehub.vouchers.models import Validity
from livehub.vouchers.validity import Terms, is_complete, window


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=SHANGHAI).astimezone(UTC)


CLAIMED = local(2024, 2, 25, 21)
RELEASED = local(2024, 2, 23, 10)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (
            Terms(kind=Validity.DAYS_FROM_RELEASE, n=7, released_at=RELEASED),
            (CLAIMED, local(2024, 3, 1)),
        ),
        (Terms(kind=Validity.DAYS_FROM_CLAIM, n=7), (CLAIMED, local(2024, 3, 3))),
        (Terms(kind=Validity.HOURS_FROM_CLAIM, n=168), (CLAIMED, local(2024, 3, 3, 21))),
        (
            Terms(kind=Validity.FIXED, fixed_from=local(2024, 6, 17, 20), fixed_until=local(2024, 6, 24, 20)),
            (local(2024, 6, 17, 20), local(2024, 6, 24, 20)),
        ),
        (Terms(kind=Validity.DAYS_FROM_CLAIM, n=1), (CLAIMED, local(2024, 2, 26))),
    ],
)
def test_windows(terms: Terms, expected: tuple[datetime, datetime]) -> None:
    assert window(terms, claimed_at=CLAIMED) == expected


def test_the_last_millisecond_of_the_leap_day_is_inside() -> None:
    _, until = window(Terms(kind=Validity.DAYS_FROM_RELEASE, n=7, released_at=RELEASED), claimed_at=CLAIMED)

    assert local(2024, 2, 29, 23, 59, 59, 999_000) < until
    assert local(2024, 2, 29, 23, 59, 59, 999_000) + timedelta(milliseconds=1) == until


@pytest.mark.parametrize("terms", [Terms(kind=Validity.FIXED), Terms(kind=Validity.DAYS_FROM_RELEASE, n=7)])
def test_incomplete_terms_are_our_mistake(terms: Terms) -> None:
    with pytest.raises(ValueError, match=r"FIXED|release"):
        window(terms, claimed_at=CLAIMED)


@pytest.mark.parametrize(
    ("terms", "complete"),
    [
        (Terms(kind=Validity.FIXED), False),
        (Terms(kind=Validity.FIXED, fixed_from=CLAIMED, fixed_until=CLAIMED), False),
        (Terms(kind=Validity.FIXED, fixed_from=RELEASED, fixed_until=CLAIMED), True),
        (Terms(kind=Validity.DAYS_FROM_CLAIM), False),
        (Terms(kind=Validity.DAYS_FROM_RELEASE, n=7), True),
    ],
)
def test_completeness(terms: Terms, complete: bool) -> None:
    assert is_complete(terms) is complete
