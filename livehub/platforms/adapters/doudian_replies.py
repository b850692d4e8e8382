"""Doudian's API replies, read as whole orders and whole after-sales.

Our reading of public client libraries and of the component table, not tried against the live API.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from livehub.platforms import business_time, scan, shares, thin
from livehub.platforms.contract import (
    Event,
    EventType,
    Fetch,
    FetchKind,
    Line,
    Malformed,
    OrderSnapshot,
    OrderStatus,
    RefundKind,
    RefundSnapshot,
    RefundStatus,
    ReplyRefused,
)
from livehub.platforms.decoding import decode
from livehub.platforms.wire import MAX_FEN, MAX_TITLE, Fen, Id, ref, required

SUCCESS: Final = "10000"
NOT_SALES = frozenset({10, 11, 12})  # trade_type: sample, zero-price draw, a streamer's own purchase
CANCELLED = 4

STATUSES = {
    1: OrderStatus.CREATED,
    103: OrderStatus.CREATED,  # a deposit is paid, the order is not
    105: OrderStatus.PAID,
    2: OrderStatus.PAID,  # being packed
    101: OrderStatus.PARTIALLY_SHIPPED,
    3: OrderStatus.SHIPPED,
    5: OrderStatus.FINISHED,
    CANCELLED: OrderStatus.CANCELLED,
}
KINDS = {
    0: RefundKind.RETURN_REFUND,
    1: RefundKind.REFUND_ONLY,
    2: RefundKind.REFUND_ONLY,  # before shipping
    3: RefundKind.EXCHANGE,
    4: RefundKind.REFUND_ONLY,  # cancelled by the system
    5: RefundKind.REFUND_ONLY,  # cancelled by the buyer
}
# refund_status is about the money and goes first; after_sale_status is about the process.
MONEY = {3: RefundStatus.SUCCEEDED, 4: RefundStatus.FAILED, 5: RefundStatus.FAILED}
PROCESS = {
    6: RefundStatus.CREATED,
    7: RefundStatus.RETURNING,
    11: RefundStatus.RETURNING,
    27: RefundStatus.REFUSED,
    29: RefundStatus.REFUSED,
    14: RefundStatus.CLOSED,  # the exchanged or resent goods arrived
    28: RefundStatus.CLOSED,
    51: RefundStatus.CLOSED,
}
REFUND_TYPES = {
    RefundStatus.CREATED: EventType.REFUND_CREATED,
    RefundStatus.AGREED: EventType.REFUND_AGREED,
    RefundStatus.REFUSED: EventType.REFUND_REFUSED,
    RefundStatus.CLOSED: EventType.REFUND_CLOSED,
    RefundStatus.SUCCEEDED: EventType.REFUND_SUCCEEDED,
}


class Envelope(Struct, frozen=True):
    """Every reply of the API."""

    code: Id
    msg: str = ""
    sub_code: str = ""
    sub_msg: str = ""
    data: Raw = Raw(b"{}")


class Sku(Struct, frozen=True):
    """One 商品单. Amounts are fen; None where the reply leaves one out."""

    order_id: Id
    item_num: Annotated[int, Meta(ge=0, le=1_000_000)]
    origin_amount: Fen
    pay_amount: Fen | None = None
    post_amount: Fen | None = None
    promotion_shop_amount: Fen | None = None
    promotion_platform_amount: Fen | None = None
    promotion_talent_amount: Fen | None = None
    promotion_pay_amount: Fen | None = None
    product_id: Id = ""
    product_id_str: str = ""
    sku_id: Id = ""
    product_name: str = ""
    author_id: Id = ""
    author_name: str = ""
    room_id: Id = ""
    room_id_str: str = ""
    trade_type: int = 0


class Order(Struct, frozen=True):
    """One 店铺单 with its 商品单; receivers' names, numbers and addresses are never taken in."""

    order_id: Id
    order_status: int
    update_time: int
    pay_amount: Fen
    sku_order_list: Annotated[tuple[Sku, ...], Meta(min_length=1, max_length=500)]
    post_amount: Fen = 0
    promotion_shop_amount: Fen = 0
    promotion_platform_amount: Fen = 0
    promotion_talent_amount: Fen = 0
    promotion_pay_amount: Fen = 0
    shop_id: Id = ""
    create_time: int = 0
    pay_time: int = 0
    ship_time: int = 0
    finish_time: int = 0
    doudian_open_id: Annotated[str, Meta(max_length=255)] = ""


class OrderReply(Struct, frozen=True):
    shop_order_detail: Order


