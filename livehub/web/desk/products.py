"""/desk/products 商品: what may be shown, what papers and the selection meeting say, and where it sells."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, may
from livehub.kit import clock, money
from livehub.kit.errors import Detail, Invalid, LivehubError, NotFound
from livehub.merchants import catalogue, queries, registry, selection
from livehub.platforms import queries as platforms
from livehub.reports import figures
from livehub.reports.figures import Scope
from livehub.web import doors, reading
from livehub.web.desk.frame import asked, back, frame
from livehub.web.reading import Form, SomeFen
from livehub.web.rendering import page
from rooms import planned

bp = Blueprint("desk_products", url_prefix="/desk/products")

PATH = "/desk/products"
SALES_DAYS = 30


class Query(Struct):
    """The list's address."""

    name: Annotated[str, Meta(max_length=registry.NAME_LENGTH)] = ""
    state: Annotated[str, Meta(pattern=f"^({'|'.join(catalogue.STATES)})?$")] = ""
    town: Annotated[str, Meta(max_length=registry.TOWN_LENGTH)] = ""
    category: Annotated[str, Meta(pattern=f"^({'|'.join(registry.CATEGORIES)})?$")] = ""
    within: Annotated[int, Meta(ge=0, le=3650, extra={"expected": "天数，如 7"})] | None = None
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Given(Struct):
    """What a product is."""

    name: Annotated[str, Meta(min_length=1, max_length=registry.NAME_LENGTH)]
    category: Annotated[str, Meta(min_length=1, max_length=24, extra={"expected": "选择类别"})]
    price: SomeFen
    town: Annotated[str, Meta(max_length=registry.TOWN_LENGTH)] = ""
    merchant: Annotated[str, Meta(max_length=16)] = ""


class Decided(Struct):
    """What a selection meeting decided: the button that was pressed."""

    meeting_on: date
    decision: Annotated[str, Meta(min_length=1, max_length=12)]
    valid_to: date | None = None
    reasons: Annotated[str, Meta(max_length=selection.REASONS_LENGTH)] = ""


class Listed(Struct):
    """What a shop calls it."""

    shop: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择店铺"})]
    product_ref: Annotated[
        str, Meta(min_length=1, max_length=registry.REF_LENGTH, extra={"expected": "平台商品编号"})
    ]


