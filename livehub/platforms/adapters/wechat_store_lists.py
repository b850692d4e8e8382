"""微信小店's lists of orders and after-sales by their time of update: ids alone, a page is its ``next_key``.

Our reading of the platform's public pages and of public client libraries, not tried against the live API.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from livehub.platforms.adapters import wechat_store_replies
from livehub.platforms.contract import Credential, FetchKind, HttpCall, Listed, ListPage, Reach, Window
from livehub.platforms.decoding import decode
from livehub.platforms.wire import Id, required

SIZE: Final = 100
SECOND: Final = 1000
DAY: Final = 86_400_000
PATHS = {
    FetchKind.ORDER: "/channels/ec/order/list/get",
    FetchKind.REFUND: "/channels/ec/aftersale/getaftersalelist",
}

Ids = Annotated[tuple[Id, ...], Meta(max_length=500)]
REACHES = {
    FetchKind.ORDER: Reach(span_ms=7 * DAY, back_ms=90 * DAY),
    FetchKind.REFUND: Reach(span_ms=DAY, back_ms=90 * DAY),
}


class Page(Struct, frozen=True):
    """Either list."""

    order_id_list: Ids | None = None
    after_sale_order_id_list: Ids | None = None
    next_key: Annotated[str, Meta(max_length=400)] = ""
    has_more: bool = False


_PAGE = msgspec.json.Decoder(Page)


class WechatStoreLists:
    """/channels/ec/order/list/get and /channels/ec/aftersale/getaftersalelist."""

    reaches = REACHES

    def call(self, window: Window, page: str, *, credential: Credential, now_ms: int) -> HttpCall:
        """The token is all that is checked; both ends of the time are included."""
        del now_ms
        start, end = window.start // SECOND, -(-window.end // SECOND) - 1
        asked: dict[str, object]
        if window.kind is FetchKind.ORDER:
            asked = {"update_time_range": {"start_time": start, "end_time": end}, "page_size": SIZE}
        else:
            asked = {"begin_update_time": start, "end_update_time": end}
        body = msgspec.json.encode(asked | ({"next_key": page} if page else {}))
        query = {"access_token": credential.access_token}
        return HttpCall("POST", PATHS[window.kind], query, {"content-type": "application/json"}, body)

    def read(self, window: Window, page: str, raw: bytes) -> ListPage:
        """A key that stands still is the end."""
        wechat_store_replies.succeeded(raw)
        listed = decode(_PAGE, raw)
        if window.kind is FetchKind.ORDER:
            names = [required(each, field="order_id_list") for each in listed.order_id_list or ()]
            rows = tuple(Listed(ref=name, order_ref=name) for name in names)
        else:
            ids = listed.after_sale_order_id_list or ()
            rows = tuple(Listed(ref=required(each, field="after_sale_order_id_list")) for each in ids)
        more = listed.has_more and listed.next_key != page
        return ListPage(rows, listed.next_key if more else "")


LISTER = WechatStoreLists()
