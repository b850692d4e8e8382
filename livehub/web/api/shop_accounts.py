"""店铺的开播账号: where a shop sells, for orders of which the platform says no more."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.kit.errors import NotFound
from livehub.platforms import queries
from livehub.platforms.queries import ShopView
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Nothing
from livehub.web.doors import SignInAgain
from rooms import shop_accounts
from rooms.errors import TooManyAccounts

calls = Section("店铺")

Ref = Annotated[str, Meta(min_length=1, max_length=64)]


class ShopAccountBinding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """主播档案里的账号，或某一场直播登记过的账号。"""

    platform: Annotated[str, Meta(min_length=1, max_length=32)]
    account_ref: Ref


class ShopAccount(Struct, frozen=True, kw_only=True):
    """店铺卖货的一个账号。"""

    platform: str
    account_ref: str
    streamer: Annotated[str, Meta(description="主播的名字，没有时为空")]


class Judging(Struct, frozen=True, kw_only=True):
    """正在重新归属以前的订单。"""

    platform: str
    account_ref: str
    orders: Annotated[int, Meta(description="已算完的订单")]


class ShopAccounts(Struct, frozen=True, kw_only=True):
    """一个店铺的开播账号。"""

    shop: str
    accounts: list[ShopAccount]
    judging: list[Judging]


@calls.get(
    "/shops/{shop_id}/accounts",
    summary="店铺的开播账号，和重新归属的进度",
    needs=(Permission.SHOP_MANAGE,),
    query=Nothing,
    answer=ShopAccounts,
    refusals=(SignInAgain,),
)
async def listing(asked: Asked[Nothing, None], shop_id: str) -> ShopAccounts:
    """The accounts of a shop."""
    return await _accounts(await _shop(shop_id, centre_id=asked.actor.centre_id))


@calls.post(
    "/shops/{shop_id}/accounts/bind",
    summary="登记一个开播账号；以前的订单随后重新归属",
    needs=(Permission.SHOP_MANAGE,),
    body=ShopAccountBinding,
    answer=ShopAccounts,
    refusals=(TooManyAccounts, SignInAgain),
)
async def bind(asked: Asked[None, ShopAccountBinding], shop_id: str) -> ShopAccounts:
    """Say that a shop sells on an account."""
    shop = await _shop(shop_id, centre_id=asked.actor.centre_id)
    await database.unit(
        lambda: shop_accounts.bind(
            shop_id,
            platform=asked.body.platform,
            account_ref=asked.body.account_ref,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return await _accounts(shop)


@calls.post(
    "/shops/{shop_id}/accounts/unbind",
    summary="解除一个开播账号；靠它归属的订单随后重新归属",
    needs=(Permission.SHOP_MANAGE,),
    body=ShopAccountBinding,
    answer=ShopAccounts,
    refusals=(SignInAgain,),
)
async def unbind(asked: Asked[None, ShopAccountBinding], shop_id: str) -> ShopAccounts:
    """Say that it does not."""
    shop = await _shop(shop_id, centre_id=asked.actor.centre_id)
    await database.unit(
        lambda: shop_accounts.unbind(
            shop_id,
            platform=asked.body.platform,
            account_ref=asked.body.account_ref,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return await _accounts(shop)


async def _shop(public_id: str, *, centre_id: int) -> ShopView:
    for each in await queries.shops_of(centre_id):
        if each.public_id == public_id:
            return each
    raise NotFound


async def _accounts(shop: ShopView) -> ShopAccounts:
    bound = (await shop_accounts.of([shop.id])).get(shop.id, [])
    return ShopAccounts(
        shop=shop.public_id,
        accounts=[
            ShopAccount(platform=each.platform, account_ref=each.account_ref, streamer=each.streamer)
            for each in bound
        ],
        judging=[
            Judging(platform=each.platform, account_ref=each.account_ref, orders=each.orders)
            for each in await shop_accounts.judging(shop.id)
        ],
    )
