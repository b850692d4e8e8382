"""Kuaishou's API replies, read as whole orders and whole after-sales.

An order is two replies: what was bought, and what it cost. Our reading of public client libraries, of a copy
of the platform's field tables and of the component table, not tried against the live API.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from livehub.platforms import business_time, replies, scan, thin
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

FEN_PER_UNIT: Final = 1  # amounts are said to be fen; were they not, no order would keep the identity

OK: Final = 1  # result of a reply
FAILED: Final = 80  # of an order: never paid, or all of it given back
SIGNED_FOR, FINISHED = 50, 70
SUCCEEDED: Final = 60  # of an after-sale
RETURN_REFUND, REFUND_ONLY, EXCHANGE = 1, 10, 3  # handlingWay; 4 is a resend, 5 a repair
MONEY_BACK = frozenset({RETURN_REFUND, REFUND_ONLY})

STATUSES = {
    10: OrderStatus.CREATED,
    30: OrderStatus.PAID,
    40: OrderStatus.SHIPPED,
    SIGNED_FOR: OrderStatus.SHIPPED,
    FINISHED: OrderStatus.FINISHED,
    FAILED: OrderStatus.CANCELLED,
}
KINDS = {
    RETURN_REFUND: RefundKind.RETURN_REFUND,
    REFUND_ONLY: RefundKind.REFUND_ONLY,
    EXCHANGE: RefundKind.EXCHANGE,
}
PROGRESS = {
    22: RefundStatus.AGREED,
    30: RefundStatus.AGREED,
    40: RefundStatus.RETURNING,
    50: RefundStatus.AGREED,
    70: RefundStatus.CLOSED,
}
REFUND_TYPES = {
    RefundStatus.CREATED: EventType.REFUND_CREATED,
    RefundStatus.AGREED: EventType.REFUND_AGREED,
    RefundStatus.CLOSED: EventType.REFUND_CLOSED,
    RefundStatus.SUCCEEDED: EventType.REFUND_SUCCEEDED,
}


class Envelope(Struct, frozen=True):
    """Every reply of the API."""

    result: int
    error_msg: str = ""
    msg: str = ""
    sub_code: str = ""
    sub_msg: str = ""
    data: Raw = Raw(b"{}")


class Base(Struct, frozen=True, rename="camel"):
    """orderBaseInfo; receivers' names, numbers and addresses are never taken in."""

    oid: Id
    status: int
    update_time: int
    create_time: int = 0
    pay_time: int = 0
    send_time: int = 0
    recv_time: int = 0
    pay_channel_discount: Fen = 0
    government_discount: Fen = 0
    seller_id: Id = ""
    buyer_open_id: Annotated[str, Meta(max_length=255)] = ""


class Item(Struct, frozen=True, rename="camel"):
    """orderItemInfo: an order of 快手 has one."""

    num: Annotated[int, Meta(ge=0, le=1_000_000)]
    original_price: Fen
    item_id: Id = ""
    sku_id: Id = ""
    item_title: str = ""


class Detail(Struct, frozen=True, rename="camel"):
    order_base_info: Base
    order_item_info: Item


class Fees(Struct, frozen=True, rename="camel"):
    """What the order cost, and who bore the discounts."""

    oid: Id
    buyer_pay: Fen
    merchant_bear_amount: Fen
    platform_bear_amount: Fen
    express_fee: Fen = 0
    seller_id: Id = ""


class AfterSale(Struct, frozen=True, rename="camel"):
    refund_id: Id
    oid: Id
    status: int
    handling_way: int
    refund_fee: Fen
    seller_id: Id = ""
    product_num: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    create_time: int = 0
    submit_time: int = 0
    update_time: int = 0
    end_time: int = 0


_ENVELOPE = msgspec.json.Decoder(Envelope)
_DETAIL = msgspec.json.Decoder(Detail)
_FEES = msgspec.json.Decoder(Fees)
_AFTER_SALE = msgspec.json.Decoder(AfterSale)


def read(fetch: Fetch, raw: bytes) -> Event:
    """The complete event of a reply; Malformed, or ReplyRefused with whether to ask again."""
    if fetch.kind is FetchKind.REFUND:
        return _after_sale_event(fetch, decode(_AFTER_SALE, data_of(raw)))
    order, fees = (data_of(each) for each in replies.parted(raw, count=2))
    return _order_event(fetch, decode(_DETAIL, order), decode(_FEES, fees))


def data_of(reply: bytes) -> Raw:
    """What a reply of success carries; Malformed, or ReplyRefused with whether to ask again."""
    scan.refuse_unsafe(reply)
    envelope = decode(_ENVELOPE, reply)
    if envelope.result == OK:
        return envelope.data
    words = f"{envelope.sub_code} {envelope.error_msg or envelope.sub_msg or envelope.msg}".strip()
    later = any(each in words.lower() for each in ("limit", "限流", "频繁", "timeout", "超时", "系统"))
    raise ReplyRefused(str(envelope.result), words[:200], retry=later)


