"""Merchants, stores and products for tests."""

from __future__ import annotations

from livehub.accounts.actors import system
from livehub.accounts.models import Centre
from livehub.merchants import registry
from livehub.merchants.models import Merchant, MerchantStatus, Product, Store
from tests.factories.accounts import NOW


async def a_merchant(centre: Centre, name: str = "侨港海鲜楼") -> Merchant:
    """A merchant that may redeem."""
    by = system("tests", centre_id=centre.id)
    merchant = await registry.add_merchant(name, centre_id=centre.id, town="侨港镇", actor=by, now=NOW)
    return await registry.set_status(merchant.public_id, status=MerchantStatus.APPROVED, actor=by, now=NOW)


async def a_store(merchant: Merchant, name: str = "侨港店") -> Store:
    by = system("tests", centre_id=merchant.centre_id)
    return await registry.add_store(merchant.public_id, name=name, actor=by, now=NOW)


async def a_product(centre: Centre, name: str = "沙田沙虫干", *, price_fen: int = 12800) -> Product:
    by = system("tests", centre_id=centre.id)
    return await registry.add_product(
        name,
        centre_id=centre.id,
        category="edible_agri",
        price_fen=price_fen,
        town="沙田镇",
        actor=by,
        now=NOW,
    )
