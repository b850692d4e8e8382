"""微信小店's API as livehub calls it: whoever has the token is told the truth."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from livehub.sandbox import wechat_store
from livehub.sandbox.box import Box
from livehub.sandbox.making import Refused

BASE = "/wechat_store"
ORDER, AFTER_SALE = "/channels/ec/order/get", "/channels/ec/aftersale/getaftersaleorder"
ORDERS, AFTER_SALES = "/channels/ec/order/list/get", "/channels/ec/aftersale/getaftersalelist"
LONGEST_DAYS = {ORDERS: 7, AFTER_SALES: 1}
MOST_LISTED = 100


class CallRefused(Exception):
    """An API call that the platform answers with an error of its own."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def routes(box: Box) -> list[web.RouteDef]:
    """The methods under their base path."""

    async def answer(request: web.Request) -> web.Response:
        path = request.path.removeprefix(BASE)
        try:
            told = _told(box, path, request.query.get("access_token", ""), await request.read())
        except CallRefused as refused:
            box.api_calls["refused"] += 1
            return web.json_response({"errcode": refused.code, "errmsg": refused.detail})
        box.api_calls[path.removeprefix("/channels/ec/")] += 1
        return web.json_response({"errcode": 0, "errmsg": "ok", **told})

    return [web.post(BASE + path, answer) for path in (ORDER, AFTER_SALE, ORDERS, AFTER_SALES)]


def _told(box: Box, path: str, token: str, raw: bytes) -> dict[str, Any]:
    shops = {
        shop.shop_ref
        for shop in box.store.shops.values()
        if shop.platform == "wechat_store" and shop.access_token == token
    }
    if not shops:
        raise CallRefused(40001, "invalid credential, access_token is invalid or not latest")
    try:
        wanted = json.loads(raw)
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict):
        raise CallRefused(47001, "data format error")
    if path in (ORDERS, AFTER_SALES):
        return _listed(box, path, wanted, shops=shops)
    try:
        if path == ORDER:
            order = box.store.order(str(wanted.get("order_id", "")))
            told = {"order": wechat_store.order_get(order)}
        else:
            order, refund = box.store.refund(str(wanted.get("after_sale_order_id", "")))
            told = {"after_sale_order": wechat_store.after_sale_get(order, refund)}
    except Refused as refused:
        raise CallRefused(100001, str(refused)) from refused
    if order.shop_ref not in shops:
        raise CallRefused(100001, "not an order of this shop")
    return told


def _listed(box: Box, path: str, wanted: dict[str, Any], *, shops: set[str]) -> dict[str, Any]:
    """A page of the ids of what was updated in a stretch of seconds, both ends included."""
    start: Any
    end: Any
    if path == ORDERS:
        span = wanted.get("update_time_range") or {}
        start, end = span.get("start_time"), span.get("end_time")
    else:
        start, end = wanted.get("begin_update_time"), wanted.get("end_update_time")
    size = wanted.get("page_size", MOST_LISTED)
    if not all(isinstance(each, int) for each in (start, end, size)) or not 0 < size <= MOST_LISTED:
        raise CallRefused(47001, "data format error")
    if not 0 <= end - start <= LONGEST_DAYS[path] * 86_400:
        raise CallRefused(10020211, "the time range is too long")
    times = {"start": start * 1000, "end": end * 1000 + 999}
    if path == ORDERS:
        rows = [(order.updated_at, order.order_ref) for order in box.store.listed(shops, **times)]
    else:
        rows = [
            (refund.updated_at, refund.refund_ref) for _, refund in box.store.listed_refunds(shops, **times)
        ]
    at, _, ref = str(wanted.get("next_key", "")).partition("_")
    rest = [row for row in rows if row > (int(at) if at.isdigit() else 0, ref)]
    shown = rest[:size]
    more = {"has_more": len(rest) > size, "next_key": f"{shown[-1][0]}_{shown[-1][1]}" if shown else ""}
    name = "order_id_list" if path == ORDERS else "after_sale_order_id_list"
    return {name: [ref for _, ref in shown], **more}
