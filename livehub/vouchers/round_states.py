"""What a round's state says of its money and its claims, for Python and for SQL."""

from __future__ import annotations

from collections.abc import Iterable

from livehub.vouchers.models import RoundStatus

LOTTERY = "lottery"  # the mode of a round whose vouchers are drawn for

BEFORE_CLAIMS = (RoundStatus.SCHEDULED, RoundStatus.SIGNUP, RoundStatus.DRAWN)
GIVING = (*BEFORE_CLAIMS, RoundStatus.OPEN)  # the money of what nobody claimed lies in ``unissued``
TAKES = (RoundStatus.SCHEDULED, RoundStatus.SIGNUP, RoundStatus.OPEN)  # what is drawn has its winners


def sql(states: Iterable[RoundStatus]) -> str:
    """A list for IN."""
    return "('" + "', '".join(states) + "')"
