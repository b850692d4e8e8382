"""What happened to products, for whoever listens above."""

from __future__ import annotations

from msgspec import Struct


class ProductMapped(Struct, frozen=True, kw_only=True):
    """A shop's product id means this product from now on, also in orders that came before.

    Told again by whoever has booked some of them anew, with how far that came: next is what comes after
    ``order_id``.
    """

    shop_id: int
    product_ref: str
    product_id: int
    order_id: int = 0
