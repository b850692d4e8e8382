"""快手's API as livehub calls it: who asks is checked first, then the truth is told."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from livehub.kit import clock
from livehub.sandbox import kuaishou
from livehub.sandbox.box import Box
from livehub.sandbox.doudian import CallRefused
from livehub.sandbox.making import Refused

BASE = "/kuaishou"


def routes(box: Box) -> list[web.RouteDef]:
    """The methods under their base path."""

    async def answer(request: web.Request) -> web.Response:
        try:
            data = _answer(box, request)
        except CallRefused as refused:
            box.api_calls["refused"] += 1
            return web.json_response({"result": refused.code, "error_msg": refused.detail})
        box.api_calls[request.query["method"]] += 1
        return web.json_response({"result": 1, "data": data})

    return [web.get(BASE + path, answer) for path in kuaishou.METHODS]


def _answer(box: Box, request: web.Request) -> dict[str, Any]:
    query = request.query
    path = request.path.removeprefix(BASE)
    shops = [
        shop
        for shop in box.store.shops.values()
        if shop.platform == "kuaishou" and shop.app_key == query.get("appkey", "")
    ]
    if not shops:
        raise CallRefused(24, "appkey", "unknown appkey")
    now_ms = clock.to_ms(clock.now())
    wanted = kuaishou.check_call(path, query, secret=shops[0].secret, now_ms=now_ms)
    allowed = {shop.shop_ref for shop in shops if shop.access_token == query.get("access_token", "")}
    if not allowed:
        raise CallRefused(28, "access_token", "access_token 不存在")
    if kuaishou.METHODS[path] in kuaishou.MOST_LISTED:
        return _listed(box, kuaishou.METHODS[path], wanted, shops=allowed)
    try:
        if "refundId" in wanted:
            order, refund = box.store.refund(str(wanted["refundId"]))
            data = kuaishou.refund_detail(order, refund)
        else:
            order = box.store.order(str(wanted.get("oid", "")))
            tell = kuaishou.fee_detail if "fee" in path else kuaishou.order_detail
            data = tell(order) if order.shop_ref in allowed else {}
    except Refused as refused:
        raise CallRefused(300011, "not-found", str(refused)) from refused
    if order.shop_ref not in allowed:
        raise CallRefused(300012, "not-found", "not an order of this shop")
    return data


def _listed(box: Box, method: str, wanted: dict[str, Any], *, shops: set[str]) -> dict[str, Any]:
    """A page of what was updated in a stretch of time; its length and the page's are limited."""
    of_orders = method == "open.order.cursor.list"
    numbers: list[Any] = [wanted.get(name) for name in ("beginTime", "endTime", "pageSize", "queryType")]
    start, end, size, by_update = numbers
    if not all(isinstance(each, int) for each in numbers) or by_update != 2:
        raise CallRefused(2001, "param", "beginTime, endTime and pageSize are integers, queryType is 2")
    if not 0 < size <= kuaishou.MOST_LISTED[method]:
        raise CallRefused(2001, "param", f"pageSize is 1 to {kuaishou.MOST_LISTED[method]}")
    if not 0 <= end - start <= kuaishou.LONGEST_DAYS[method] * 86_400_000:
        raise CallRefused(2001, "param", "endTime无效")
    span = {"start": start, "end": end}
    cursor = str(wanted.get("cursor" if of_orders else "pcursor", ""))
    if of_orders:
        return kuaishou.order_list(box.store.listed(shops, **span), size=size, cursor=cursor)
    return kuaishou.refund_list(box.store.listed_refunds(shops, **span), size=size, cursor=cursor)
