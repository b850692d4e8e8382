"""What happened in the rooms, for whoever listens above; ids are row ids, times are milliseconds."""

from __future__ import annotations

from msgspec import Struct


class BookingSubmitted(Struct, frozen=True, kw_only=True):
    """A booking holds its time and waits for approval."""

    booking_id: int
    centre_id: int
    bureau_id: int


class BookingApproved(Struct, frozen=True, kw_only=True):
    """A booking is firm; ``broadcast_id`` is 0 unless it is a live one."""

    booking_id: int
    broadcast_id: int
    centre_id: int
    bureau_id: int
    at_ms: int


class BookingReleased(Struct, frozen=True, kw_only=True):
    """A booking gave its time back; ``state`` says how: rejected, expired, cancelled, no_show, completed."""

    booking_id: int
    broadcast_id: int
    centre_id: int
    bureau_id: int
    state: str


class BroadcastStarted(Struct, frozen=True, kw_only=True):
    """A broadcast went on air; ``run`` counts its starts."""

    broadcast_id: int
    centre_id: int
    run: int
    at_ms: int


class BroadcastEnded(Struct, frozen=True, kw_only=True):
    """A broadcast went off the air; ``abandoned``: nobody ended it, its heartbeat stopped."""

    broadcast_id: int
    centre_id: int
    run: int
    at_ms: int
    abandoned: bool


class AccountBound(Struct, frozen=True, kw_only=True):
    """The platform's room of a broadcast is known: orders that name it find their broadcast."""

    broadcast_id: int
    centre_id: int
    platform: str
    account_ref: str
    room_ref: str


class ShopAccountChanged(Struct, frozen=True, kw_only=True):
    """A shop sells on an account from now on, or no longer: its orders may belong to other broadcasts.

    Told again by whoever has judged some of them, with how far that came: ``orders`` are judged, next is what
    comes after ``order_id`` in the show ``broadcast_id``.
    """

    shop_id: int
    centre_id: int
    platform: str
    account_ref: str
    broadcast_id: int = 0
    order_id: int = 0
    orders: int = 0


class CueFired(Struct, frozen=True, kw_only=True):
    """A cue went on air; a voucher cue carries the plan of its drop."""

    cue_id: int
    cue_ref: str  # public id
    broadcast_id: int
    centre_id: int
    kind: str
    template_ref: str
    quantity: int
    window_s: int
    at_ms: int
