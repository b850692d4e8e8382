"""订单: one order as merged, what it booked, and every message about it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from msgspec import Meta, Struct

from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.platforms.contract import Line, RefundKind, RefundSnapshot
from livehub.reports import orders
from livehub.reports.basis import Basis
from livehub.reports.messages import MessageSeen
from livehub.reports.orders import Booked, OrderView, Standing
from livehub.web.api.declared import ROOT, Asked, Section
from livehub.web.api.shapes import AsOf, Fen, Instant, Nothing, RowRef, Unit

calls = Section("销售")


class OrderLine(Struct, frozen=True, kw_only=True):
    """订单里的一行：标价 = 商家优惠 + 平台优惠 + 其他优惠 + 消费券 + 实付，运费另计。"""

    line_ref: str
    title: str
    quantity: int
    list_fen: Fen
    merchant_disc_fen: Fen
    platform_disc_fen: Fen
    other_disc_fen: Fen
    voucher_subsidy_fen: Fen
    buyer_paid_fen: Fen
    freight_fen: Fen
    attribution: Annotated[
        str, Meta(description="归属等级：M 人工、A 平台、B 领券、C 链接、D 唯一在播、U 未归属")
    ]
    broadcast: Annotated[str, Meta(description="所属场次的公开编号，空：未归属")]


class OrderRefund(Struct, frozen=True, kw_only=True):
    """一笔售后。"""

    refund_ref: str
    line_ref: Annotated[str, Meta(description="空：整单")]
    kind: RefundKind
    status: str
    applied_fen: Fen | None
    refunded_fen: Fen | None
    succeeded_at: Instant | None


class Entry(Struct, frozen=True, kw_only=True):
    """一条消息使一行明细的金额变了多少。"""

    line_ref: str
    day: date
    attribution: str
    broadcast: str
    g2_fen: Fen
    refund_fen: Fen
    message: RowRef
    evidence_url: str
    reason: str
    applied_at: Instant


class OrderMessage(Struct, frozen=True, kw_only=True):
    """说到这个订单的一条消息。"""

    id: RowRef
    native_type: str
    native_id: str
    source: str
    status: str
    reason: str
    error: str
    received_at: Instant
    delivery: RowRef
    verdict: str
    evidence_url: str


class Order(Struct, frozen=True, kw_only=True):
    """一个订单：合并后的状态，入账的每一笔，和引起它们的每条消息。"""

    order_ref: str
    shop: str
    shop_name: str
    platform: str
    status: str
    is_complete: bool
    is_pending: bool
    paid_at: Instant | None
    basis: Annotated[Basis, Meta(description="g2_fen 的口径；减去 refund_fen 即 G3")]
    unit: Unit
    as_of: AsOf
    g2_fen: Fen
    refund_fen: Fen
    lines: list[OrderLine]
    refunds: list[OrderRefund]
    outstanding: Annotated[list[str], Meta(description="还要取的内容")]
    entries: list[Entry]
    messages: list[OrderMessage]


@calls.get(
    "/orders/{shop_id}/{order_ref}",
    summary="一个订单和引起它的每条消息",
    needs=(Permission.SALES_READ,),
    query=Nothing,
    answer=Order,
)
async def order(asked: Asked[Nothing, None], shop_id: str, order_ref: str) -> Order:
    """The order as merged, every entry it made and every message about it."""
    return _order(await orders.order(shop_id, order_ref, actor=asked.actor), as_of=asked.now)


def _order(view: OrderView, *, as_of: datetime) -> Order:
    return Order(
        order_ref=view.order_ref,
        shop=view.shop,
        shop_name=view.shop_name,
        platform=view.platform,
        status=view.status,
        is_complete=view.complete,
        is_pending=view.pending,
        paid_at=view.paid_at,
        basis=Basis.G2,
        unit="fen",
        as_of=as_of,
        g2_fen=view.g2_fen,
        refund_fen=view.refund_fen,
        lines=[_order_line(each, view.standing.get(each.line_ref, Standing())) for each in view.lines],
        refunds=[_refund(each) for each in view.refunds],
        outstanding=list(view.outstanding),
        entries=[_entry(each) for each in view.entries],
        messages=[message_of_order(each) for each in view.messages],
    )


def _order_line(line: Line, standing: Standing) -> OrderLine:
    told = {name: getattr(line, name) for name in OrderLine.__struct_fields__ if hasattr(line, name)}
    return OrderLine(**told, attribution=standing.attribution, broadcast=standing.broadcast)


def _refund(refund: RefundSnapshot) -> OrderRefund:
    at = refund.succeeded_at
    return OrderRefund(
        refund_ref=refund.refund_ref,
        line_ref=refund.line_ref,
        kind=refund.kind,
        status=refund.status.name.lower(),
        applied_fen=refund.applied_fen,
        refunded_fen=refund.refunded_fen,
        succeeded_at=clock.from_ms(at) if at else None,
    )


def _entry(each: Booked) -> Entry:
    return Entry(
        line_ref=each.line_ref,
        day=each.day,
        attribution=each.attribution,
        broadcast=each.broadcast,
        g2_fen=each.g2_fen,
        refund_fen=each.refund_fen,
        message=str(each.message_id),
        evidence_url=f"{ROOT}/inbox/messages/{each.message_id}",
        reason=each.reason,
        applied_at=each.applied_at,
    )


def message_of_order(each: MessageSeen) -> OrderMessage:
    """A message as an order or a delivery lists it."""
    return OrderMessage(
        id=str(each.id),
        native_type=each.native_type,
        native_id=each.native_id,
        source=each.source,
        status=each.status,
        reason=each.reason,
        error=each.error,
        received_at=each.received_at,
        delivery=str(each.delivery_id),
        verdict=each.verdict,
        evidence_url=f"{ROOT}/inbox/messages/{each.id}",
    )
