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


class CallRefused(Exception):
    """An API call that the platform answers with an error of its own."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def routes(box: Box) -> list[web.RouteDef]:
    """The two methods under their base path."""

    async def answer(request: web.Request) -> web.Response:
        path = request.path.removeprefix(BASE)
        try:
            told = _told(box, path, request.query.get("access_token", ""), await request.read())
        except CallRefused as refused:
            box.api_calls["refused"] += 1
            return web.json_response({"errcode": refused.code, "errmsg": refused.detail})
        box.api_calls[path.removeprefix("/channels/ec/")] += 1
        return web.json_response({"errcode": 0, "errmsg": "ok", **told})

    return [web.post(BASE + path, answer) for path in (ORDER, AFTER_SALE)]


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
