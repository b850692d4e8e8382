"""Shops, orders and receivers for the sandbox's tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from livehub.sandbox import Box, Pace

QUICK = Pace(first_delay=0.01, longest_delay=0.05, timeout=0.5)
MORNING = 1_767_578_400_000  # 2026-01-05 10:00 in Shanghai
MINUTE, DAY = 60_000, 86_400_000

SARDINE = {"product_ref": "3600000000000000001", "title": "沙虫干", "price_fen": 10_000, "sku_ref": "17001"}
EGGS = {"product_ref": "3600000000000000002", "title": "海鸭蛋", "price_fen": 3_980}


def doudian_shop(**changes: Any) -> dict[str, Any]:
    return {
        "platform": "doudian",
        "shop_ref": "900001",
        "hook_url": "http://127.0.0.1:9/hooks/doudian/key",
        "app_key": "7000000000000000001",
        "secret": "11111111-2222-3333-4444-555555555555",
        "access_token": "token-1",
        "products": [SARDINE, EGGS],
        "room_ref": "7500000000000000001",
        "author_ref": "1001",
        "author_name": "阿珍",
    } | changes


def kuaishou_shop(**changes: Any) -> dict[str, Any]:
    return {
        "platform": "kuaishou",
        "shop_ref": "2100000001",
        "hook_url": "http://127.0.0.1:9/hooks/kuaishou/key",
        "app_key": "ks700000000000000001",
        "secret": "signsecret01:MDEyMzQ1Njc4OWFiY2RlZg==",
        "access_token": "tok",
        "products": [SARDINE, EGGS],
    } | changes


def erp_shop(**changes: Any) -> dict[str, Any]:
    return {
        "platform": "standard_webhooks",
        "shop_ref": "erp-1",
        "hook_url": "http://127.0.0.1:9/hooks/standard_webhooks/key",
        "secret": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
        "products": [SARDINE, EGGS],
    } | changes


def a_line(**changes: Any) -> dict[str, Any]:
    return {"product_ref": SARDINE["product_ref"]} | changes


def an_order(**changes: Any) -> dict[str, Any]:
    return {
        "shop": "900001",
        "lines": [a_line()],
        "created_at_ms": MORNING,
        "paid_at_ms": MORNING + MINUTE,
    } | changes


class Receiver:
    """Answers pushes by a script of answers, then with success; keeps what it was sent."""

    def __init__(self, *, success: Callable[[], web.Response]) -> None:
        self.url = ""
        self.script: list[web.Response | float] = []  # a number: fall asleep for so many seconds
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.times: list[float] = []
        self._success = success

    async def handle(self, request: web.Request) -> web.Response:
        self.times.append(asyncio.get_running_loop().time())
        self.received.append(({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        answer = self.script.pop(0) if self.script else self._success()
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return self._success()
        return answer


@asynccontextmanager
async def receiving(success: Callable[[], web.Response]) -> AsyncIterator[Receiver]:
    receiver = Receiver(success=success)
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def doudian_success() -> web.Response:
    return web.json_response({"code": 0, "msg": "success"})


def kuaishou_success() -> web.Response:
    return web.json_response({"result": 1})


def erp_success() -> web.Response:
    return web.Response(status=204)


async def call(client: Any, box: Box, method: str, path: str, body: Any = None, *, expect: int = 200) -> Any:
    async with client.request(method, box.base_url + path, json=body) as answer:
        found = await answer.json()
        assert answer.status == expect, found
        return found
