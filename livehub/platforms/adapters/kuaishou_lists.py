"""Kuaishou's lists of orders and after-sales by their time of update; a page is the platform's own cursor.

An order's list tells no amount that could be compared: what the buyer paid stands in its fees alone. Our
reading of public client libraries, not tried against the live API.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from livehub.platforms import business_time
from livehub.platforms.adapters import kuaishou_calls, kuaishou_replies
from livehub.platforms.adapters.kuaishou_replies import FEN_PER_UNIT, MONEY_BACK, SUCCEEDED
from livehub.platforms.contract import Credential, FetchKind, HttpCall, Listed, ListPage, Reach, Window
from livehub.platforms.decoding import decode
from livehub.platforms.wire import MAX_SHOP_REF, Fen, Id, ref, required

SIZE: Final = 50  # the most that a page of orders may have
DAY: Final = 86_400_000
NO_MORE: Final = "nomore"
BY_UPDATE: Final = 2  # queryType
ASCENDING: Final = 2  # sort
ALL_ORDERS, ALL_REFUNDS = 1, 9  # orderViewStatus, type
LONGEST_CURSOR = 400

Cursor = Annotated[str, Meta(max_length=LONGEST_CURSOR)]
REACHES = {
    FetchKind.ORDER: Reach(span_ms=7 * DAY, back_ms=90 * DAY),
    FetchKind.REFUND: Reach(span_ms=DAY, back_ms=90 * DAY),
}


class Base(Struct, frozen=True, rename="camel"):
    """What a list tells of an order and we read."""

    oid: Id
    update_time: int
    seller_id: Id = ""


class Order(Struct, frozen=True, rename="camel"):
    order_base_info: Base


class Orders(Struct, frozen=True, rename="camel"):
    order_list: tuple[Order, ...] | None = None
    cursor: Cursor = ""


class AfterSale(Struct, frozen=True, rename="camel"):
    refund_id: Id
    oid: Id
    status: int
    handling_way: int
    refund_fee: Fen
    seller_id: Id = ""
    create_time: int = 0
    submit_time: int = 0
    update_time: int = 0
    end_time: int = 0


class AfterSales(Struct, frozen=True, rename="camel"):
    refund_order_info_list: tuple[AfterSale, ...] | None = None
    pcursor: Cursor = ""


_ORDERS = msgspec.json.Decoder(Orders)
_AFTER_SALES = msgspec.json.Decoder(AfterSales)


class KuaishouLists:
    """open.order.cursor.list and open.seller.order.refund.pcursor.list."""

    reaches = REACHES

    def call(self, window: Window, page: str, *, credential: Credential, now_ms: int) -> HttpCall:
        """Oldest update first."""
        asked = {
            "beginTime": window.start,
            "endTime": window.end - 1,
            "pageSize": SIZE,
            "queryType": BY_UPDATE,
            "sort": ASCENDING,
        }
        if window.kind is FetchKind.ORDER:
            method, more = "open.order.cursor.list", {"orderViewStatus": ALL_ORDERS, "cursor": page}
        else:
            method = "open.seller.order.refund.pcursor.list"
            more = {"type": ALL_REFUNDS, "currentPage": 1, "pcursor": page}
        return kuaishou_calls.signed(method, asked | more, credential=credential, now_ms=now_ms)

    def read(self, window: Window, page: str, raw: bytes) -> ListPage:
        """The cursor says whether there is more; one that stands still is the end."""
        data = kuaishou_replies.data_of(raw)
        if window.kind is FetchKind.ORDER:
            orders = decode(_ORDERS, data)
            rows, cursor = tuple(_order(each) for each in orders.order_list or ()), orders.cursor
        else:
            refunds = decode(_AFTER_SALES, data)
            rows = tuple(_after_sale(each) for each in refunds.refund_order_info_list or ())
            cursor = refunds.pcursor
        return ListPage(rows, "" if not rows or cursor in {"", NO_MORE, page} else cursor)


def _order(order: Order) -> Listed:
    base = order.order_base_info
    return Listed(
        ref=required(base.oid, field="oid"),
        order_ref=required(base.oid, field="oid"),
        shop_ref=ref(base.seller_id, field="sellerId", longest=MAX_SHOP_REF),
        updated_at=business_time.plausible(base.update_time, field="updateTime"),
    )


def _after_sale(info: AfterSale) -> Listed:
    moved = info.status == SUCCEEDED and info.handling_way in MONEY_BACK
    updated_at = info.update_time or info.end_time or info.submit_time or info.create_time
    return Listed(
        ref=required(info.refund_id, field="refundId"),
        order_ref=required(info.oid, field="oid"),
        shop_ref=ref(info.seller_id, field="sellerId", longest=MAX_SHOP_REF),
        updated_at=business_time.plausible(updated_at, field="updateTime"),
        amount_fen=info.refund_fee * FEN_PER_UNIT if moved else None,
    )


LISTER = KuaishouLists()
