"""Merchants, stores and products for tests."""

from __future__ import annotations

from datetime import date
from typing import Any

from livehub.accounts.actors import system
from livehub.accounts.models import Centre
from livehub.merchants import qualifications, registry, selection
from livehub.merchants.models import Merchant, MerchantStatus, Product, Qualification, Store
from livehub.merchants.qualifications import Noted
from livehub.merchants.requirements import REQUIRED
from tests.factories.accounts import NOW


async def a_merchant(centre: Centre, name: str = "侨港海鲜楼") -> Merchant:
    """A merchant that may redeem."""
    by = system("tests", centre_id=centre.id)
    merchant = await registry.add_merchant(name, centre_id=centre.id, town="侨港镇", actor=by, now=NOW)
    return await registry.set_status(merchant.public_id, status=MerchantStatus.APPROVED, actor=by, now=NOW)


async def a_store(merchant: Merchant, name: str = "侨港店") -> Store:
    by = system("tests", centre_id=merchant.centre_id)
    return await registry.add_store(merchant.public_id, name=name, actor=by, now=NOW)


async def a_product(
    centre: Centre,
    name: str = "沙田沙虫干",
    *,
    price_fen: int = 12800,
    category: str = "edible_agri",
    papers: bool = True,
) -> Product:
    """A product that may be shown, unless it has no papers."""
    by = system("tests", centre_id=centre.id)
    product = await registry.add_product(
        name, centre_id=centre.id, category=category, price_fen=price_fen, town="沙田镇", actor=by, now=NOW
    )
    if papers:
        for required in REQUIRED[category]:
            await a_paper(product, required.type)
        await an_approval(product)
    return product


async def a_paper(product: Product, type_: str, **says: Any) -> Qualification:
    """A paper of a product, without an end unless told otherwise."""
    by = system("tests", centre_id=product.centre_id)
    noted = Noted(owner_kind="product", owner=product.public_id, type=type_, **says)
    return await qualifications.add(noted, actor=by, now=NOW)


async def an_approval(product: Product, **says: Any) -> None:
    by = system("tests", centre_id=product.centre_id)
    usual = {"meeting_on": date(2026, 2, 20), "decision": "approved"}
    await selection.review(product.public_id, **{**usual, **says}, actor=by, now=NOW)