class AfterSale(Struct, frozen=True):
    """One after-sale; refund_total_amount is the name in newer replies of what is applied for."""

    after_sale_id: Id
    after_sale_status: int
    after_sale_type: int
    update_time: int
    refund_status: int = 0
    refund_amount: Fen | None = None
    refund_total_amount: Fen | None = None
    refund_post_amount: Fen = 0
    real_refund_amount: Fen = 0
    apply_time: int = 0
    refund_time: int = 0


class ProcessInfo(Struct, frozen=True):
    after_sale_info: AfterSale


class AfterSaleSku(Struct, frozen=True):
    sku_order_id: Id
    item_quantity: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    after_sale_item_count: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class OrderInfo(Struct, frozen=True):
    shop_order_id: Id
    sku_order_infos: tuple[AfterSaleSku, ...] = ()


class AfterSaleReply(Struct, frozen=True):
    process_info: ProcessInfo
    order_info: OrderInfo


_ENVELOPE = msgspec.json.Decoder(Envelope)
_ORDER = msgspec.json.Decoder(OrderReply)
_AFTER_SALE = msgspec.json.Decoder(AfterSaleReply)


def read(fetch: Fetch, raw: bytes) -> Event:
    """The complete event of a reply; Malformed, or ReplyRefused with whether to ask again."""
    data = data_of(raw)
    if fetch.kind is FetchKind.ORDER:
        return _order_event(fetch, decode(_ORDER, data).shop_order_detail)
    return _after_sale_event(fetch, decode(_AFTER_SALE, data))


def data_of(raw: bytes) -> Raw:
    """What a reply of success carries; Malformed, or ReplyRefused with whether to ask again."""
    scan.refuse_unsafe(raw)
    envelope = decode(_ENVELOPE, raw)
    if str(envelope.code) != SUCCESS:
        raise _refusal(envelope)
    return envelope.data


def _refusal(envelope: Envelope) -> ReplyRefused:
    code = str(envelope.code)
    words = f"{envelope.sub_code} {envelope.sub_msg or envelope.msg}".strip()
    theirs = code.startswith(("2", "5")) or envelope.sub_code.startswith("isp.")
    limited = "limit" in words.lower() or "限流" in words or "频繁" in words
    return ReplyRefused(code, words[:200], retry=theirs or limited)


def _order_event(fetch: Fetch, order: Order) -> Event:
    _same("order_id", required(order.order_id, field="order_id"), fetch.ref)
    _same("shop_id", ref(order.shop_id, field="shop_id") or fetch.shop_ref, fetch.shop_ref)
    updated_at = _updated(order.update_time)
    snapshot = OrderSnapshot(
        status=_status(order),
        lines=_lines(order),
        created_at=business_time.from_seconds(order.create_time, field="create_time"),
        paid_at=business_time.from_seconds(order.pay_time, field="pay_time"),
        finished_at=business_time.from_seconds(order.finish_time, field="finish_time"),
        updated_at=updated_at,
        buyer_id=order.doudian_open_id,
        excluded=all(sku.trade_type in NOT_SALES for sku in order.sku_order_list),
    )
    return thin.order_as_fetched(fetch, snapshot)


def _status(order: Order) -> OrderStatus:
    """An order cancelled after payment stays a sale: its after-sales take the money back."""
    if order.order_status == CANCELLED and order.pay_time:
        if order.finish_time:
            return OrderStatus.FINISHED
        return OrderStatus.SHIPPED if order.ship_time else OrderStatus.PAID
    status = STATUSES.get(order.order_status)
    if status is None:
        raise Malformed("schema", f"order_status {order.order_status} is unknown")
    return status


