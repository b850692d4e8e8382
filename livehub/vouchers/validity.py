"""From when to when a voucher can be used: pure arithmetic of instants and local days."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from livehub.kit import clock
from livehub.vouchers.models import Validity


class Terms(Struct, frozen=True, kw_only=True):
    """A template's validity; ``n`` is hours or days, the two instants are those of FIXED."""

    kind: Validity
    n: int = 0
    fixed_from: datetime | None = None
    fixed_until: datetime | None = None
    released_at: datetime | None = None


def window(terms: Terms, *, claimed_at: datetime) -> tuple[datetime, datetime]:
    """``[from, until)`` of a voucher claimed at an instant; ValueError when the terms are incomplete.

    The day of the claim or release is the first of the natural days, and "24:00" is the next 00:00.
    """
    match terms.kind:
        case Validity.FIXED:
            if terms.fixed_from is None or terms.fixed_until is None:
                raise ValueError("FIXED without its two instants")
            return terms.fixed_from, terms.fixed_until
        case Validity.HOURS_FROM_CLAIM:
            return claimed_at, claimed_at + timedelta(hours=terms.n)
        case Validity.DAYS_FROM_CLAIM:
            return claimed_at, _end_of_days(claimed_at, terms.n)
        case Validity.DAYS_FROM_RELEASE:
            if terms.released_at is None:
                raise ValueError("DAYS_FROM_RELEASE before the release")
            return max(claimed_at, terms.released_at), _end_of_days(terms.released_at, terms.n)


def is_complete(terms: Terms) -> bool:
    """Whether the terms say all that their kind needs (the release comes later)."""
    if terms.kind is Validity.FIXED:
        return (
            terms.fixed_from is not None
            and terms.fixed_until is not None
            and terms.fixed_from < terms.fixed_until
        )
    return terms.n > 0


def _end_of_days(first: datetime, days: int) -> datetime:
    return clock.at_local(clock.local_day(first) + timedelta(days=days))
