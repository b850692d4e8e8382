"""Pushes against a receiver that fails first: nothing is given up, and all of it is counted."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise

from aiohttp import web
from standardwebhooks.webhooks import Webhook

from livehub.sandbox import signatures
from tests.sandbox.shapes import (
    MINUTE,
    MORNING,
    an_order,
    call,
    doudian_shop,
    doudian_success,
    erp_shop,
    erp_success,
    receiving,
)

REFUND = {
    "line": 0,
    "cash_fen": 500,
    "applied_at_ms": MORNING + MINUTE,
    "succeeded_at_ms": MORNING + 2 * MINUTE,
}


async def orders_waiting(client, box, shop, count, **order):
    await call(client, box, "POST", "/control/shops", shop)
    orders = [an_order(shop=shop["shop_ref"], **order) for _ in range(count)]
    return await call(client, box, "POST", "/control/orders", {"orders": orders})


async def idle(client, box):
    for _ in range(400):
        status = await call(client, box, "GET", "/control/status")
        if status["idle"]:
            return status
        await asyncio.sleep(0.02)
    raise AssertionError(status)


async def test_failures_of_every_kind_are_repeated_until_acknowledged(box, client):
    async with receiving(doudian_success) as receiver:
        await orders_waiting(client, box, doudian_shop(hook_url=receiver.url), 1)
        receiver.script = [
            web.Response(status=500),
            web.Response(status=429, headers={"Retry-After": "0.3"}),
            web.Response(status=401, text="who are you"),
            web.json_response({"code": 40044, "msg": "later"}),
            2.0,
        ]

        report = await call(client, box, "POST", "/control/push", {})
        status = await call(client, box, "GET", "/control/status")

        assert report == {
            "done": True,
            "messages": 2,
            "acknowledged": 2,
            "lost": 0,
            "attempts": 12,
            "duplicates": 0,
        }
        assert status["answers"] == {"500": 1, "429": 1, "401": 1, "200": 2, "timeout": 1}
        assert status["idle"]
        assert len({body for _, body in receiver.received}) == 1
        waits = [later - earlier for earlier, later in pairwise(receiver.times)]
        assert waits[1] >= 0.3 > waits[0]


async def test_an_unreachable_receiver_is_waited_for_and_the_push_can_be_stopped(box, client):
    async with receiving(doudian_success) as receiver:
        await orders_waiting(client, box, doudian_shop(), 1)

        early = await call(client, box, "POST", "/control/push", {"wait_seconds": 0.1}, expect=202)
        stopped = await call(client, box, "DELETE", "/control/push")
        await call(client, box, "POST", "/control/shops", doudian_shop(hook_url=receiver.url))
        late = await call(client, box, "POST", "/control/push", {})

        assert (early["done"], early["acknowledged"]) == (False, 0)
        assert (stopped["waiting"], stopped["under_way"], stopped["answers"]["unreachable"] > 0) == (
            2,
            0,
            True,
        )
        assert (late["done"], late["acknowledged"]) == (True, 2)


async def test_doudian_deliveries_are_signed_arrays_of_thin_messages(box, client):
    async with receiving(doudian_success) as receiver:
        shop = doudian_shop(hook_url=receiver.url)
        await orders_waiting(client, box, shop, 20, shipped_at_ms=MORNING + MINUTE, refunds=[REFUND])

        await call(client, box, "POST", "/control/push", {"batch": [2, 4], "seed": 5})

        sizes = set()
        tags = []
        for headers, body in receiver.received:
            sign = signatures.doudian_event(body, app_key=shop["app_key"], app_secret=shop["secret"])
            assert (headers["app-id"], headers["event-sign"]) == (shop["app_key"], sign)
            sizes.add(len(json.loads(body)))
            tags += [element["tag"] for element in json.loads(body)]
        assert sizes == {2, 3, 4}
        assert {tag: tags.count(tag) for tag in tags} == dict.fromkeys(
            ("100", "101", "102", "200", "206"), 20
        )
        pushed = [json.loads(x["data"]) for _, body in receiver.received for x in json.loads(body)]
        assert {x["refund_amount"] for x in pushed if "refund_amount" in x} == {
            650
        }  # asked for, not the 500 it was


async def test_erp_deliveries_are_whole_orders_as_they_stood(box, client):
    async with receiving(erp_success) as receiver:
        shop = erp_shop(hook_url=receiver.url)
        await orders_waiting(client, box, shop, 1, refunds=[REFUND], voucher_code="V-9", order_ref="E-1")

        await call(client, box, "POST", "/control/push", {"concurrency": 1})

        bodies = [Webhook(shop["secret"]).verify(body, headers) for headers, body in receiver.received]
        assert [body["type"] for body in bodies] == [
            "order.created",
            "order.paid",
            "refund.created",
            "refund.succeeded",
        ]
        assert [body["data"]["status"] for body in bodies] == ["created", "paid", "paid", "paid"]
        assert ["paid_at" in body["data"] for body in bodies] == [False, True, True, True]
        succeeded = bodies[-1]["data"]
        line_ref = succeeded["lines"][0]["line_ref"]
        refund_ref = succeeded["refunds"][0]["refund_ref"]
        assert succeeded == {
            "shop_ref": "erp-1",
            "order_ref": "E-1",
            "status": "paid",
            "currency": "CNY",
            "created_at": "2026-01-05T10:00:00.000+08:00",
            "paid_at": "2026-01-05T10:01:00.000+08:00",
            "updated_at": "2026-01-05T10:02:00.000+08:00",
            "buyer_id": succeeded["buyer_id"],
            "voucher_code": "V-9",
            "lines": [
                {
                    "line_ref": line_ref,
                    "product_ref": "3600000000000000001",
                    "sku_ref": "17001",
                    "title": "沙虫干",
                    "quantity": 1,
                    "list_fen": 10_000,
                    "merchant_disc_fen": 0,
                    "platform_disc_fen": 0,
                    "other_disc_fen": 0,
                    "voucher_subsidy_fen": 0,
                    "buyer_paid_fen": 10_000,
                    "freight_fen": 0,
                }
            ],
            "refunds": [
                {
                    "refund_ref": refund_ref,
                    "line_ref": line_ref,
                    "kind": "refund_only",
                    "status": "succeeded",
                    "applied_fen": 650,
                    "refunded_fen": 500,
                    "freight_fen": 0,
                    "quantity": 0,
                    "applied_at": "2026-01-05T10:01:00.000+08:00",
                    "succeeded_at": "2026-01-05T10:02:00.000+08:00",
                    "updated_at": "2026-01-05T10:02:00.000+08:00",
                }
            ],
        }


async def test_copies_disorder_and_loss_are_as_asked_and_counted(box, client):
    async with receiving(erp_success) as receiver:
        await orders_waiting(client, box, erp_shop(hook_url=receiver.url), 100)

        asked = {"duplicates": 0.5, "loss": 0.1, "shuffle": True, "seed": 3, "concurrency": 1}
        report = await call(client, box, "POST", "/control/push", asked)
        log = await call(client, box, "GET", "/control/books/log?limit=500")

        ids = [headers["webhook-id"] for headers, _ in receiver.received]
        assert report["acknowledged"] == len(set(ids)) == log["total"] == 200 - report["lost"]
        assert report["duplicates"] == len(ids) - len(set(ids))
        assert 5 <= report["lost"] <= 40
        assert 60 <= report["duplicates"] <= 120
        assert [message["message_id"] for message in log["messages"]] == list(dict.fromkeys(ids))
        assert [json.loads(body)["timestamp"] for _, body in receiver.received] != sorted(
            json.loads(body)["timestamp"] for _, body in receiver.received
        )
        assert (await call(client, box, "GET", "/control/status"))["waiting"] == 0


async def test_without_disorder_messages_go_by_business_time(box, client):
    async with receiving(erp_success) as receiver:
        await orders_waiting(client, box, erp_shop(hook_url=receiver.url), 10)

        await call(client, box, "POST", "/control/push", {"concurrency": 1})

        times = [json.loads(body)["timestamp"] for _, body in receiver.received]
        assert times == sorted(times)


async def test_a_live_producer_sells_refunds_and_is_stopped(box, client):
    async with receiving(doudian_success) as receiver:
        await call(client, box, "POST", "/control/shops", doudian_shop(hook_url=receiver.url))
        asked = {
            "shop": "900001",
            "orders_per_second": 50,
            "refund_rate": 1,
            "refund_after_ms": [0, 10],
            "seed": 1,
        }

        started = await call(client, box, "POST", "/control/live", asked)
        await asyncio.sleep(0.4)
        stopped = await call(client, box, "DELETE", "/control/live")
        status = await idle(client, box)

        books = await call(client, box, "GET", "/control/books")
        tags = [element["tag"] for _, body in receiver.received for element in json.loads(body)]
        assert started["running"]
        assert not stopped["live"][0]["running"]
        assert status["live"][0]["error"] is None
        assert books["totals"]["orders"] == status["live"][0]["orders"] == tags.count("101") >= 5
        assert tags.count("200") >= 1
        assert status["acknowledged"] == status["messages"]


async def test_a_live_producer_ends_by_itself_after_its_refunds(box, client):
    async with receiving(erp_success) as receiver:
        await call(client, box, "POST", "/control/shops", erp_shop(hook_url=receiver.url))
        asked = {
            "shop": "erp-1",
            "orders_per_second": 40,
            "refund_rate": 1,
            "refund_after_ms": [0, 10],
            "seconds": 0.2,
            "duplicates": 1,
            "seed": 2,
        }

        await call(client, box, "POST", "/control/live", asked)
        status = await idle(client, box)

        books = await call(client, box, "GET", "/control/books?orders=1")
        assert status["live"][0]["refunds"] == status["live"][0]["orders"] == len(books["orders"]) > 0
        assert all(refund["succeeded_at_ms"] for order in books["orders"] for refund in order["refunds"])
        assert status["duplicates"] == status["acknowledged"] == len(receiver.received) / 2
