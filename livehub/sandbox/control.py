"""The control API: what the demo and the tests tell the sandbox to do, and what it knows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from livehub.sandbox.box import Box
from livehub.sandbox.making import Refused
from livehub.sandbox.messages import Message
from livehub.sandbox.orders import Order
from livehub.sandbox.spec import LiveRequest, OrdersRequest, PushRequest, ShopSpec, StepsRequest

T = TypeVar("T")
MAX_PAGE = 10_000
_NOTHING_LEFT = 200
_GOES_ON = 202


def routes(box: Box) -> list[web.RouteDef]:
    """Every control route, and the health check."""
    control = Control(box)
    return [
        web.get("/healthz", control.healthz),
        web.post("/control/shops", control.declare_shop),
        web.post("/control/orders", control.create_orders),
        web.post("/control/steps", control.take_steps),
        web.post("/control/push", control.push),
        web.delete("/control/push", control.stop_push),
        web.post("/control/live", control.go_live),
        web.delete("/control/live", control.stop_live),
        web.get("/control/status", control.status),
        web.get("/control/books", control.books),
        web.get("/control/books/log", control.log),
    ]


class Control:
    """The handlers; each reads its request, does one thing and answers with JSON."""

    def __init__(self, box: Box) -> None:
        self._box = box

    async def healthz(self, _: web.Request) -> web.Response:
        """Say that the server answers."""
        return _json({"ok": True})

    async def declare_shop(self, request: web.Request) -> web.Response:
        """POST /control/shops."""
        shop = await _read(request, ShopSpec)
        self._box.store.declare(shop)
        return _json({"shop_ref": shop.shop_ref, "platform": shop.platform, "products": len(shop.products)})

    async def create_orders(self, request: web.Request) -> web.Response:
        """POST /control/orders."""
        return _made(*self._box.create(await _read(request, OrdersRequest)))

    async def take_steps(self, request: web.Request) -> web.Response:
        """POST /control/steps."""
        return _made(*self._box.take_steps(await _read(request, StepsRequest)))

    async def push(self, request: web.Request) -> web.Response:
        """POST /control/push."""
        asked = await _read(request, PushRequest)
        if asked.batch[0] > asked.batch[1] or not 0 <= asked.delay_ms[0] <= asked.delay_ms[1]:
            raise Refused("batch and delay_ms are [least, most]")
        run = self._box.runs.start(asked)
        await asyncio.wait({run.task}, timeout=asked.wait_seconds)
        done = run.task.done()
        if done and not run.task.cancelled():
            run.task.result()  # our own mistake must not look like a success
        return _json(
            {
                "done": done,
                "messages": len(run.messages),
                "acknowledged": sum(message.acknowledged_at is not None for message in run.messages),
                "lost": sum(message.lost for message in run.messages),
                "attempts": sum(message.attempts for message in run.messages),
                "duplicates": sum(max(0, message.copies - 1) for message in run.messages),
            },
            status=_NOTHING_LEFT if done else _GOES_ON,
        )

    async def stop_push(self, _: web.Request) -> web.Response:
        """DELETE /control/push."""
        await self._box.runs.stop()
        return _json(self._box.status())

    async def go_live(self, request: web.Request) -> web.Response:
        """POST /control/live."""
        producer = await self._box.go_live(await _read(request, LiveRequest))
        return _json(producer.as_json())

    async def stop_live(self, request: web.Request) -> web.Response:
        """DELETE /control/live[?shop=REF]."""
        await self._box.stop_live(request.query.get("shop", ""))
        return _json(self._box.status())

    async def status(self, _: web.Request) -> web.Response:
        """GET /control/status."""
        return _json(self._box.status())

    async def books(self, request: web.Request) -> web.Response:
        """GET /control/books[?orders=1]."""
        return _json(self._box.store.books(with_orders=request.query.get("orders") == "1"))

    async def log(self, request: web.Request) -> web.Response:
        """GET /control/books/log[?after=N&limit=N]."""
        after, limit = _number(request, "after", 0), min(_number(request, "limit", 1000), MAX_PAGE)
        log = self._box.pusher.log
        page = log[after : after + limit]
        reached = after + len(page)
        return _json(
            {
                "total": len(log),
                "next": reached if reached < len(log) else None,
                "messages": [_logged(message) for message in page],
            }
        )


@web.middleware
async def refusals(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Say why a request was refused, in one shape."""
    try:
        return await handler(request)
    except Refused as refused:
        return _json({"error": str(refused)}, status=422)
    except msgspec.DecodeError as error:  # ValidationError is one too
        return _json({"error": str(error)}, status=400)


async def _read(request: web.Request, wanted: type[T]) -> T:
    return msgspec.json.decode(await request.read(), type=wanted)


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if text and not text.isdigit():
        raise Refused(f"{name} is not a number")
    return int(text) if text else default


def _made(orders: list[Order], messages: list[Message]) -> web.Response:
    return _json(
        {
            "messages": len(messages),
            "orders": [
                {
                    "order_ref": order.order_ref,
                    "shop": order.shop_ref,
                    "line_refs": [line.line_ref for line in order.lines],
                    "refund_refs": [refund.refund_ref for refund in order.refunds],
                }
                for order in orders
            ],
        }
    )


def _logged(message: Message) -> dict[str, object]:
    return {
        "message_id": message.message_id,
        "shop": message.shop_ref,
        "order_ref": message.order_ref,
        "kind": message.kind,
        "at_ms": message.at,
        "attempts": message.attempts,
        "copies": message.copies,
        "acknowledged_at_ms": message.acknowledged_at,
        "latency_ms": message.latency_ms,
    }


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
