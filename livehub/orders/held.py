"""One order as it is held while it is worked on: its state, what is booked of it, and what that comes to."""

from __future__ import annotations

from msgspec import Struct

from livehub.orders import contribution
from livehub.orders.contribution import MEASURES, Contribution
from livehub.orders.state import OrderState


class Sums(Struct, frozen=True):
    """What a contribution amounts to, kept beside it for lists and filters."""

    g2_fen: int
    refund_fen: int
    over_refund: bool


class Held(Struct):
    """One locked order while a batch is applied to it."""

    id: int
    centre_id: int
    shop_id: int
    platform: str
    order_ref: str
    state: OrderState
    contribution: str  # what is booked, as it is stored: most facts leave it alone
    sums: Sums
    voucher_told: bool
    is_left_unpaid: bool
    changed: bool = False
    relined: bool = False  # its lines, or the time they are attributed by, are not as they are stored

    @property
    def booked(self) -> Contribution:
        """What is booked for it."""
        return contribution.decode(self.contribution)

    def book(self, new: Contribution) -> Contribution:
        """What changes in the buckets when this is booked instead."""
        delta = contribution.difference(new, self.booked)
        if delta:
            self.contribution, self.sums = contribution.encode(new), _sums(new)
        return delta


def _sums(booked: Contribution) -> Sums:
    whole = dict(zip(MEASURES, contribution.total(booked.values()), strict=True))
    return Sums(
        g2_fen=contribution.g2(tuple(whole.values())),
        refund_fen=whole["refund_done"],
        over_refund=whole["refund_cash"] > whole["buyer_paid"],
    )
