"""What orders tell the packages above them."""

from __future__ import annotations

from msgspec import Struct


class OrderVoucherSeen(Struct, frozen=True):
    """A paid order carried a voucher code; ``voucher_index`` is its blind index in hex."""

    order_id: int
    centre_id: int
    shop_id: int
    platform: str
    order_ref: str
    voucher_index: str
    paid_at_ms: int
    order_fen: int  # list − merchant discount, freight excluded
    subsidy_fen: int  # what the order itself says the voucher paid
    message_id: int


class OrderRefunded(Struct, frozen=True):
    """A buyer got money back for an order that carries a voucher code; the order itself says how much."""

    order_id: int
    shop_id: int
    platform: str
    order_ref: str
