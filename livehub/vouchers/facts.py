"""What vouchers tell the packages above them."""

from __future__ import annotations

from msgspec import Struct


class LateRedemptionSeen(Struct, frozen=True):
    """An order paid in time was told after its voucher's money was free; it was noted and moved nothing."""

    late_id: int
