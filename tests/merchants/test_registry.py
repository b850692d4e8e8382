"""Merchants, stores and products, and what shops call the products."""

from __future__ import annotations

import pytest

from livehub.accounts.errors import OutOfScope, PermissionMissing
from livehub.accounts.models import AuditEntry, Role
from livehub.kit import outbox
from livehub.kit.errors import NotFound
from livehub.merchants import queries, registry
from livehub.merchants.errors import MerchantRefused, ProductRefused
from livehub.merchants.facts import ProductMapped
from livehub.merchants.models import MerchantStatus, Product
from livehub.settings import Settings
from tests.factories.accounts import NOW, a_bureau, a_centre, an_actor
from tests.factories.merchants import a_merchant, a_product, a_store
from tests.factories.platforms import a_shop


async def test_a_merchant_waits_for_approval(db: Settings) -> None:
    centre = await a_centre()
    staff = an_actor(Role.STAFF, centre_id=centre.id)
    merchant = await registry.add_merchant("海角民宿", centre_id=centre.id, actor=staff, now=NOW)
    store = await registry.add_store(merchant.public_id, name="银滩店", actor=staff, now=NOW)
    assert merchant.status is MerchantStatus.PENDING

    approved = await registry.set_status(
        merchant.public_id, status=MerchantStatus.APPROVED, actor=staff, now=NOW
    )

    assert approved.status is MerchantStatus.APPROVED
    assert [each.public_id for each in await queries.stores(merchant.id)] == [store.public_id]
    actions = await AuditEntry.all().order_by("id").values_list("action", flat=True)
    assert list(actions) == ["merchant.added", "store.added", "merchant.approved"]


async def test_a_merchants_user_sees_only_that_merchant(db: Settings) -> None:
    centre = await a_centre()
    mine, other = await a_merchant(centre), await a_merchant(centre, "海角民宿")
    await a_store(mine)
    seen = await queries.merchants(actor=an_actor(Role.STAFF, centre_id=centre.id))
    assert {each.id for each in seen} == {mine.id, other.id}
    assert (
        await queries.merchants(actor=an_actor(Role.MERCHANT, merchant_id=mine.id, centre_id=centre.id)) == []
    )
    assert await queries.merchants(actor=an_actor(Role.STAFF, centre_id=centre.id + 1)) == []
    assert (await queries.merchants_by_id([mine.id]))[mine.id].name == "侨港海鲜楼"


async def test_a_product_is_mapped_moved_and_told(db: Settings) -> None:
    heard: list[ProductMapped] = []

    async def listener(fact: ProductMapped, now) -> None:
        heard.append(fact)

    centre = await a_centre()
    shop = await a_shop(await a_bureau(centre))
    outbox.connect({ProductMapped: {"tests": listener}})
    first, second = await a_product(centre), await a_product(centre, "海鸭蛋")
    by = {"actor": an_actor(Role.STAFF, centre_id=centre.id), "now": NOW}

    said = [
        await registry.map_product(shop.id, product_ref="3601", product=each.public_id, **by)
        for each in (first, first, second)
    ]

    assert said == ["new", "same", "moved"]
    assert await queries.products_by_ref([(shop.id, "3601"), (shop.id, "9"), (0, "3601")]) == {
        (shop.id, "3601"): second.id
    }
    assert await queries.products_by_ref([]) == {}
    await outbox.hand_out(now=NOW)
    assert [each.product_id for each in heard] == [first.id, second.id]
    named = await queries.products_by_id([first.id, second.id])
    assert (named[second.id].name, named[first.id].town) == ("海鸭蛋", "沙田镇")


async def test_a_product_is_mapped_within_its_centre(db: Settings) -> None:
    centre, elsewhere = await a_centre(), await a_centre("钦州中心", "钦州")
    shop = await a_shop(await a_bureau(elsewhere))
    product = await a_product(centre)
    staff = an_actor(Role.STAFF, centre_id=centre.id)
    with pytest.raises(NotFound):
        await registry.map_product(shop.id, product_ref="1", product=product.public_id, actor=staff, now=NOW)
    with pytest.raises(OutOfScope):
        await registry.map_product(
            shop.id,
            product_ref="1",
            product=product.public_id,
            actor=an_actor(Role.STAFF, centre_id=elsewhere.id),
            now=NOW,
        )


async def test_bad_products_and_merchants_are_refused(db: Settings) -> None:
    centre = await a_centre()
    staff = an_actor(Role.STAFF, centre_id=centre.id)
    common = {"centre_id": centre.id, "actor": staff, "now": NOW}
    for changes in ({"category": "weapons"}, {"price_fen": 0}, {"name": " "}):
        product = {"name": "沙虫", "category": "edible_agri", "price_fen": 100, **changes}
        with pytest.raises(ProductRefused):
            await registry.add_product(product.pop("name"), **product, **common)
    with pytest.raises(MerchantRefused):
        await registry.add_merchant("", **common)
    with pytest.raises(PermissionMissing):
        await registry.add_merchant("店", **{**common, "actor": an_actor(Role.FINANCE, centre_id=centre.id)})
    assert await Product.all().count() == 0
    assert await queries.products(centre.id) == []
