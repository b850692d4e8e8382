"""How many wrong codes a merchant user and a store have sent: windows that all workers share."""

from __future__ import annotations

from datetime import datetime

from livehub.kit import clock, limits

SECONDS = 600
LIMIT_USER = limits.declare("redeem.wrong_codes_of_cashier", 10, seconds=SECONDS).most
LIMIT_STORE = limits.declare("redeem.wrong_codes_of_store", 30, seconds=SECONDS).most


AT_STORE = "'redeem:store:' || {}"  # as SQL, of a store's id


def of_cashier(who: str) -> str:
    """The window of who sends codes, a user or a token."""
    return f"redeem:by:{who}"


def keys(*, who: str, store_id: int) -> tuple[str, str]:
    """The windows a wrong code counts in: that of who sent it, and that of the store."""
    return of_cashier(who), f"redeem:store:{store_id}"


def window(now: datetime) -> int:
    """When the present window began, in ms."""
    return limits.start_of(SECONDS, now)


def seconds_left(now: datetime) -> int:
    """How long until the present window ends."""
    return SECONDS - clock.to_ms(now) // 1000 % SECONDS
