"""The identity every order line must keep; checked once here, for all platforms."""

from __future__ import annotations

from livehub.platforms.contract import Event, Line


def broken_line(event: Event) -> Line | None:
    """The first line whose list price is not the sum of its parts, or with a negative part; else None."""
    if event.order is None:
        return None
    for line in event.order.lines:
        parts = (
            line.merchant_disc_fen,
            line.platform_disc_fen,
            line.other_disc_fen,
            line.voucher_subsidy_fen,
            line.buyer_paid_fen,
        )
        if (
            line.list_fen != sum(parts)
            or min(*parts, line.list_fen, line.freight_fen) < 0
            or line.quantity < 0
        ):
            return line
    return None
