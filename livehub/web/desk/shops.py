"""/desk/shops 店铺与接口: through which door platforms push, and a new secret for it beside the old one."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.platforms import queries, shops
from livehub.platforms.models import EVIDENCE_FLOOR
from livehub.platforms.queries import DoorView
from livehub.web import doors, reading
from livehub.web.desk.frame import back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import shop_accounts

bp = Blueprint("desk_shops", url_prefix="/desk/shops")

HOURS = ((0, "立即停用"), (1, "1 小时"), (24, "24 小时"), (168, "7 天"))


class Rotation(Struct):
    """A new secret, and how long those before it are still accepted."""

    secret: Annotated[str, Meta(min_length=1, max_length=200)]
    hours: Annotated[int, Meta(ge=0, le=720)]


class Keeping(Struct):
    """For how many days."""

    days: int


@bp.get("/")
@doors.signed_in(Permission.SHOP_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """Every endpoint with its shops."""
    return await _shops(request, actor)


@bp.post("/<shop_id:str>/evidence")
@doors.signed_in(Permission.SHOP_MANAGE, freshly=True)
async def keep_evidence(request: Request, actor: Actor, shop_id: str) -> HTTPResponse:
    """Say how long the bytes of a shop's deliveries are kept."""
    try:
        days = reading.form(request, Keeping).days
        await database.unit(lambda: shops.keep_evidence(shop_id, days=days, actor=actor, now=clock.now()))
    except NotFound:
        raise
    except LivehubError as error:
        return await _shops(request, actor, refusal=doors.shown(request, error))
    return back("/desk/shops", done="evidence-kept")


@bp.get("/<endpoint_id:int>/secret")
@doors.signed_in(Permission.SHOP_MANAGE, freshly=True)
async def ask_secret(request: Request, actor: Actor, endpoint_id: int) -> HTTPResponse:
    """The form for a new secret."""
    return await _secret(request, actor, endpoint_id, form=reading.blank(hours="24"))


@bp.post("/<endpoint_id:int>/secret")
@doors.signed_in(Permission.SHOP_MANAGE, freshly=True)
async def rotate(request: Request, actor: Actor, endpoint_id: int) -> HTTPResponse:
    """Accept a new secret at once, and the older ones for as long as was said."""
    await _door(actor, endpoint_id)
    try:
        wanted = reading.form(request, Rotation)
        now = clock.now()
        until = now + timedelta(hours=wanted.hours)
        await database.unit(
            lambda: shops.rotate_secret(
                endpoint_id, secret=wanted.secret, overlap_until=until, actor=actor, now=now
            )
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _secret(request, actor, endpoint_id, form=form, status=error.status)
    return back("/desk/shops", done="secret-rotated")


@bp.post("/<endpoint_id:int>/end-old-secrets")
@doors.signed_in(Permission.SHOP_MANAGE, freshly=True)
async def end_old(_: Request, actor: Actor, endpoint_id: int) -> HTTPResponse:
    """Refuse from now on what is signed with an older secret."""
    await database.unit(lambda: shops.end_old_secrets(endpoint_id, actor=actor, now=clock.now()))
    return back("/desk/shops", done="old-secrets-ended")


async def _shops(request: Request, actor: Actor, *, refusal: LivehubError | None = None) -> HTTPResponse:
    found = await queries.doors_of(actor.centre_id, now=clock.now())
    return page(
        "desk/shops.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "shops", refusal=refusal),
        doors=found,
        accounts=await shop_accounts.of([shop.id for door in found for shop in door.shops]),
        may_manage=may(actor, Permission.SHOP_MANAGE),
        days=(EVIDENCE_FLOOR, shops.EVIDENCE_MOST),
    )


async def _secret(
    request: Request, actor: Actor, endpoint_id: int, *, form: Form, status: int = 200
) -> HTTPResponse:
    return page(
        "desk/shop_secret.html",
        status=status,
        shell=await frame(request, actor, "shops"),
        door=await _door(actor, endpoint_id),
        form=form,
        hours=HOURS,
    )


async def _door(actor: Actor, endpoint_id: int) -> DoorView:
    for each in await queries.doors_of(actor.centre_id, now=clock.now()):
        if each.id == endpoint_id:
            return each
    raise NotFound
