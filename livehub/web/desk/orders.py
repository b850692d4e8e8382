"""/desk/orders/{shop}/{order_ref}: one order as merged, what it booked, and every message about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import unquote

from msgspec import Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.orders import queries as orders
from livehub.orders.queries import Named
from livehub.platforms.contract import Line, RefundSnapshot
from livehub.reports import drill
from livehub.reports.drill import Booked, OrderView
from livehub.web import doors
from livehub.web.desk.frame import frame
from livehub.web.rendering import page
from rooms import queries as rooms
from rooms.queries import BroadcastView

bp = Blueprint("desk_orders", url_prefix="/desk/orders")

REF_LENGTH = 64


class Sold(Struct, frozen=True, kw_only=True):
    """One line of the order with what it booked."""

    title: str
    product: str  # ours, '' while nobody mapped it
    is_listed: bool  # a platform's product, which can be mapped
    town: str
    units: int
    g2_fen: int
    refund_fen: int


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
    view = await drill.order(shop, _named(order_ref), actor=actor)
    shows = await _broadcasts(view.entries, actor=actor)
    latest = next((shows[each.broadcast] for each in reversed(view.entries) if each.broadcast in shows), None)
    return page(
        "desk/order.html",
        shell=await frame(request, actor, "sales"),
        order=view,
        parts=_parts(view.lines) if view.complete else None,
        lines=await _lines(view),
        refunds=[_after_sale(each) for each in view.refunds],
        broadcast=latest,
        attribution=view.entries[-1].attribution if view.entries else "U",
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
    return {key: found.title for key, found in (await _broadcasts(view.entries, actor=actor)).items()}


async def _broadcasts(entries: Sequence[Booked], *, actor: Actor) -> dict[str, BroadcastView]:
    found = {}
    for public_id in sorted({each.broadcast for each in entries if each.broadcast}):
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
