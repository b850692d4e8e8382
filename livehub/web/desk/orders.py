"""/desk/orders/{shop}/{order_ref}: one order as merged, what it booked, and every message about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import unquote

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.orders import assigning
from livehub.orders import queries as orders
from livehub.orders.queries import Named
from livehub.platforms.contract import Line, RefundSnapshot
from livehub.reports import orders as views
from livehub.reports.orders import Booked, OrderView, Standing
from livehub.web import doors, reading
from livehub.web.desk.frame import back, frame, order_path
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import queries as rooms
from rooms.models import BroadcastState
from rooms.queries import BroadcastView

bp = Blueprint("desk_orders", url_prefix="/desk/orders")

REF_LENGTH = 64
TAIL = timedelta(days=31)  # how long before its payment a show may have sold an order


class Given(Struct):
    """Lines of the order, to which broadcast they belong, and how that is known."""

    lines: Annotated[list[Annotated[str, Meta(max_length=REF_LENGTH)]], Meta(max_length=assigning.MOST)] = []
    broadcast: Annotated[str, Meta(max_length=16)] = ""
    reason: Annotated[str, Meta(max_length=200)] = ""


class TakenBack(Struct):
    """Lines of the order, and why they do not belong where a clerk put them."""

    lines: Annotated[list[Annotated[str, Meta(max_length=REF_LENGTH)]], Meta(max_length=assigning.MOST)] = []
    reason: Annotated[str, Meta(max_length=200)] = ""


class Sold(Struct, frozen=True, kw_only=True):
    """One line of the order with what it booked."""

    title: str
    product: str  # ours, '' while nobody mapped it
    is_listed: bool  # a platform's product, which can be mapped
    town: str
    units: int
    g2_fen: int
    refund_fen: int
    line_ref: str
    standing: Standing


class Parts(Struct, frozen=True, kw_only=True):
    """The components of all lines together, in fen."""

    list_fen: int
    merchant_disc_fen: int
    platform_disc_fen: int
    other_disc_fen: int
    voucher_subsidy_fen: int
    buyer_paid_fen: int
    freight_fen: int


class AfterSale(Struct, frozen=True, kw_only=True):
    """One after-sale with its times as instants."""

    ref: str
    kind: str
    status: str
    applied_at: datetime | None
    succeeded_at: datetime | None
    cash_fen: int | None


@bp.get("/<shop:str>/<order_ref:str>")
@doors.signed_in(Permission.SALES_READ)
async def show(request: Request, actor: Actor, shop: str, order_ref: str) -> HTTPResponse:
    """The order."""
    return await _order(request, actor, shop, order_ref, form=reading.blank())


@bp.post("/<shop:str>/<order_ref:str>/assign")
@doors.signed_in(Permission.SALES_ASSIGN)
async def assign(request: Request, actor: Actor, shop: str, order_ref: str) -> HTTPResponse:
    """Give lines to a broadcast."""
    view = await views.order(shop, _named(order_ref), actor=actor)
    try:
        given = reading.form(request, Given)
        await database.unit(
            lambda: assigning.give(
                _lines_of(view, given.lines),
                broadcast=given.broadcast,
                reason=given.reason,
                actor=actor,
                now=clock.now(),
            )
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _order(request, actor, shop, order_ref, form=form, status=error.status)
    return back(order_path(shop, view.order_ref), done="lines-given")


@bp.post("/<shop:str>/<order_ref:str>/take-back")
@doors.signed_in(Permission.SALES_ASSIGN)
async def take_back(request: Request, actor: Actor, shop: str, order_ref: str) -> HTTPResponse:
    """Take a clerk's word on lines back."""
    view = await views.order(shop, _named(order_ref), actor=actor)
    try:
        taken = reading.form(request, TakenBack)
        await database.unit(
            lambda: assigning.take_back(
                _lines_of(view, taken.lines), reason=taken.reason, actor=actor, now=clock.now()
            )
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _order(request, actor, shop, order_ref, form=form, status=error.status)
    return back(order_path(shop, view.order_ref), done="lines-taken-back")


def _lines_of(view: OrderView, refs: Sequence[str]) -> list[assigning.Named]:
    return [assigning.Named(view.shop, view.order_ref, each) for each in refs]


async def _order(
    request: Request, actor: Actor, shop: str, order_ref: str, *, form: Form, status: int = 200
) -> HTTPResponse:
    view = await views.order(shop, _named(order_ref), actor=actor)
    shows = await _broadcasts(view, actor=actor)
    may_assign = may(actor, Permission.SALES_ASSIGN)
    return page(
        "desk/order.html",
        status=status,
        shell=await frame(request, actor, "sales"),
        order=view,
        parts=_parts(view.lines) if view.complete else None,
        lines=await _lines(view),
        refunds=[_after_sale(each) for each in view.refunds],
        shows=shows,
        words=[each for each in await assigning.words_on(view.id) if may_assign or each.broadcast in shows],
        choices=await _choices(view, actor=actor) if may_assign else [],
        form=form,
        may_assign=may_assign,
        here=order_path(shop, view.order_ref),
        titles={public_id: found.title for public_id, found in shows.items()},
        may_see_messages=may(actor, Permission.INBOX_READ),
    )


def _named(segment: str) -> str:
    """An order's number as a platform writes it, of its place in the address."""
    text = unquote(segment)
    if "\x00" in text or len(text) > REF_LENGTH:
        raise NotFound
    return text


async def titles_of(view: OrderView, *, actor: Actor) -> dict[str, str]:
    """What the broadcasts an order was booked to are called, as far as the reader may see them."""
    return {key: found.title for key, found in (await _broadcasts(view, actor=actor)).items()}


async def _choices(view: OrderView, *, actor: Actor) -> list[tuple[str, str]]:
    """The broadcasts that an order may belong to: those of the month before its payment, the latest first."""
    if view.paid_at is None:
        return []
    found = await rooms.latest_broadcasts(
        actor=actor, since=view.paid_at - TAIL, until=view.paid_at + timedelta(days=1), size=200
    )
    return [
        (each.public_id, f"{clock.local(each.planned_start_at):%m-%d %H:%M} {each.title} · {each.streamer}")
        for each in found.items
        if each.state != BroadcastState.ABORTED
    ]


async def _broadcasts(view: OrderView, *, actor: Actor) -> dict[str, BroadcastView]:
    found = {}
    for public_id in sorted({each.broadcast for each in view.entries if each.broadcast}):
        try:
            found[public_id] = await rooms.broadcast(public_id, actor=actor)
        except LivehubError:
            continue  # another bureau's line of the same order
    return found


async def _lines(view: OrderView) -> list[Sold]:
    products = await orders.products_of(view.id)
    refunded = _refunded(view.entries)
    unknown = Named("", "")
    return [
        Sold(
            title=line.title,
            product=products.get(line.line_ref, unknown).name,
            is_listed=bool(line.product_ref),
            town=products.get(line.line_ref, unknown).town,
            units=line.quantity,
            g2_fen=_g2(line),
            refund_fen=refunded.get(line.line_ref, 0),
            line_ref=line.line_ref,
            standing=view.standing.get(line.line_ref, Standing()),
        )
        for line in view.lines
    ]


def _refunded(entries: Sequence[Booked]) -> dict[str, int]:
    by_line: dict[str, int] = {}
    for each in entries:
        by_line[each.line_ref] = by_line.get(each.line_ref, 0) + each.refund_fen
    return by_line


def _after_sale(refund: RefundSnapshot) -> AfterSale:
    return AfterSale(
        ref=refund.refund_ref,
        kind=str(refund.kind),
        status=refund.status.name.lower(),
        applied_at=clock.from_ms(refund.applied_at) if refund.applied_at else None,
        succeeded_at=clock.from_ms(refund.succeeded_at) if refund.succeeded_at else None,
        cash_fen=refund.refunded_fen,
    )


def _g2(line: Line) -> int:
    return line.buyer_paid_fen + line.platform_disc_fen + line.other_disc_fen + line.voucher_subsidy_fen


def _parts(lines: Sequence[Line]) -> Parts:
    return Parts(**{name: sum(getattr(line, name) for line in lines) for name in Parts.__struct_fields__})
