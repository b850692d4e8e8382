"""/desk/merchants 商户: who sells and redeems, its stores and papers, and what it has coming."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.merchants import catalogue, queries, registry
from livehub.merchants.models import MerchantStatus
from livehub.settlement import queries as settlement
from livehub.vouchers import enrolment_queries
from livehub.web import doors, reading
from livehub.web.desk.frame import asked, back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page

bp = Blueprint("desk_merchants", url_prefix="/desk/merchants")

PATH = "/desk/merchants"


class Query(Struct):
    """The list's address."""

    name: Annotated[str, Meta(max_length=registry.NAME_LENGTH)] = ""
    status: Annotated[str, Meta(pattern=f"^({'|'.join(MerchantStatus)})?$")] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class NewMerchant(Struct):
    """A merchant, not approved yet."""

    name: Annotated[str, Meta(min_length=1, max_length=registry.NAME_LENGTH)]
    town: Annotated[str, Meta(max_length=registry.TOWN_LENGTH)] = ""


class NewStore(Struct):
    """A store."""

    store_name: Annotated[str, Meta(min_length=1, max_length=registry.NAME_LENGTH)]
    address: Annotated[str, Meta(max_length=160)] = ""


@bp.get("/")
@doors.signed_in(Permission.MERCHANT_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The list, and the form of those who may register."""
    return await _list(request, actor, form=reading.blank())


@bp.post("/")
@doors.signed_in(Permission.MERCHANT_MANAGE)
async def add(request: Request, actor: Actor) -> HTTPResponse:
    """Register a merchant."""
    try:
        given = reading.form(request, NewMerchant)
        made = await database.unit(
            lambda: registry.add_merchant(
                given.name, town=given.town, centre_id=actor.centre_id, actor=actor, now=clock.now()
            )
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _list(request, actor, form=form, status=error.status)
    return back(f"{PATH}/{made.public_id}", done="merchant-added")


@bp.get("/<merchant_id:str>")
@doors.signed_in(Permission.MERCHANT_READ)
async def one(request: Request, actor: Actor, merchant_id: str) -> HTTPResponse:
    """Its page."""
    return await _page(request, actor, merchant_id, form=reading.blank())


@bp.post("/<merchant_id:str>/approve")
@doors.signed_in(Permission.MERCHANT_MANAGE)
async def approve(_request: Request, actor: Actor, merchant_id: str) -> HTTPResponse:
    """It may redeem."""
    return await _set(actor, merchant_id, MerchantStatus.APPROVED)


@bp.post("/<merchant_id:str>/suspend")
@doors.signed_in(Permission.MERCHANT_MANAGE)
async def suspend(_request: Request, actor: Actor, merchant_id: str) -> HTTPResponse:
    """It may redeem no more; what it has coming is settled all the same."""
    return await _set(actor, merchant_id, MerchantStatus.SUSPENDED)


@bp.post("/<merchant_id:str>/stores")
@doors.signed_in(Permission.MERCHANT_MANAGE)
async def add_store(request: Request, actor: Actor, merchant_id: str) -> HTTPResponse:
    """Register a store of it."""
    try:
        given = reading.form(request, NewStore)
        await database.unit(
            lambda: registry.add_store(
                merchant_id, name=given.store_name, address=given.address, actor=actor, now=clock.now()
            )
        )
    except NotFound:
        raise
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _page(request, actor, merchant_id, form=form, status=error.status)
    return back(f"{PATH}/{merchant_id}", done="store-added")


async def _set(actor: Actor, merchant_id: str, status: MerchantStatus) -> HTTPResponse:
    await database.unit(lambda: registry.set_status(merchant_id, status=status, actor=actor, now=clock.now()))
    return back(f"{PATH}/{merchant_id}", done=f"merchant-{status}")


async def _list(request: Request, actor: Actor, *, form: Form, status: int = 200) -> HTTPResponse:
    query = reading.query(request, Query) if request.method == "GET" else Query()
    return page(
        "desk/merchants.html",
        status=status,
        shell=await frame(request, actor, "merchants"),
        query=asked(request, Query) if request.method == "GET" else {},
        page=await catalogue.merchants(
            actor=actor,
            today=clock.local_day(clock.now()),
            name=query.name,
            status=query.status,
            number=query.page,
        ),
        statuses=[str(each) for each in MerchantStatus],
        form=form,
        may_manage=may(actor, Permission.MERCHANT_MANAGE),
        is_narrowed=bureau_scope(actor, Permission.MERCHANT_READ) is not None,
    )


async def _page(
    request: Request, actor: Actor, merchant_id: str, *, form: Form, status: int = 200
) -> HTTPResponse:
    seen = await catalogue.merchant(merchant_id, actor=actor)
    now = clock.now()
    today = clock.local_day(now)
    # What a merchant has coming is of all bureaus' campaigns together.
    tells_all = may(actor, Permission.SETTLEMENT_READ) and (
        bureau_scope(actor, Permission.SETTLEMENT_READ) is None
    )
    return page(
        "desk/merchant.html",
        status=status,
        shell=await frame(request, actor, "merchants"),
        seen=seen,
        as_of=now,
        stores=await queries.stores(seen.id),
        papers=await catalogue.papers_of("merchant", seen.id, today=today),
        products=await catalogue.products_of(seen.id, actor=actor, today=today),
        campaigns=await enrolment_queries.of_merchant(seen.id, actor=actor)
        if may(actor, Permission.CAMPAIGN_READ)
        else None,
        coming=await settlement.coming(seen.id) if tells_all else None,
        form=form,
        may_manage=may(actor, Permission.MERCHANT_MANAGE),
    )
