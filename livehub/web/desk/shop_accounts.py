"""/desk/shops/{shop}/accounts 开播账号: where a shop sells, for orders of which the platform says no more."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, LivehubError, NotFound
from livehub.platforms import queries
from livehub.platforms.queries import ShopView
from livehub.web import doors, reading
from livehub.web.desk.frame import back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import shop_accounts
from rooms.shop_accounts import Account

bp = Blueprint("desk_shop_accounts", url_prefix="/desk/shops")

APART = " "  # between platform and account in one field's value: neither has blanks


class Chosen(Struct):
    """One account, as platform and reference."""

    account: Annotated[str, Meta(min_length=1, max_length=100)]

    def named(self) -> dict[str, str]:
        """Its platform and reference."""
        platform, apart, ref = self.account.partition(APART)
        if not apart:
            raise Invalid(details=[Detail("account", "请从列表里选一个账号", "平台 账号")])
        return {"platform": platform, "account_ref": ref}


@bp.get("/<shop_id:str>/accounts")
@doors.signed_in(Permission.SHOP_MANAGE, freshly=True)
async def show(request: Request, actor: Actor, shop_id: str) -> HTTPResponse:
    """The shop's accounts, and which it may have besides."""
    return await _accounts(request, actor, shop_id, form=reading.blank())


@bp.post("/<shop_id:str>/accounts")
@doors.signed_in(Permission.SHOP_MANAGE, freshly=True)
async def bind(request: Request, actor: Actor, shop_id: str) -> HTTPResponse:
    """Say that the shop sells on an account."""
    try:
        named = reading.form(request, Chosen).named()
        await database.unit(lambda: shop_accounts.bind(shop_id, **named, actor=actor, now=clock.now()))
    except NotFound:
        raise
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _accounts(request, actor, shop_id, form=form, status=error.status)
    return back(f"/desk/shops/{shop_id}/accounts", done="account-bound")


@bp.post("/<shop_id:str>/accounts/unbind")
@doors.signed_in(Permission.SHOP_MANAGE, freshly=True)
async def unbind(request: Request, actor: Actor, shop_id: str) -> HTTPResponse:
    """Say that it does not."""
    named = reading.form(request, Chosen).named()
    await database.unit(lambda: shop_accounts.unbind(shop_id, **named, actor=actor, now=clock.now()))
    return back(f"/desk/shops/{shop_id}/accounts", done="account-unbound")


async def _accounts(
    request: Request, actor: Actor, shop_id: str, *, form: Form, status: int = 200
) -> HTTPResponse:
    shop = await _shop(shop_id, actor=actor)
    bound = (await shop_accounts.of([shop.id])).get(shop.id, [])
    free = [each for each in await shop_accounts.known(actor.centre_id) if each not in bound]
    return page(
        "desk/shop_accounts.html",
        status=status,
        shell=await frame(request, actor, "shops"),
        shop=shop,
        bound=[(_value(each), each) for each in bound],
        judging=await shop_accounts.judging(shop.id),
        free=[(_value(each), each) for each in free],
        form=form,
    )


async def _shop(public_id: str, *, actor: Actor) -> ShopView:
    for each in await queries.shops_of(actor.centre_id):
        if each.public_id == public_id:
            return each
    raise NotFound


def _value(account: Account) -> str:
    return f"{account.platform}{APART}{account.account_ref}"
