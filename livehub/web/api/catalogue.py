"""商户与商品：登记、门店、状态，商品的资料、选品记录和店铺里的编号。"""

from __future__ import annotations

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid
from livehub.merchants import catalogue, queries, registry
from livehub.merchants.errors import MerchantRefused, ProductRefused
from livehub.merchants.models import MerchantStatus
from livehub.platforms import queries as platforms
from livehub.web.api.catalogue_shapes import (
    ListingMade,
    ListingSeen,
    MerchantFilter,
    MerchantNamed,
    MerchantShown,
    MerchantStatusWanted,
    MerchantWhole,
    NewListing,
    NewMerchant,
    NewProduct,
    NewStore,
    ProductFilter,
    ProductNamed,
    ProductShown,
    ProductWhole,
    SelectionSeen,
    StoreSeen,
    paper_of,
    product_of,
)
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Listed, Nothing

calls = Section("商户与商品")


@calls.get(
    "/merchants",
    summary="商户名册，待批准的在前",
    needs=(Permission.MERCHANT_READ,),
    query=MerchantFilter,
    answer=Listed[MerchantShown],
)
async def merchants(asked: Asked[MerchantFilter, None]) -> Listed[MerchantShown]:
    """Who sells and redeems."""
    query = asked.query
    found = await catalogue.merchants(
        actor=asked.actor,
        today=clock.local_day(asked.now),
        name=query.name,
        status=query.status,
        number=query.page,
        size=query.size,
    )
    names = MerchantShown.__struct_fields__
    return Listed(
        items=[MerchantShown(**{name: getattr(each, name) for name in names}) for each in found.items],
        page=found.number,
        size=found.size,
        total=found.total,
    )


@calls.post(
    "/merchants",
    summary="登记商户",
    needs=(Permission.MERCHANT_MANAGE,),
    body=NewMerchant,
    answer=MerchantNamed,
    status=201,
    refusals=(MerchantRefused,),
)
async def add_merchant(asked: Asked[None, NewMerchant]) -> MerchantNamed:
    """A new merchant."""
    body, actor = asked.body, asked.actor
    made = await database.unit(
        lambda: registry.add_merchant(
            body.name, town=body.town, centre_id=actor.centre_id, actor=actor, now=asked.now
        )
    )
    return MerchantNamed(id=made.public_id, name=made.name, status=made.status)


@calls.get(
    "/merchants/{merchant_id}",
    summary="一个商户：门店、资质、商品",
    needs=(Permission.MERCHANT_READ,),
    query=Nothing,
    answer=MerchantWhole,
)
async def merchant(asked: Asked[Nothing, None], merchant_id: str) -> MerchantWhole:
    """What is on file of a merchant."""
    seen = await catalogue.merchant(merchant_id, actor=asked.actor)
    today = clock.local_day(asked.now)
    return MerchantWhole(
        id=seen.public_id,
        name=seen.name,
        town=seen.town,
        status=seen.status,
        stores=[
            StoreSeen(id=each.public_id, name=each.name, address=each.address)
            for each in await queries.stores(seen.id)
        ],
        papers=[paper_of(each) for each in await catalogue.papers_of("merchant", seen.id, today=today)],
        products=[
            product_of(each) for each in await catalogue.products_of(seen.id, actor=asked.actor, today=today)
        ],
    )


@calls.post(
    "/merchants/{merchant_id}/status",
    summary="批准或停用商户",
    needs=(Permission.MERCHANT_MANAGE,),
    body=MerchantStatusWanted,
    answer=MerchantNamed,
)
async def set_status(asked: Asked[None, MerchantStatusWanted], merchant_id: str) -> MerchantNamed:
    """Whether it may redeem."""
    wanted = MerchantStatus(asked.body.status)
    done = await database.unit(
        lambda: registry.set_status(merchant_id, status=wanted, actor=asked.actor, now=asked.now)
    )
    return MerchantNamed(id=done.public_id, name=done.name, status=done.status)


@calls.post(
    "/merchants/{merchant_id}/stores",
    summary="登记门店",
    needs=(Permission.MERCHANT_MANAGE,),
    body=NewStore,
    answer=StoreSeen,
    status=201,
    refusals=(MerchantRefused,),
)
async def add_store(asked: Asked[None, NewStore], merchant_id: str) -> StoreSeen:
    """A store of a merchant."""
    body = asked.body
    made = await database.unit(
        lambda: registry.add_store(
            merchant_id, name=body.name, address=body.address, actor=asked.actor, now=asked.now
        )
    )
    return StoreSeen(id=made.public_id, name=made.name, address=made.address)


