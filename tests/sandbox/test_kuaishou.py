"""快手, imitated: its pushes are acknowledged by its own words, its API tells whoever signs well."""

from __future__ import annotations

import time

import pytest
from aiohttp import web

from livehub.sandbox import signatures
from tests.sandbox.shapes import (
    MINUTE,
    MORNING,
    a_line,
    an_order,
    call,
    doudian_shop,
    kuaishou_shop,
    kuaishou_success,
    receiving,
)

PAID = MORNING + MINUTE + 7  # it knows milliseconds
ORDER, REFUND = "2600000000000301", "7100000000000000009"
LINE = a_line(
    quantity=2,
    merchant_disc_fen=1_000,
    platform_disc_fen=500,
    talent_disc_fen=300,
    pay_disc_fen=200,
    freight_fen=800,
)
A_REFUND = {
    "line": 0,
    "refund_ref": REFUND,
    "cash_fen": 7_000,
    "quantity": 1,
    "applied_at_ms": PAID + MINUTE,
    "succeeded_at_ms": PAID + 2 * MINUTE,
}


@pytest.fixture
async def shop(box, client):
    await call(client, box, "POST", "/control/shops", kuaishou_shop())
    await call(
        client, box, "POST", "/control/shops", kuaishou_shop(shop_ref="2100000002", access_token="tok2")
    )
    order = an_order(
        shop="2100000001", order_ref=ORDER, lines=[LINE], refunds=[A_REFUND], paid_at_ms=PAID, buyer_id="b1"
    )
    await call(client, box, "POST", "/control/orders", {"orders": [order]})


def signed(method, param, *, secret="signsecret01", sign_method="HMAC_SHA256", **changes):
    query = {
        "access_token": "tok",
        "appkey": "ks700000000000000001",
        "method": method,
        "param": param,
        "signMethod": sign_method,
        "timestamp": str(round(time.time() * 1000)),
        "version": "1",
    } | changes
    return query | {"sign": signatures.kuaishou_call(query, sign_secret=secret)}


async def ask(client, box, method, param, **changes):
    query = signed(method, param, **changes)
    path = changes.get("path") or "/kuaishou/" + method.replace(".", "/")
    async with client.get(box.base_url + path, params=query) as answer:
        assert answer.status == 200
        return await answer.json()


@pytest.mark.parametrize("sign_method", ["HMAC_SHA256", "MD5"])
async def test_an_order_is_told_in_two_halves_that_add_up(box, client, shop, sign_method):
    param = f'{{"oid":{ORDER}}}'

    order = await ask(client, box, "open.order.detail", param, sign_method=sign_method)
    fees = await ask(client, box, "open.seller.order.fee.detail", param, sign_method=sign_method)

    base, item, cost = order["data"]["orderBaseInfo"], order["data"]["orderItemInfo"], fees["data"]
    assert (base["status"], base["payTime"], base["updateTime"]) == (30, PAID, PAID + 2 * MINUTE)
    assert (cost["buyerPay"], cost["expressFee"], cost["platformAllowance"]) == (18_800, 800, 1_500)
    discounts = base["payChannelDiscount"] + base["governmentDiscount"]
    borne = cost["merchantBearAmount"] + cost["platformBearAmount"]
    assert item["originalPrice"] * item["num"] == borne + discounts + cost["buyerPay"] - cost["expressFee"]
    assert "buyerPay" not in str(order)


async def test_an_after_sale_is_told_with_what_went_back(box, client, shop):
    answer = await ask(client, box, "open.seller.order.refund.detail", f'{{"refundId":{REFUND}}}')

    told = {name: answer["data"][name] for name in ("oid", "status", "handlingWay", "refundFee", "endTime")}
    assert told == {
        "oid": int(ORDER),
        "status": 60,
        "handlingWay": 10,
        "refundFee": 7_000,
        "endTime": PAID + 2 * MINUTE,
    }


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({"secret": "another"}, 23),
        ({"sign_method": "SHA1"}, 23),
        ({"timestamp": "1760000100000"}, 22),
        ({"timestamp": ""}, 22),
        ({"appkey": "ks1"}, 24),
        ({"access_token": "tok3"}, 28),
        ({"access_token": "tok2"}, 300012),
        ({"version": "2"}, 21),
        ({"path": "/kuaishou/open/seller/order/fee/detail"}, 21),
        ({"param": '{"oid":1}'}, 300011),
        ({"param": "[]"}, 21),
    ],
)
async def test_a_call_that_is_not_in_order_is_refused(box, client, shop, changes, result):
    param = changes.pop("param", f'{{"oid":{ORDER}}}')

    answer = await ask(client, box, "open.order.detail", param, **changes)

    assert (answer["result"], "data" in answer) == (result, False)


async def test_a_push_is_repeated_until_its_own_words_acknowledge_it(box, client):
    async with receiving(kuaishou_success) as receiver:
        await call(client, box, "POST", "/control/shops", kuaishou_shop(hook_url=receiver.url))
        await call(client, box, "POST", "/control/orders", {"orders": [an_order(shop="2100000001")]})
        receiver.script = [
            web.json_response({"code": 0, "msg": "success"}),
            web.json_response({"result": 0}),
            web.json_response({"result": 1}, status=201),
            web.Response(text="1"),
            2.0,
        ]

        report = await call(client, box, "POST", "/control/push", {"concurrency": 1})

    assert (report["messages"], report["acknowledged"], report["attempts"]) == (2, 2, 7)
    (first, *_), bodies = receiver.received[0], {body for _, body in receiver.received}
    assert first["content-type"] == "text/plain;charset=utf-8"
    assert len(bodies) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": [a_line(), a_line()]},
        {"lines": [a_line(line_ref="1")]},
        {"order_ref": "LH-1"},
        {"trade_type": 10},
        {"voucher_code": "V"},
        {"refunds": [A_REFUND | {"freight_fen": 1}]},
    ],
)
async def test_what_the_platform_cannot_tell_is_refused(box, client, changes):
    await call(client, box, "POST", "/control/shops", kuaishou_shop())
    order = an_order(shop="2100000001", paid_at_ms=PAID) | changes

    await call(client, box, "POST", "/control/orders", {"orders": [order]}, expect=422)


async def test_an_order_has_one_line_with_its_own_number_and_no_room(box, client):
    await call(client, box, "POST", "/control/shops", doudian_shop())
    await call(client, box, "POST", "/control/shops", kuaishou_shop())
    orders = [an_order(shop="2100000001", lines=[], room_ref="75", author_ref="1") for _ in range(20)]

    made = await call(client, box, "POST", "/control/orders", {"seed": 3, "orders": orders})
    books = await call(client, box, "GET", "/control/books")

    assert all(order["line_refs"] == [order["order_ref"]] for order in made["orders"])
    assert books["by_room"].keys() == {""}


@pytest.mark.parametrize(
    "changes", [{"secret": "signsecret01"}, {"secret": ":AA=="}, {"shop_ref": "x"}, {"app_key": ""}]
)
async def test_a_shop_that_cannot_be_told_of_is_refused(box, client, changes):
    await call(client, box, "POST", "/control/shops", kuaishou_shop(**changes), expect=422)
