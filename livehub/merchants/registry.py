"""Registering merchants, their stores and products, and what platforms call those products."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import ids, outbox
from livehub.kit.errors import Detail, LivehubError, NotFound
from livehub.merchants.errors import MerchantRefused, ProductRefused
from livehub.merchants.facts import ProductMapped
from livehub.merchants.models import Merchant, MerchantStatus, Product, ProductMap, Store

CATEGORIES = ("prepackaged", "edible_agri", "other_food", "handicraft", "service")
NAME_LENGTH = 80
TOWN_LENGTH = 40
REF_LENGTH = 64


@database.atomic
async def add_merchant(name: str, *, centre_id: int, actor: Actor, now: datetime, town: str = "") -> Merchant:
    """Note a merchant; it may not redeem before it is approved."""
    require(actor, Permission.MERCHANT_MANAGE, centre_id=centre_id)
    _require_text(MerchantRefused, name=(name, NAME_LENGTH))
    merchant = await Merchant.create(
        public_id=ids.public_id(),
        centre_id=centre_id,
        name=name.strip(),
        town=town.strip()[:TOWN_LENGTH],
        status=MerchantStatus.PENDING,
        created_at=now,
    )
    await _audit("merchant.added", ("merchant", merchant.public_id), actor=actor, now=now)
    return merchant


@database.atomic
async def set_status(public_id: str, *, status: MerchantStatus, actor: Actor, now: datetime) -> Merchant:
    """Approve a merchant, or suspend it."""
    merchant = await _merchant(public_id, actor=actor)
    merchant.status = status
    await merchant.save(update_fields=["status"])
    await _audit(f"merchant.{status}", ("merchant", merchant.public_id), actor=actor, now=now)
    return merchant


@database.atomic
async def add_store(merchant: str, *, name: str, actor: Actor, now: datetime, address: str = "") -> Store:
    """Note a store of a merchant (public id)."""
    owner = await _merchant(merchant, actor=actor)
    _require_text(MerchantRefused, name=(name, NAME_LENGTH))
    store = await Store.create(
        public_id=ids.public_id(), merchant_id=owner.id, name=name.strip(), address=address.strip()[:160]
    )
    await _audit("store.added", ("store", store.public_id), actor=actor, now=now)
    return store


@database.atomic
async def add_product(
    name: str,
    *,
    centre_id: int,
    category: str,
    price_fen: int,
    actor: Actor,
    now: datetime,
    town: str = "",
    merchant: str = "",
) -> Product:
    """Note a product, of a merchant (public id) where there is one."""
    require(actor, Permission.MERCHANT_MANAGE, centre_id=centre_id)
    _require_product(name=name, category=category, price_fen=price_fen, town=town)
    owner = await _owner(merchant, actor=actor)
    product = await Product.create(
        public_id=ids.public_id(),
        centre_id=centre_id,
        merchant_id=owner,
        name=name.strip(),
        category=category,
        town=town.strip(),
        price_fen=price_fen,
    )
    await _audit("product.added", ("product", product.public_id), actor=actor, now=now)
    return product


@database.atomic
async def change_product(
    public_id: str,
    *,
    name: str,
    category: str,
    price_fen: int,
    town: str,
    merchant: str,
    actor: Actor,
    now: datetime,
) -> Product:
    """Say anew what a product is; the trail keeps what was said before, and the same again changes nothing.

    Figures by town or merchant follow at once; a show that is checked looks at its products once more when
    it goes on air.
    """
    product = await Product.get_or_none(public_id=public_id)
    if product is None:
        raise NotFound
    require(actor, Permission.MERCHANT_MANAGE, centre_id=product.centre_id)
    _require_product(name=name, category=category, price_fen=price_fen, town=town)
    owner = await _owner(merchant, actor=actor)
    wanted: dict[str, object] = {
        "name": name.strip(),
        "category": category,
        "price_fen": price_fen,
        "town": town.strip(),
        "merchant_id": owner,
    }
    before = {field: getattr(product, field) for field in wanted}
    changed = [field for field in wanted if before[field] != wanted[field]]
    if changed:
        product.update_from_dict({field: wanted[field] for field in changed})
        await product.save(update_fields=changed)
        detail: dict[str, object] = {field: [before[field], wanted[field]] for field in changed}
        await _audit("product.changed", ("product", product.public_id), actor=actor, now=now, detail=detail)
    return product


@database.atomic
async def map_product(
    shop_id: int, *, product_ref: str, product: str, actor: Actor, now: datetime
) -> Literal["new", "moved", "same"]:
    """Say which product (public id) a shop's product id means; saying it again changes nothing."""
    meant = await Product.get_or_none(public_id=product)
    if meant is None:
        raise NotFound
    require(actor, Permission.MERCHANT_MANAGE, centre_id=meant.centre_id)
    await _require_shop(shop_id, centre_id=meant.centre_id)
    _require_text(ProductRefused, product_ref=(product_ref, REF_LENGTH))
    before = await ProductMap.get_or_none(shop_id=shop_id, product_ref=product_ref)
    if before is not None and before.product_id == meant.id:
        return "same"
    await database.execute(
        "INSERT INTO product_map (shop_id, product_ref, product_id) VALUES ($1, $2, $3)"
        " ON CONFLICT (shop_id, product_ref) DO UPDATE SET product_id = excluded.product_id",
        shop_id,
        product_ref,
        meant.id,
    )
    fact = ProductMapped(shop_id=shop_id, product_ref=product_ref, product_id=meant.id)
    await outbox.record(fact, now=now)
    detail = {"shop": shop_id, "product_ref": product_ref}
    await _audit("product.mapped", ("product", meant.public_id), actor=actor, now=now, detail=detail)
    return "new" if before is None else "moved"