def _order_event(fetch: Fetch, detail: Detail, fees: Fees) -> Event:
    order = detail.order_base_info
    _same("oid", required(order.oid, field="oid"), fetch.ref)
    _same("oid of the fees", required(fees.oid, field="oid"), fetch.ref)
    for seller in (order.seller_id, fees.seller_id):
        _same("sellerId", ref(seller, field="sellerId") or fetch.shop_ref, fetch.shop_ref)
    updated_at = _time(order.update_time, field="updateTime")
    if updated_at is None:
        raise Malformed("time", "updateTime is missing")
    snapshot = OrderSnapshot(
        status=_status(order),
        lines=(_line(fetch, detail, fees),),
        created_at=_time(order.create_time, field="createTime"),
        paid_at=_time(order.pay_time, field="payTime"),
        finished_at=_time(order.recv_time, field="recvTime") if order.status == FINISHED else None,
        updated_at=updated_at,
        buyer_id=order.buyer_open_id,
    )
    return thin.order_as_fetched(fetch, snapshot)


def _status(order: Base) -> OrderStatus:
    """An order that failed after payment stays a sale: its after-sales take the money back."""
    if order.status == FAILED and order.pay_time:
        return OrderStatus.SHIPPED if order.send_time else OrderStatus.PAID
    status = STATUSES.get(order.status)
    if status is None:
        raise Malformed("schema", f"status {order.status} is unknown")
    return status


def _line(fetch: Fetch, detail: Detail, fees: Fees) -> Line:
    """The six components; whether they add up is judged where every platform's are."""
    order, item = detail.order_base_info, detail.order_item_info
    return Line(
        line_ref=fetch.ref,
        product_ref=ref(item.item_id, field="itemId"),
        sku_ref=ref(item.sku_id, field="skuId"),
        title=item.item_title[:MAX_TITLE],
        quantity=item.num,
        list_fen=_fen(item.original_price * item.num, field="originalPrice"),
        merchant_disc_fen=_fen(fees.merchant_bear_amount, field="merchantBearAmount"),
        platform_disc_fen=_fen(fees.platform_bear_amount, field="platformBearAmount"),
        other_disc_fen=_fen(order.pay_channel_discount + order.government_discount, field="discounts"),
        buyer_paid_fen=_fen(fees.buyer_pay - fees.express_fee, field="buyerPay"),
        freight_fen=_fen(fees.express_fee, field="expressFee"),
    )


def _after_sale_event(fetch: Fetch, after_sale: AfterSale) -> Event:
    _same("refundId", required(after_sale.refund_id, field="refundId"), fetch.ref)
    _same("oid", required(after_sale.oid, field="oid"), fetch.order_ref)
    _same("sellerId", ref(after_sale.seller_id, field="sellerId") or fetch.shop_ref, fetch.shop_ref)
    applied_at = _time(after_sale.submit_time or after_sale.create_time, field="submitTime")
    ended_at = _time(after_sale.end_time, field="endTime")
    updated_at = _time(after_sale.update_time, field="updateTime") or ended_at or applied_at
    if updated_at is None:
        raise Malformed("time", "updateTime is missing")
    status = _refund_status(after_sale)
    succeeded = status is RefundStatus.SUCCEEDED
    amount = _fen(after_sale.refund_fee, field="refundFee")
    snapshot = RefundSnapshot(
        refund_ref=fetch.ref,
        line_ref=fetch.order_ref,
        kind=KINDS.get(after_sale.handling_way, RefundKind.RESEND),
        status=status,
        applied_fen=amount,
        refunded_fen=amount if succeeded else None,
        quantity=after_sale.product_num,
        applied_at=applied_at,
        succeeded_at=(ended_at or updated_at) if succeeded else None,
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


def _refund_status(after_sale: AfterSale) -> RefundStatus:
    """Only a success of a refund is money back; that of an exchange, a resend or a repair is its end."""
    if after_sale.status == SUCCEEDED:
        return RefundStatus.SUCCEEDED if after_sale.handling_way in MONEY_BACK else RefundStatus.CLOSED
    return PROGRESS.get(after_sale.status, RefundStatus.CREATED)


def _time(ms: int, *, field: str) -> int | None:
    """Milliseconds; 0 is 'not yet'."""
    return business_time.plausible(ms, field=field) if ms else None


def _fen(units: int, *, field: str) -> int:
    fen = units * FEN_PER_UNIT
    if not 0 <= fen <= MAX_FEN:
        raise Malformed("identity", f"{field} leaves an impossible amount")
    return fen


def _same(field: str, said: str, asked: str) -> None:
    if said != asked:
        raise Malformed("schema", f"{field} is not what was asked for")