@bp.get("/")
@doors.signed_in(Permission.MERCHANT_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The list."""
    query = reading.query(request, Query)
    return page(
        "desk/products.html",
        shell=await frame(request, actor, "products"),
        query=asked(request, Query),
        page=await catalogue.products(
            actor=actor,
            today=clock.local_day(clock.now()),
            state=query.state,
            town=query.town,
            category=query.category,
            name=query.name,
            within=query.within,
            number=query.page,
        ),
        towns=await catalogue.towns(actor.centre_id),
        categories=registry.CATEGORIES,
        may_manage=may(actor, Permission.MERCHANT_MANAGE),
    )


@bp.get("/new")
@doors.signed_in(Permission.MERCHANT_MANAGE)
async def ask_new(request: Request, actor: Actor) -> HTTPResponse:
    """The form."""
    merchant = str(request.args.get("merchant", ""))[:16]
    return await _form(request, actor, form=reading.blank(merchant=merchant))


@bp.post("/new")
@doors.signed_in(Permission.MERCHANT_MANAGE)
async def add(request: Request, actor: Actor) -> HTTPResponse:
    """Note a product."""
    try:
        given = reading.form(request, Given)
        made = await database.unit(
            lambda: registry.add_product(
                given.name,
                category=given.category,
                price_fen=given.price,
                town=given.town,
                merchant=given.merchant,
                centre_id=actor.centre_id,
                actor=actor,
                now=clock.now(),
            )
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _form(request, actor, form=form, status=error.status)
    return back(f"{PATH}/{made.public_id}", done="product-added")


@bp.get("/<product_id:str>")
@doors.signed_in(Permission.MERCHANT_READ)
async def one(request: Request, actor: Actor, product_id: str) -> HTTPResponse:
    """Its page."""
    return await _page(request, actor, product_id)


@bp.get("/<product_id:str>/edit")
@doors.signed_in(Permission.MERCHANT_MANAGE)
async def ask_change(request: Request, actor: Actor, product_id: str) -> HTTPResponse:
    """The form, as it is."""
    row = (await catalogue.product(product_id, actor=actor, today=clock.local_day(clock.now()))).row
    form = reading.blank(
        name=row.product.name,
        category=row.product.category,
        price=money.yuan(row.product.price_fen).replace(",", ""),
        town=row.product.town,
        merchant=row.merchant_id,
    )
    return await _form(request, actor, form=form, product_id=product_id)


@bp.post("/<product_id:str>/edit")
@doors.signed_in(Permission.MERCHANT_MANAGE)
async def change(request: Request, actor: Actor, product_id: str) -> HTTPResponse:
    """Say anew what it is."""
    await catalogue.product(product_id, actor=actor, today=clock.local_day(clock.now()))
    try:
        given = reading.form(request, Given)
        await database.unit(
            lambda: registry.change_product(
                product_id,
                name=given.name,
                category=given.category,
                price_fen=given.price,
                town=given.town,
                merchant=given.merchant,
                actor=actor,
                now=clock.now(),
            )
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _form(request, actor, form=form, product_id=product_id, status=error.status)
    return back(f"{PATH}/{product_id}", done="product-changed")


@bp.post("/<product_id:str>/reviews")
@doors.signed_in(Permission.MERCHANT_MANAGE)
async def review(request: Request, actor: Actor, product_id: str) -> HTTPResponse:
    """Note what a selection meeting decided."""
    try:
        given = reading.form(request, Decided)
        await database.unit(
            lambda: selection.review(
                product_id,
                meeting_on=given.meeting_on,
                decision=given.decision,
                valid_to=given.valid_to,
                reasons=given.reasons,
                actor=actor,
                now=clock.now(),
            )
        )
    except NotFound:
        raise
    except LivehubError as error:
        return await _refused(request, actor, product_id, error)
    return back(f"{PATH}/{product_id}", done="product-reviewed")


@bp.post("/<product_id:str>/listings")
@doors.signed_in(Permission.MERCHANT_MANAGE)
async def list_on_shop(request: Request, actor: Actor, product_id: str) -> HTTPResponse:
    """Say what a shop calls it."""
    await catalogue.product(product_id, actor=actor, today=clock.local_day(clock.now()))
    try:
        given = reading.form(request, Listed)
        shops = {each.public_id: each.id for each in await platforms.shops_of(actor.centre_id)}
        if given.shop not in shops:
            raise Invalid(details=[Detail("shop", "本中心没有这个店铺", "从列表里选")])
        await database.unit(
            lambda: registry.map_product(
                shops[given.shop],
                product_ref=given.product_ref,
                product=product_id,
                actor=actor,
                now=clock.now(),
            )
        )
    except LivehubError as error:
        return await _refused(request, actor, product_id, error)
    return back(f"{PATH}/{product_id}", done="product-mapped")


async def _refused(request: Request, actor: Actor, product_id: str, error: LivehubError) -> HTTPResponse:
    form = reading.refused(request, doors.shown(request, error))
    return await _page(request, actor, product_id, form=form, status=error.status)


async def _form(
    request: Request, actor: Actor, *, form: Form, product_id: str = "", status: int = 200
) -> HTTPResponse:
    return page(
        "desk/product_edit.html",
        status=status,
        shell=await frame(request, actor, "products"),
        form=form,
        product_id=product_id,
        categories=registry.CATEGORIES,
        merchants=[(each.public_id, each.name) for each in await queries.merchants(actor=actor)],
        towns=await catalogue.towns(actor.centre_id),
    )


async def _page(
    request: Request, actor: Actor, product_id: str, *, form: Form | None = None, status: int = 200
) -> HTTPResponse:
    now = clock.now()
    today = clock.local_day(now)
    found = await catalogue.product(product_id, actor=actor, today=today)
    sold = Scope(
        centre_id=actor.centre_id,
        bureaus=bureau_scope(actor, Permission.SALES_READ),
        product=product_id,
        day_from=today - timedelta(days=SALES_DAYS - 1),
        day_to=today,
    )
    may_manage = may(actor, Permission.MERCHANT_MANAGE)
    shops = await platforms.shops_of(actor.centre_id) if may_manage else []
    return page(
        "desk/product.html",
        status=status,
        shell=await frame(request, actor, "products"),
        found=found,
        as_of=now,
        since=today - timedelta(days=SALES_DAYS - 1),
        until=today + timedelta(days=1),
        sold=await figures.total(sold) if may(actor, Permission.SALES_READ) else None,
        shows=await planned.with_product(found.row.product.id, actor=actor)
        if may(actor, Permission.BROADCAST_READ)
        else [],
        form=form or reading.blank(meeting_on=today.isoformat()),
        shops=[(each.public_id, each.name) for each in shops],
        may_manage=may_manage,
    )