@calls.get(
    "/catalogue",
    summary="商品名册，和它们今天能不能上播",
    needs=(Permission.MERCHANT_READ,),
    query=ProductFilter,
    answer=Listed[ProductShown],
)
async def products(asked: Asked[ProductFilter, None]) -> Listed[ProductShown]:
    """The products of the centre."""
    query = asked.query
    found = await catalogue.products(
        actor=asked.actor,
        today=clock.local_day(asked.now),
        state=query.state,
        town=query.town,
        category=query.category,
        name=query.name,
        within=query.within,
        number=query.page,
        size=query.size,
    )
    return Listed(
        items=[product_of(each) for each in found.items],
        page=found.number,
        size=found.size,
        total=found.total,
    )


@calls.post(
    "/products",
    summary="登记商品",
    needs=(Permission.MERCHANT_MANAGE,),
    body=NewProduct,
    answer=ProductNamed,
    status=201,
    refusals=(ProductRefused,),
)
async def add_product(asked: Asked[None, NewProduct]) -> ProductNamed:
    """A new product."""
    body, actor = asked.body, asked.actor
    made = await database.unit(
        lambda: registry.add_product(
            body.name,
            category=body.category,
            price_fen=body.price_fen,
            town=body.town,
            merchant=body.merchant,
            centre_id=actor.centre_id,
            actor=actor,
            now=asked.now,
        )
    )
    return ProductNamed(id=made.public_id, name=made.name)


@calls.get(
    "/products/{product_id}",
    summary="一个商品：资质、选品记录、店铺里的编号",
    needs=(Permission.MERCHANT_READ,),
    query=Nothing,
    answer=ProductWhole,
)
async def product(asked: Asked[Nothing, None], product_id: str) -> ProductWhole:
    """What is on file of a product."""
    found = await catalogue.product(product_id, actor=asked.actor, today=clock.local_day(asked.now))
    return ProductWhole(
        product=product_of(found.row),
        papers=[paper_of(each) for each in found.papers],
        merchants_papers=[paper_of(each) for each in found.merchants_papers],
        reviews=[
            SelectionSeen(
                meeting_on=each.meeting_on,
                decision=each.decision,
                valid_to=each.valid_to,
                reasons=each.reasons,
                decided_by=each.decided_by,
                at=each.at,
            )
            for each in found.reviews
        ],
        listings=[
            ListingSeen(shop_name=each.shop_name, platform=each.platform, product_ref=each.product_ref)
            for each in found.listings
        ],
    )


@calls.put(
    "/products/{product_id}",
    summary="修改商品的资料，整份取代",
    needs=(Permission.MERCHANT_MANAGE,),
    body=NewProduct,
    answer=ProductNamed,
    refusals=(ProductRefused,),
)
async def change_product(asked: Asked[None, NewProduct], product_id: str) -> ProductNamed:
    """Say anew what a product is."""
    body = asked.body
    done = await database.unit(
        lambda: registry.change_product(
            product_id,
            name=body.name,
            category=body.category,
            price_fen=body.price_fen,
            town=body.town,
            merchant=body.merchant,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return ProductNamed(id=done.public_id, name=done.name)


@calls.post(
    "/products/{product_id}/listings",
    summary="登记店铺里的编号",
    needs=(Permission.MERCHANT_MANAGE,),
    body=NewListing,
    answer=ListingMade,
    refusals=(ProductRefused, Invalid),
)
async def list_on_shop(asked: Asked[None, NewListing], product_id: str) -> ListingMade:
    """What a shop calls a product."""
    body = asked.body
    await catalogue.product(product_id, actor=asked.actor, today=clock.local_day(asked.now))
    shops = {each.public_id: each.id for each in await platforms.shops_of(asked.actor.centre_id)}
    if body.shop not in shops:
        raise Invalid(details=[Detail("shop", "本中心没有这个店铺", "店铺公开编号")])
    outcome = await database.unit(
        lambda: registry.map_product(
            shops[body.shop],
            product_ref=body.product_ref,
            product=product_id,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return ListingMade(outcome=outcome)
