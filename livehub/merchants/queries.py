"""Reading merchants, stores and products."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, merchant_scope


class ProductView(Struct, frozen=True, kw_only=True):
    """A product as figures and lists show it."""

    id: int
    public_id: str
    name: str
    category: str
    town: str
    price_fen: int


class MerchantView(Struct, frozen=True, kw_only=True):
    """A merchant as lists show it."""

    id: int
    public_id: str
    name: str
    town: str
    status: str


class StoreView(Struct, frozen=True, kw_only=True):
    """A store with the merchant it belongs to."""

    id: int
    public_id: str
    merchant_id: int
    name: str
    address: str


class CounterView(Struct, frozen=True, kw_only=True):
    """A merchant with its stores, by name: what its tills start from."""

    merchant: MerchantView
    stores: tuple[StoreView, ...]


PRODUCT = "p.id, p.public_id, p.name, p.category, p.town, p.price_fen"


async def products_by_ref(pairs: Collection[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """Product ids by (shop id, platform's product id); what nobody mapped is missing."""
    rows = await database.with_rows(
        {"shop_id": "bigint", "product_ref": "text"},
        sorted(set(pairs)),
        "SELECT m.shop_id, m.product_ref, m.product_id FROM v"
        " JOIN product_map m ON m.shop_id = v.shop_id AND m.product_ref = v.product_ref",
    )
    return {(row["shop_id"], row["product_ref"]): row["product_id"] for row in rows}


async def products_by_id(numbers: Collection[int]) -> dict[int, ProductView]:
    """Products by row id, for naming figures."""
    rows = await database.with_rows(
        {"wanted": "bigint"},
        [(number,) for number in sorted(set(numbers))],
        f"SELECT {PRODUCT} FROM v JOIN product p ON p.id = v.wanted",
    )
    return {row["id"]: ProductView(**row) for row in rows}


async def products(centre_id: int) -> list[ProductView]:
    """The products of a centre, by name."""
    rows = await database.fetch(
        f"SELECT {PRODUCT} FROM product p WHERE p.centre_id = $1 ORDER BY p.name, p.id", centre_id
    )
    return [ProductView(**row) for row in rows]


async def merchants(*, actor: Actor) -> list[MerchantView]:
    """The merchants of the actor's centre that the actor may see, by name."""
    scope = merchant_scope(actor, Permission.MERCHANT_READ)
    rows = await database.fetch(
        "SELECT id, public_id, name, town, status FROM merchant WHERE centre_id = $1 ORDER BY name, id",
        actor.centre_id,
    )
    return [MerchantView(**row) for row in rows if scope is None or row["id"] in scope]


async def merchants_by_id(numbers: Collection[int]) -> dict[int, MerchantView]:
    """Merchants by row id, for naming figures and for their own pages."""
    rows = await database.with_rows(
        {"wanted": "bigint"},
        [(number,) for number in sorted(set(numbers))],
        "SELECT m.id, m.public_id, m.name, m.town, m.status FROM v JOIN merchant m ON m.id = v.wanted",
    )
    return {row["id"]: MerchantView(**row) for row in rows}


async def stores(merchant_id: int) -> list[StoreView]:
    """The stores of a merchant, by name."""
    rows = await database.fetch(
        "SELECT id, public_id, merchant_id, name, address FROM store"
        " WHERE merchant_id = $1 ORDER BY name, id",
        merchant_id,
    )
    return [StoreView(**row) for row in rows]


async def counters(merchant_ids: Collection[int]) -> dict[int, CounterView]:
    """Merchants with their stores, with one question."""
    rows = await database.with_rows(
        {"wanted": "bigint"},
        [(number,) for number in sorted(set(merchant_ids))],
        "SELECT m.id, m.public_id, m.name, m.town, m.status, s.id AS store_id, s.public_id AS store_ref,"
        " s.name AS store_name, s.address FROM v JOIN merchant m ON m.id = v.wanted"
        " LEFT JOIN store s ON s.merchant_id = m.id ORDER BY s.name, s.id",
        by_index=True,
    )
    stores: dict[int, list[StoreView]] = {row["id"]: [] for row in rows}
    for row in rows:
        if row["store_id"] is not None:
            stores[row["id"]].append(
                StoreView(
                    id=row["store_id"],
                    public_id=row["store_ref"],
                    merchant_id=row["id"],
                    name=row["store_name"],
                    address=row["address"],
                )
            )
    merchants = {row["id"]: _merchant(row) for row in rows}
    return {
        number: CounterView(merchant=each, stores=tuple(stores[number])) for number, each in merchants.items()
    }


def _merchant(row: Mapping[str, Any]) -> MerchantView:
    return MerchantView(
        id=row["id"],
        public_id=row["public_id"],
        name=row["name"],
        town=row["town"],
        status=row["status"],
    )