async def _merchant(public_id: str, *, actor: Actor) -> Merchant:
    merchant = await Merchant.get_or_none(public_id=public_id)
    if merchant is None:
        raise NotFound
    require(actor, Permission.MERCHANT_MANAGE, centre_id=merchant.centre_id)
    return merchant


async def _owner(merchant: str, *, actor: Actor) -> int | None:
    """The row id of the merchant (public id) a product is said to be of."""
    if not merchant:
        return None
    try:
        owner = await _merchant(merchant, actor=actor)
    except NotFound:
        raise ProductRefused(details=[Detail("merchant", "本中心没有这个商户", "商户公开编号")]) from None
    number: int = owner.id
    return number


async def _require_shop(shop_id: int, *, centre_id: int) -> None:
    """Shops belong to a neighbour on the ladder: only the table is asked, no code of it is imported."""
    row = await database.fetch_one(
        "SELECT 1 AS one FROM shop WHERE id = $1 AND centre_id = $2", shop_id, centre_id
    )
    if row is None:
        raise NotFound


def _require_text(refused: type[LivehubError], **texts: tuple[str, int]) -> None:
    details = [
        Detail(field, "请填写", f"1 到 {limit} 个字")
        for field, (text, limit) in texts.items()
        if not 0 < len(text.strip()) <= limit
    ]
    if details:
        raise refused(details=details)


def _require_product(*, name: str, category: str, price_fen: int, town: str) -> None:
    details = []
    if not 0 < len(name.strip()) <= NAME_LENGTH:
        details.append(Detail("name", "请填写", f"1 到 {NAME_LENGTH} 个字"))
    if category not in CATEGORIES:
        details.append(Detail("category", "没有这个类别", "、".join(CATEGORIES)))
    if price_fen <= 0:
        details.append(Detail("price_fen", "价格必须大于 0", "单位：分"))
    if len(town.strip()) > TOWN_LENGTH:
        details.append(Detail("town", "太长", f"{TOWN_LENGTH} 个字以内"))
    if details:
        raise ProductRefused(details=details)


async def _audit(
    action: str,
    about: tuple[str, str],
    *,
    actor: Actor,
    now: datetime,
    detail: dict[str, object] | None = None,
) -> None:
    await audit.write(action, actor=actor, now=now, about=about, detail=detail)
