"""Shapes of the calls about merchants and products."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub.merchants import registry
from livehub.merchants.catalogue import OnShelf, PaperOf
from livehub.web.api.shapes import Fen, Instant, Paging

Name = Annotated[str, Meta(min_length=1, max_length=registry.NAME_LENGTH)]
Town = Annotated[str, Meta(max_length=registry.TOWN_LENGTH)]


class MerchantFilter(Paging, frozen=True, kw_only=True):
    """要哪些商户；部门只看到参加本部门活动的。"""

    name: Annotated[str, Meta(max_length=registry.NAME_LENGTH, description="名称的一部分")] = ""
    status: Literal["", "pending", "approved", "suspended"] = ""


class MerchantShown(Struct, frozen=True, kw_only=True):
    """一个商户。"""

    id: str
    name: str
    town: str
    status: str
    stores: int
    products: int
    ended: Annotated[int, Meta(description="在用而已过期的资质")]


class NewMerchant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """新商户；批准前不能核销。"""

    name: Name
    town: Town = ""


class MerchantNamed(Struct, frozen=True, kw_only=True):
    """登记好的商户。"""

    id: str
    name: str
    status: str


class MerchantStatusWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """批准或停用。"""

    status: Literal["approved", "suspended"]


class NewStore(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个门店。"""

    name: Name
    address: Annotated[str, Meta(max_length=160)] = ""


class StoreSeen(Struct, frozen=True, kw_only=True):
    """一个门店。"""

    id: str
    name: str
    address: str


class PaperSeen(Struct, frozen=True, kw_only=True):
    """一份在用的资质。"""

    id: str
    type: str
    number: str
    valid_to: Annotated[date | None, Meta(description="最后一天；空是长期")]
    days_left: Annotated[int | None, Meta(description="负数是已过期的天数")]


class ProductFilter(Paging, frozen=True, kw_only=True):
    """要哪些商品。"""

    name: Annotated[str, Meta(max_length=registry.NAME_LENGTH)] = ""
    state: Annotated[
        Literal["", "ready", "lacking", "unselected"], Meta(description="今天可上播、缺资质、待选品")
    ] = ""
    town: Town = ""
    category: Annotated[str, Meta(max_length=24)] = ""
    within: Annotated[int, Meta(ge=0, le=3650, description="几天内有资质或选品结论到期")] | None = None


class ProductShown(Struct, frozen=True, kw_only=True):
    """一个商品，和它今天能不能上播。"""

    id: str
    name: str
    category: str
    town: str
    price_fen: Fen
    merchant: Annotated[str, Meta(description="商户公开编号；没有或看不到为空")]
    merchant_name: str
    state: str
    lacks: Annotated[list[str], Meta(description="缺什么，如 qualification_expired:sc_licence")]
    days_left: Annotated[int | None, Meta(description="最先到期的还有几天")]


class NewProduct(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个商品的资料；修改时整份取代。"""

    name: Name
    category: Annotated[str, Meta(min_length=1, max_length=24)]
    price_fen: Annotated[int, Meta(ge=1, le=10**12, description="单位：分")]
    town: Town = ""
    merchant: Annotated[str, Meta(max_length=16, description="商户公开编号")] = ""


class ProductNamed(Struct, frozen=True, kw_only=True):
    """登记好的商品。"""

    id: str
    name: str


class SelectionSeen(Struct, frozen=True, kw_only=True):
    """一次选品会的结论。"""

    meeting_on: date
    decision: str
    valid_to: date | None
    reasons: str
    decided_by: str
    at: Instant


class NewListing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """店铺里的编号；这个编号的订单，包括以前的，都归到这个商品。"""

    shop: Annotated[str, Meta(min_length=1, max_length=16, description="店铺公开编号")]
    product_ref: Annotated[str, Meta(min_length=1, max_length=registry.REF_LENGTH)]


class ListingMade(Struct, frozen=True, kw_only=True):
    """登记好的对应。"""

    outcome: Literal["new", "moved", "same"]


class ListingSeen(Struct, frozen=True, kw_only=True):
    """店铺里的编号。"""

    shop_name: str
    platform: str
    product_ref: str


class MerchantWhole(Struct, frozen=True, kw_only=True):
    """一个商户的资料。"""

    id: str
    name: str
    town: str
    status: str
    stores: list[StoreSeen]
    papers: list[PaperSeen]
    products: list[ProductShown]


class ProductWhole(Struct, frozen=True, kw_only=True):
    """一个商品的资料。"""

    product: ProductShown
    papers: list[PaperSeen]
    merchants_papers: list[PaperSeen]
    reviews: Annotated[list[SelectionSeen], Meta(description="最近的选品会在前，它算数")]
    listings: list[ListingSeen]


def paper_of(each: PaperOf) -> PaperSeen:
    return PaperSeen(
        id=each.id,
        type=each.type,
        number=each.number,
        valid_to=each.valid_to,
        days_left=each.days_left,
    )


def product_of(each: OnShelf) -> ProductShown:
    return ProductShown(
        id=each.product.public_id,
        name=each.product.name,
        category=each.product.category,
        town=each.product.town,
        price_fen=each.product.price_fen,
        merchant=each.merchant_id,
        merchant_name=each.merchant,
        state=each.state,
        lacks=[f"{lack.rule}:{lack.type}".rstrip(":") for lack in each.standing.lacks],
        days_left=each.days_left,
    )
