"""Doudian's lists of orders and after-sales by their time of update.

Pages are numbers there, and what is updated while a window is read leaves it and moves the rest forward: by
number alone rows would be passed over. So the next page begins at the newest update seen, as its first page
again; what shares that second is told twice, which is harmless.

Our reading of public client libraries, not tried against the live API.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from livehub.platforms import business_time
from livehub.platforms.adapters import doudian_calls, doudian_replies
from livehub.platforms.adapters.doudian_replies import MONEY
from livehub.platforms.contract import (
    Credential,
    FetchKind,
    HttpCall,
    Listed,
    ListPage,
    Malformed,
    Reach,
    RefundStatus,
    Window,
)
from livehub.platforms.decoding import decode
from livehub.platforms.wire import MAX_FEN, MAX_SHOP_REF, Fen, Id, ref, required

SIZE: Final = 100  # the most that a page may have
SECOND: Final = 1000
DAY: Final = 86_400_000
REACHES = {
    FetchKind.ORDER: Reach(span_ms=DAY, back_ms=90 * DAY),
    FetchKind.REFUND: Reach(span_ms=DAY, back_ms=90 * DAY),
}


class Order(Struct, frozen=True):
    """What a list tells of an order and we read; the rest is asked for by itself."""

    order_id: Id
    update_time: int
    shop_id: Id = ""
    pay_amount: int | None = None
    post_amount: int = 0
    promotion_pay_amount: int = 0


class Orders(Struct, frozen=True):
    shop_order_list: Annotated[tuple[Order, ...], Meta(max_length=SIZE)] = ()


class AfterSale(Struct, frozen=True):
    aftersale_id: Id
    update_time: int
    refund_status: int = 0
    real_refund_amount: Fen | None = None
    refund_post_amount: Fen = 0


class Sold(Struct, frozen=True):
    shop_order_id: Id


class Item(Struct, frozen=True):
    aftersale_info: AfterSale
    order_info: Sold


class AfterSales(Struct, frozen=True):
    items: Annotated[tuple[Item, ...], Meta(max_length=SIZE)] = ()


_ORDERS = msgspec.json.Decoder(Orders)
_AFTER_SALES = msgspec.json.Decoder(AfterSales)


class DoudianLists:
    """order.searchList and afterSale.List; a page is ``<second it begins at>|<its number there>``."""

    reaches = REACHES

    def call(self, window: Window, page: str, *, credential: Credential, now_ms: int) -> HttpCall:
        """Oldest update first."""
        begin, number = _page(window, page)
        last = -(-window.end // SECOND) - 1
        if window.kind is FetchKind.ORDER:
            return doudian_calls.signed(
                "order.searchList",
                {
                    "update_time_start": begin,
                    "update_time_end": last,
                    "order_by": "update_time",
                    "order_asc": True,
                    "page": number,
                    "size": SIZE,
                },
                credential=credential,
                now_ms=now_ms,
            )
        return doudian_calls.signed(
            "afterSale.List",
            {
                "update_start_time": begin,
                "update_end_time": last,
                "order_by": ["update_time asc"],
                "page": number,
                "size": SIZE,
            },
            credential=credential,
            now_ms=now_ms,
        )

    def read(self, window: Window, page: str, raw: bytes) -> ListPage:
        """A page that is not full is the last."""
        data = doudian_replies.data_of(raw)
        if window.kind is FetchKind.ORDER:
            rows = tuple(_order(each) for each in decode(_ORDERS, data).shop_order_list)
        else:
            rows = tuple(_after_sale(each) for each in decode(_AFTER_SALES, data).items)
        return ListPage(rows, _following(window, page, rows) if len(rows) == SIZE else "")


def _page(window: Window, page: str) -> tuple[int, int]:
    begin, _, number = page.partition("|")
    return (int(begin), int(number)) if page else (window.start // SECOND, 0)


def _following(window: Window, page: str, rows: tuple[Listed, ...]) -> str:
    """From the newest update on where the rows are in order, else the next number."""
    begin, number = _page(window, page)
    times = [row.updated_at or 0 for row in rows]
    newest = times[-1] // SECOND
    if times == sorted(times) and newest > begin:
        return f"{newest}|0"
    return f"{begin}|{number + 1}"


def _order(order: Order) -> Listed:
    paid = None
    if order.pay_amount is not None:
        paid = _amount(order.pay_amount - order.promotion_pay_amount - order.post_amount)
    return Listed(
        ref=required(order.order_id, field="order_id"),
        order_ref=required(order.order_id, field="order_id"),
        shop_ref=ref(order.shop_id, field="shop_id", longest=MAX_SHOP_REF),
        updated_at=_updated(order.update_time),
        amount_fen=paid,
    )


def _after_sale(item: Item) -> Listed:
    info = item.aftersale_info
    refunded = None
    if MONEY.get(info.refund_status) is RefundStatus.SUCCEEDED and info.real_refund_amount is not None:
        refunded = _amount(info.real_refund_amount - info.refund_post_amount)
    return Listed(
        ref=required(info.aftersale_id, field="aftersale_id"),
        order_ref=required(item.order_info.shop_order_id, field="shop_order_id"),
        updated_at=_updated(info.update_time),
        amount_fen=refunded,
    )


def _updated(seconds: int) -> int:
    at = business_time.from_seconds(seconds, field="update_time")
    if at is None:
        raise Malformed("time", "update_time is missing")
    return at


def _amount(fen: int) -> int | None:
    """None where a list's amount makes no sense: it is only compared, never booked."""
    return fen if 0 <= fen <= MAX_FEN else None


LISTER = DoudianLists()
