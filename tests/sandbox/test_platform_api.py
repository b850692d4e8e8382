"""抖店's imitated API: it tells the truth to whoever signs well, and nobody else."""

from __future__ import annotations

import hashlib
import hmac
import time

import pytest

from tests.sandbox.shapes import MINUTE, MORNING, a_line, an_order, call, doudian_shop

PAID = MORNING + MINUTE
ORDER = "6900000000000000001"
REFUND = "7100000000000000009"
ORDER_PATH, REFUND_PATH = "/doudian/order/orderDetail", "/doudian/afterSale/Detail"


def signed(method, body, *, secret="11111111-2222-3333-4444-555555555555", **changes):
    """A call's query, signed step by step as the platform's page says."""
    query = {
        "app_key": "7000000000000000001",
        "method": method,
        "access_token": "token-1",
        "timestamp": str(int(time.time())),
        "v": "2",
        "sign_method": "hmac-sha256",
    } | changes
    middle = "".join(name + (body if name == "param_json" else query[name]) for name in SIGNED)
    query["sign"] = hmac.new(secret.encode(), (secret + middle + secret).encode(), hashlib.sha256).hexdigest()
    return query


SIGNED = ("app_key", "method", "param_json", "timestamp", "v")


@pytest.fixture
async def shop(box, client):
    line = a_line(
        quantity=2,
        line_ref="6900000000000000002",
        merchant_disc_fen=1_000,
        platform_disc_fen=500,
        talent_disc_fen=300,
        pay_disc_fen=200,
        freight_fen=800,
    )
    refunds = [
        {
            "line": 0,
            "refund_ref": REFUND,
            "cash_fen": 7_000,
            "quantity": 1,
            "applied_at_ms": PAID + MINUTE,
            "succeeded_at_ms": PAID + 2 * MINUTE,
        },
        {"line": 0, "refund_ref": "7100000000000000010", "cash_fen": 500, "applied_at_ms": PAID + MINUTE},
    ]
    await call(client, box, "POST", "/control/shops", doudian_shop())
    await call(client, box, "POST", "/control/shops", doudian_shop(shop_ref="900002", access_token="token-2"))
    order = an_order(order_ref=ORDER, lines=[line], refunds=refunds, buyer_id="b1")
    await call(client, box, "POST", "/control/orders", {"orders": [order]})


async def ask(client, box, path, body, query):
    async with client.post(box.base_url + path, params=query, data=body.encode()) as answer:
        assert answer.status == 200
        return await answer.json()


async def test_order_detail_tells_the_amounts_and_they_add_up(box, client, shop):
    body = f'{{"shop_order_id":"{ORDER}"}}'

    answer = await ask(client, box, ORDER_PATH, body, signed("order.orderDetail", body))

    assert (answer["code"], answer["msg"]) == (10000, "success")
    detail = answer["data"]["shop_order_detail"]
    (sku,) = detail["sku_order_list"]
    assert {
        name: detail[name] for name in ("order_id", "order_status", "pay_time", "update_time", "pay_amount")
    } == {
        "order_id": ORDER,
        "order_status": 2,
        "pay_time": PAID // 1000,
        "update_time": PAID // 1000 + 120,
        "pay_amount": 19_000,
    }
    assert {
        name: sku[name] for name in ("order_id", "product_id_str", "item_num", "room_id_str", "author_id")
    } == {
        "order_id": "6900000000000000002",
        "product_id_str": "3600000000000000001",
        "item_num": 2,
        "room_id_str": "7500000000000000001",
        "author_id": 1001,
    }
    buyer = sku["pay_amount"] - sku["promotion_pay_amount"] - sku["post_amount"]
    other = sku["promotion_talent_amount"] + sku["promotion_pay_amount"]
    promotions = sku["promotion_shop_amount"] + sku["promotion_platform_amount"] + other
    assert sku["origin_amount"] * sku["item_num"] == promotions + buyer == sku["sum_amount"] == 20_000
    assert buyer == 18_000


async def test_after_sale_detail_tells_what_was_really_paid_back(box, client, shop):
    body = f'{{"after_sale_id":"{REFUND}"}}'

    answer = await ask(client, box, REFUND_PATH, body, signed("afterSale.Detail", body))

    assert answer["data"] == {
        "process_info": {
            "after_sale_info": {
                "after_sale_id": int(REFUND),
                "after_sale_status": 12,
                "after_sale_type": 1,
                "refund_status": 3,
                "refund_amount": 7_800,
                "refund_post_amount": 0,
                "real_refund_amount": 7_000,
                "apply_time": PAID // 1000 + 60,
                "refund_time": PAID // 1000 + 120,
                "update_time": PAID // 1000 + 120,
            }
        },
        "order_info": {
            "shop_order_id": int(ORDER),
            "sku_order_infos": [{"sku_order_id": 6900000000000000002, "item_quantity": 1}],
        },
    }


async def test_an_open_after_sale_has_no_real_amount_yet(box, client, shop):
    body = '{"after_sale_id":"7100000000000000010"}'

    answer = await ask(client, box, REFUND_PATH, body, signed("afterSale.Detail", body))

    info = answer["data"]["process_info"]["after_sale_info"]
    assert (info["after_sale_status"], info["refund_status"], info["real_refund_amount"]) == (6, 1, 0)
    assert info["refund_time"] == 0


@pytest.mark.parametrize(
    ("changes", "sub_code"),
    [
        ({"secret": "another secret"}, "isv.signature-invalid"),
        ({"timestamp": "1760000100"}, "isv.invalid-timestamp"),
        ({"timestamp": ""}, "isv.invalid-timestamp"),
        ({"access_token": "token-x"}, "isv.access-token-no-existed"),
        ({"access_token": "token-2"}, "isv.business-failed:not-found"),
        ({"app_key": "7"}, "isv.app-not-exist"),
        ({"method": "afterSale.Detail"}, "isv.invalid-method"),
        ({"sign_method": "md5"}, "isv.invalid-sign-method"),
    ],
)
async def test_a_call_that_is_not_in_order_is_refused(box, client, shop, changes, sub_code):
    body = f'{{"shop_order_id":"{ORDER}"}}'

    answer = await ask(
        client, box, ORDER_PATH, body, signed(**{"method": "order.orderDetail", "body": body} | changes)
    )

    assert answer["sub_code"] == sub_code
    assert answer["code"] != 10000
    assert "data" not in answer
    assert (await call(client, box, "GET", "/control/status"))["api_calls"] == {"refused": 1}


async def test_a_body_other_than_the_signed_one_is_refused(box, client, shop):
    query = signed("order.orderDetail", '{"shop_order_id":"1"}')

    answer = await ask(client, box, ORDER_PATH, f'{{"shop_order_id":"{ORDER}"}}', query)

    assert (answer["code"], answer["sub_code"]) == (30002, "isv.signature-invalid")


async def test_an_unknown_order_is_an_error_of_the_platforms_own(box, client, shop):
    body = '{"shop_order_id":"1"}'

    answer = await ask(client, box, ORDER_PATH, body, signed("order.orderDetail", body))

    assert (answer["code"], answer["msg"]) == (50002, "unknown order 1")
