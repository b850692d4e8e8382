"""微信小店's API replies, read as whole orders and whole after-sales.

Our reading of public client libraries and of the component table, not tried against the live API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

BUSY, TOO_OFTEN = -1, frozenset({45009, 45011})
TOKEN_ENDED = frozenset({40001, 40014, 42001})  # somebody may enter the new one meanwhile
DRAW: Final = 3  # payment_method of a zero-price draw

CANCELLED = frozenset({200, 250})
STATUSES = {
    10: OrderStatus.CREATED,
    12: OrderStatus.PAID,  # a present that waits to be taken
    13: OrderStatus.PAID,  # waits for others to buy it too
    20: OrderStatus.PAID,
    21: OrderStatus.PARTIALLY_SHIPPED,
    30: OrderStatus.SHIPPED,
    100: OrderStatus.FINISHED,
    200: OrderStatus.CANCELLED,
    250: OrderStatus.CANCELLED,
}
# Only the two successes moved money; what is not here is on its way.
AFTER_SALES = {
    "MERCHANT_PROCESSING": RefundStatus.CREATED,
    "USER_WAIT_CONFIRM": RefundStatus.CREATED,
    "USER_WAIT_RETURN": RefundStatus.AGREED,
    "MERCHANT_OVERDUE_REFUND": RefundStatus.AGREED,
    "PLATFORM_REFUNDING": RefundStatus.AGREED,
    "MERCHANT_WAIT_RECEIPT": RefundStatus.RETURNING,
    "MERCHANT_REJECT_REFUND": RefundStatus.REFUSED,
    "MERCHANT_REJECT_RETURN": RefundStatus.REFUSED,
    "USER_CANCELD": RefundStatus.CLOSED,
    "RETURN_CLOSED": RefundStatus.CLOSED,
    "MERCHANT_EXCHANGE_SUCCESS": RefundStatus.CLOSED,
    "MERCHANT_REFUND_SUCCESS": RefundStatus.SUCCEEDED,
    "MERCHANT_RETURN_SUCCESS": RefundStatus.SUCCEEDED,
    "PLATFORM_REFUND_FAIL": RefundStatus.FAILED,
    "MERCHANT_REFUND_RETRY_FAIL": RefundStatus.FAILED,
    "MERCHANT_FAIL": RefundStatus.FAILED,
}
REFUND_TYPES: Mapping[RefundStatus | None, EventType] = {
    RefundStatus.CREATED: EventType.REFUND_CREATED,
    RefundStatus.AGREED: EventType.REFUND_AGREED,
    RefundStatus.REFUSED: EventType.REFUND_REFUSED,
    RefundStatus.CLOSED: EventType.REFUND_CLOSED,
    RefundStatus.SUCCEEDED: EventType.REFUND_SUCCEEDED,
}
KINDS = {
    "REFUND": RefundKind.REFUND_ONLY,
    "RETURN": RefundKind.RETURN_REFUND,
    "EXCHANGE": RefundKind.EXCHANGE,
}


class Envelope(Struct, frozen=True):
    """Every reply of the API."""

    errcode: int = 0
    errmsg: str = ""
    order: Raw = Raw(b"{}")
    after_sale_order: Raw = Raw(b"{}")


class Discounts(Struct, frozen=True, kw_only=True):
    """Who gave what, in fen: of a product where it is told so, of the whole order besides."""

    merchant_discounted_price: Fen | None = None
    finder_discounted_price: Fen | None = None
    cash_coupon_discounted_price: Fen | None = None
    national_subsidy_discounted_price: Fen | None = None


class Product(Discounts, frozen=True, kw_only=True):
    """One SKU of an order."""

    sku_id: Id
    sku_cnt: Annotated[int, Meta(ge=0, le=1_000_000)]
    sale_price: Fen
    product_id: Id = ""
    title: str = ""


class PriceInfo(Discounts, frozen=True, kw_only=True):
    """The amounts of the whole order."""

    order_price: Fen
    freight: Fen = 0
    discounted_price: Fen = 0  # the merchant's too, by its older name


class PayInfo(Struct, frozen=True):
    pay_time: int = 0
    payment_method: int = 0


class DeliveryInfo(Struct, frozen=True):
    """Of the delivery its end alone: names, numbers and addresses are never taken in."""

    ship_done_time: int = 0


class ExtInfo(Struct, frozen=True):
    finder_id: Id = ""
    live_id: Id = ""
    confirm_receipt_time: int = 0


class Source(Struct, frozen=True):
    """Through whom one SKU was sold."""

    sku_id: Id = ""
    account_id: Id = ""
    account_nickname: str = ""


class Detail(Struct, frozen=True):
    product_infos: Annotated[tuple[Product, ...], Meta(min_length=1, max_length=500)]
    price_info: PriceInfo
    pay_info: PayInfo | None = None
    delivery_info: DeliveryInfo | None = None
    ext_info: ExtInfo | None = None
    source_infos: Annotated[tuple[Source, ...], Meta(max_length=500)] | None = None


class Order(Struct, frozen=True):
    order_id: Id
    status: int
    update_time: int
    order_detail: Detail
    create_time: int = 0
    openid: Annotated[str, Meta(max_length=255)] = ""


class AfterSaleProduct(Struct, frozen=True):
    sku_id: Id = ""
    count: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class RefundInfo(Struct, frozen=True):
    amount: Fen | None = None


class AfterSale(Struct, frozen=True):
    after_sale_order_id: Id
    order_id: Id
    status: str
    update_time: int
    type: str = ""
    product_info: AfterSaleProduct | None = None
    refund_info: RefundInfo | None = None
    create_time: int = 0
    complete_time: int = 0


_ENVELOPE = msgspec.json.Decoder(Envelope)
_ORDER = msgspec.json.Decoder(Order)
_AFTER_SALE = msgspec.json.Decoder(AfterSale)


def read(fetch: Fetch, raw: bytes) -> Event:
    """The complete event of a reply; Malformed, or ReplyRefused with whether to ask again."""
    envelope = succeeded(raw)
    if fetch.kind is FetchKind.ORDER:
        return _order_event(fetch, decode(_ORDER, envelope.order))
    return _after_sale_event(fetch, decode(_AFTER_SALE, envelope.after_sale_order))


def succeeded(raw: bytes) -> Envelope:
    """A reply of success; Malformed, or ReplyRefused with whether to ask again."""
    scan.refuse_unsafe(raw)
    envelope = decode(_ENVELOPE, raw)
    if envelope.errcode:
        raise _refusal(envelope)
    return envelope


def _refusal(envelope: Envelope) -> ReplyRefused:
    code = envelope.errcode
    retry = code == BUSY or code in TOO_OFTEN or code in TOKEN_ENDED
    return ReplyRefused(str(code), envelope.errmsg[:200], retry=retry)


def _order_event(fetch: Fetch, order: Order) -> Event:
    _same("order_id", required(order.order_id, field="order_id"), fetch.ref)
    updated_at = _updated(order.update_time)
    pay = order.order_detail.pay_info or PayInfo()
    ext = order.order_detail.ext_info or ExtInfo()
    snapshot = OrderSnapshot(
        status=_status(order),
        lines=_lines(order.order_detail),
        created_at=business_time.from_seconds(order.create_time, field="create_time"),
        paid_at=business_time.from_seconds(pay.pay_time, field="pay_time"),
        finished_at=business_time.from_seconds(ext.confirm_receipt_time, field="confirm_receipt_time"),
        updated_at=updated_at,
        buyer_id=order.openid,
        excluded=pay.payment_method == DRAW,
    )
    return thin.order_as_fetched(fetch, snapshot)


def _status(order: Order) -> OrderStatus:
    """An order cancelled after payment stays a sale: its after-sales take the money back."""
    detail = order.order_detail
    if order.status in CANCELLED and detail.pay_info is not None and detail.pay_info.pay_time:
        if detail.ext_info is not None and detail.ext_info.confirm_receipt_time:
            return OrderStatus.FINISHED
        shipped = detail.delivery_info is not None and detail.delivery_info.ship_done_time
        return OrderStatus.SHIPPED if shipped else OrderStatus.PAID
    status = STATUSES.get(order.status)
    if status is None:
        raise Malformed("schema", f"status {order.status} is unknown")
    return status


def _lines(detail: Detail) -> tuple[Line, ...]:
    """The six components of each SKU; what only the order states is split by list price, to the fen."""
    products, price = detail.product_infos, detail.price_info
    listed = [product.sale_price * product.sku_cnt for product in products]

    def column(name: str, *, otherwise: int = 0) -> list[int]:
        whole = getattr(price, name)
        own = [getattr(product, name) for product in products]
        return shares.per_line(own, whole=otherwise if whole is None else whole, weights=listed)

    merchant = column("merchant_discounted_price", otherwise=price.discounted_price)
    coupon, subsidy = column("cash_coupon_discounted_price"), column("national_subsidy_discounted_price")
    platform = [sum(pair) for pair in zip(coupon, subsidy, strict=True)]
    finder = column("finder_discounted_price")
    freight = shares.per_line([None] * len(products), whole=price.freight, weights=listed)
    bought = [listed[at] - merchant[at] - platform[at] - finder[at] for at in range(len(products))]
    if sum(bought) != price.order_price - price.freight:
        raise Malformed("identity", "order_price does not follow from the prices and the discounts")
    sellers = _sellers(detail)
    ext = detail.ext_info or ExtInfo()
    finder_of_order = Source(account_id=ext.finder_id)
    lines = []
    for at, product in enumerate(products):
        seller = sellers.get(str(product.sku_id), finder_of_order)
        line = Line(
            line_ref=required(product.sku_id, field="sku_id"),
            product_ref=ref(product.product_id, field="product_id"),
            sku_ref=ref(product.sku_id, field="sku_id"),
            title=product.title[:MAX_TITLE],
            quantity=product.sku_cnt,
            list_fen=_amount(listed[at], field="sale_price"),
            merchant_disc_fen=merchant[at],
            platform_disc_fen=platform[at],
            other_disc_fen=finder[at],
            buyer_paid_fen=_amount(bought[at], field="order_price"),
            freight_fen=freight[at],
            author_ref=ref(seller.account_id, field="account_id"),
            author_name=seller.account_nickname[:MAX_TITLE],
            room_ref=ref(ext.live_id, field="live_id"),
        )
        lines.append(line)
    return _one_for_each_sku(lines)


def _sellers(detail: Detail) -> dict[str, Source]:
    """Through whom each SKU was sold, the first of several."""
    found: dict[str, Source] = {}
    for source in detail.source_infos or ():
        if ref(source.account_id, field="account_id"):
            found.setdefault(str(source.sku_id), source)
    return found


def _one_for_each_sku(lines: Sequence[Line]) -> tuple[Line, ...]:
    """After-sales name no line but a SKU, so that a SKU told twice (bought, and given free) is one line."""
    merged: dict[str, Line] = {}
    for line in lines:
        before = merged.get(line.line_ref)
        merged[line.line_ref] = line if before is None else _sum(before, line)
    return tuple(merged.values())


def _sum(one: Line, other: Line) -> Line:
    sums = {name: getattr(one, name) + getattr(other, name) for name in _ADDED}
    return msgspec.structs.replace(one, **sums)


_ADDED = ("quantity", *(name for name in Line.__struct_fields__ if name.endswith("_fen")))


def _after_sale_event(fetch: Fetch, info: AfterSale) -> Event:
    _same("after_sale_order_id", required(info.after_sale_order_id, field="after_sale_order_id"), fetch.ref)
    order_ref = required(info.order_id, field="order_id")
    _same("order_id", order_ref, fetch.order_ref or order_ref)  # a list tells no order of an after-sale
    updated_at = _updated(info.update_time)
    status = AFTER_SALES.get(info.status, RefundStatus.AGREED)
    succeeded = status is RefundStatus.SUCCEEDED
    amount = info.refund_info.amount if info.refund_info is not None else None
    if succeeded and amount is None:
        raise Malformed("schema", "refund_info.amount is missing although the money went back")
    product = info.product_info or AfterSaleProduct()
    snapshot = RefundSnapshot(
        refund_ref=fetch.ref,
        line_ref=ref(product.sku_id, field="sku_id"),
        kind=_kind(info.type, moved=succeeded and bool(amount)),
        status=status,
        applied_fen=amount,
        refunded_fen=amount if succeeded else None,
        quantity=product.count,
        applied_at=business_time.from_seconds(info.create_time, field="create_time"),
        succeeded_at=_succeeded_at(info) if succeeded else None,
        updated_at=updated_at,
    )
    return Event(
        type=REFUND_TYPES.get(status, EventType.REFUND_UPDATED),
        shop_ref=fetch.shop_ref,
        order_ref=order_ref,
        refund_ref=fetch.ref,
        status_at=updated_at,
        refunds=(snapshot,),
        covers_until=updated_at,
    )


def _kind(after_sale_type: str, *, moved: bool) -> RefundKind:
    """What we do not know moves no money; where money moved all the same, it is a refund."""
    kind = KINDS.get(after_sale_type, RefundKind.RESEND)
    if moved and kind in (RefundKind.EXCHANGE, RefundKind.RESEND):
        return RefundKind.REFUND_ONLY
    return kind


def _succeeded_at(info: AfterSale) -> int | None:
    return business_time.from_seconds(info.complete_time or info.update_time, field="complete_time")


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
