"""What happened to products, for whoever listens above."""

from __future__ import annotations

from msgspec import Struct


class ProductMapped(Struct, frozen=True, kw_only=True):
    """A shop's product id means this product from now on, also in orders that came before."""

    shop_id: int
    product_ref: str
    product_id: int