def _lines(order: Order) -> tuple[Line, ...]:
    """The six components of each line; order-level amounts are split where the lines state none."""
    skus = order.sku_order_list
    listed = [sku.origin_amount * sku.item_num for sku in skus]

    def column(name: str) -> list[int]:
        return shares.per_line(
            [getattr(sku, name) for sku in skus], whole=getattr(order, name), weights=listed
        )

    shop, platform = column("promotion_shop_amount"), column("promotion_platform_amount")
    talent, channel = column("promotion_talent_amount"), column("promotion_pay_amount")
    freight = column("post_amount")
    other = [sum(pair) for pair in zip(talent, channel, strict=True)]
    if all(sku.pay_amount is not None for sku in skus):
        bought = [(sku.pay_amount or 0) - channel[at] - freight[at] for at, sku in enumerate(skus)]
    else:
        bought = [listed[at] - shop[at] - platform[at] - other[at] for at in range(len(skus))]
        if sum(bought) != order.pay_amount - sum(channel) - sum(freight):
            raise Malformed(
                "identity", "pay_amount does not follow from the lines' prices and the promotions"
            )
    lines = tuple(
        Line(
            line_ref=required(sku.order_id, field="sku_order_list.order_id"),
            product_ref=ref(sku.product_id_str or sku.product_id, field="product_id"),
            sku_ref=ref(sku.sku_id, field="sku_id"),
            title=sku.product_name[:MAX_TITLE],
            quantity=sku.item_num,
            list_fen=_amount(listed[at], field="origin_amount"),
            merchant_disc_fen=shop[at],
            platform_disc_fen=platform[at],
            other_disc_fen=other[at],
            buyer_paid_fen=_amount(bought[at], field="pay_amount"),
            freight_fen=freight[at],
            author_ref=ref(sku.author_id, field="author_id"),
            author_name=sku.author_name[:MAX_TITLE],
            room_ref=ref(sku.room_id_str or sku.room_id, field="room_id"),
        )
        for at, sku in enumerate(skus)
    )
    if len({line.line_ref for line in lines}) < len(lines):
        raise Malformed("schema", "sku_order_list names an order_id twice")
    return lines


def _after_sale_event(fetch: Fetch, reply: AfterSaleReply) -> Event:
    info, order = reply.process_info.after_sale_info, reply.order_info
    _same("after_sale_id", required(info.after_sale_id, field="after_sale_id"), fetch.ref)
    _same("shop_order_id", required(order.shop_order_id, field="shop_order_id"), fetch.order_ref)
    updated_at = _updated(info.update_time)
    status = MONEY.get(info.refund_status) or PROCESS.get(info.after_sale_status, RefundStatus.AGREED)
    succeeded = status is RefundStatus.SUCCEEDED
    refunded = _refunded(info) if succeeded else None
    sku = order.sku_order_infos[0] if len(order.sku_order_infos) == 1 else None
    snapshot = RefundSnapshot(
        refund_ref=fetch.ref,
        line_ref=ref(sku.sku_order_id, field="sku_order_id") if sku else "",
        kind=_kind(info.after_sale_type, refunded=refunded),
        status=status,
        applied_fen=_applied(info),
        refunded_fen=refunded,
        freight_fen=info.refund_post_amount,
        quantity=(sku.after_sale_item_count or sku.item_quantity) if sku else 0,
        applied_at=business_time.from_seconds(info.apply_time, field="apply_time"),
        succeeded_at=_succeeded_at(info) if succeeded else None,
        updated_at=updated_at,
    )
    return Event(
        type=REFUND_TYPES.get(status, EventType.REFUND_UPDATED),
        shop_ref=fetch.shop_ref,
        order_ref=fetch.order_ref,
        refund_ref=fetch.ref,
        status_at=updated_at,
        refunds=(snapshot,),
        covers_until=updated_at,
    )


def _kind(after_sale_type: int, *, refunded: int | None) -> RefundKind:
    """Exchange, resend and repair move no money; where money moved all the same, it is a refund."""
    kind = KINDS.get(after_sale_type, RefundKind.RESEND)
    if refunded and kind in (RefundKind.EXCHANGE, RefundKind.RESEND):
        return RefundKind.REFUND_ONLY  # 6 is price protection, for one
    return kind


def _refunded(info: AfterSale) -> int:
    """The cash that went back, without freight."""
    return _amount(info.real_refund_amount - info.refund_post_amount, field="real_refund_amount")


def _applied(info: AfterSale) -> int | None:
    """What was applied for, without freight like all amounts of a refund; it is shown, never booked."""
    applied = info.refund_amount if info.refund_total_amount is None else info.refund_total_amount
    if applied is None or applied < info.refund_post_amount:
        return None
    return applied - info.refund_post_amount


def _succeeded_at(info: AfterSale) -> int | None:
    """Not every public description of the reply has refund_time."""
    return business_time.from_seconds(info.refund_time or info.update_time, field="refund_time")


def _updated(seconds: int) -> int:
    at = business_time.from_seconds(seconds, field="update_time")
    if at is None:
        raise Malformed("time", "update_time is missing")
    return at


def _amount(fen: int, *, field: str) -> int:
    if not 0 <= fen <= MAX_FEN:
        raise Malformed("identity", f"{field} leaves an impossible amount")
    return fen


def _same(field: str, said: str, asked: str) -> None:
    if said != asked:
        raise Malformed("schema", f"{field} is not what was asked for")
