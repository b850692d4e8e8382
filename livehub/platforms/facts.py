"""What happened to shops, for whoever listens above."""

from __future__ import annotations

from msgspec import Struct


class ShopAdded(Struct, frozen=True, kw_only=True):
    """A shop is known from now on: what was parked for want of it can be read again."""

    shop_id: int
    centre_id: int
    endpoint_id: int
    platform: str
    shop_ref: str
