"""抖店's API as livehub calls it: who asks is checked first, then the truth is told."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from livehub.kit import clock
from livehub.sandbox import doudian
from livehub.sandbox.box import Box
from livehub.sandbox.doudian import CallRefused
from livehub.sandbox.making import Refused
from livehub.sandbox.spec import ShopSpec

BASE = "/doudian"


def routes(box: Box) -> list[web.RouteDef]:
    """The methods under their base path."""

    async def answer(request: web.Request) -> web.Response:
        try:
            data = await _answer(box, request)
        except CallRefused as refused:
            box.api_calls["refused"] += 1
            return web.json_response(
                {
                    "code": refused.code,
                    "msg": refused.detail,
                    "sub_code": refused.sub_code,
                    "sub_msg": refused.detail,
                }
            )
        box.api_calls[request.query["method"]] += 1
        return web.json_response(
            {"code": 10000, "msg": "success", "sub_code": "", "sub_msg": "", "data": data}
        )

    return [web.post(BASE + path, answer) for path in doudian.METHODS]


async def _answer(box: Box, request: web.Request) -> dict[str, Any]:
    path = request.path.removeprefix(BASE)
    shops = _shops_of_app(box, request.query.get("app_key", ""))
    wanted = doudian.check_call(
        path,
        request.query,
        await request.read(),
        app_secret=shops[0].secret,
        now_ms=clock.to_ms(clock.now()),
    )
    allowed = {shop.shop_ref for shop in shops if shop.access_token == request.query.get("access_token", "")}
    if not allowed:
        raise CallRefused(30001, "isv.access-token-no-existed", "access_token 不存在")
    if path in ("/order/searchList", "/afterSale/List"):
        return _listed(box, path, wanted, shops=allowed)
    try:
        if path == "/order/orderDetail":
            order = box.store.order(str(wanted.get("shop_order_id", "")))
            data = doudian.order_detail(order)
        else:
            order, refund = box.store.refund(str(wanted.get("after_sale_id", "")))
            data = doudian.after_sale_detail(order, refund)
    except Refused as refused:
        raise CallRefused(50002, "isv.business-failed:not-found", str(refused)) from refused
    if order.shop_ref not in allowed:
        raise CallRefused(50002, "isv.business-failed:not-found", "not an order of this shop")
    return data


def _listed(box: Box, path: str, wanted: dict[str, Any], *, shops: set[str]) -> dict[str, Any]:
    """A page of what was updated in a stretch of seconds, both ends included."""
    of_orders = path == "/order/searchList"
    names = (
        ("update_time_start", "update_time_end") if of_orders else ("update_start_time", "update_end_time")
    )
    start, end, page, size = (wanted.get(name, 0) for name in (*names, "page", "size"))
    if not all(isinstance(each, int) for each in (start, end, page, size)) or end < start:
        raise CallRefused(40003, "isv.invalid-parameter", "the times, page and size are integers")
    if not 0 < size <= doudian.MOST_LISTED or page < 0:
        raise CallRefused(40003, "isv.invalid-parameter", f"size is 1 to {doudian.MOST_LISTED}")
    span = {"start": start * 1000, "end": end * 1000 + 999}
    if of_orders:
        return doudian.order_list(box.store.listed(shops, **span), page=page, size=size)
    return doudian.after_sale_list(box.store.listed_refunds(shops, **span), page=page, size=size)


def _shops_of_app(box: Box, app_key: str) -> list[ShopSpec]:
    shops = [
        shop for shop in box.store.shops.values() if shop.platform == "doudian" and shop.app_key == app_key
    ]
    if not shops:
        raise CallRefused(30004, "isv.app-not-exist", "unknown app_key")
    return shops
