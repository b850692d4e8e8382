"""The imitated 微信小店: signed as its vectors are, told to whoever has the token, and it judges its answer."""

from __future__ import annotations

import json
import time

import pytest
from aiohttp import web

from livehub.sandbox import signatures, wechat_store
from livehub.sandbox.spec import ShopSpec
from tests.platforms.doors import WECHAT_SECRET, sample
from tests.sandbox.shapes import MINUTE, MORNING, an_order, call, receiving

PAID = MORNING + MINUTE
PRODUCTS = [
    {"product_ref": "11", "title": "沙虫干", "price_fen": 10_000, "sku_ref": "21"},
    {"product_ref": "12", "title": "海鸭蛋", "price_fen": 3_980, "sku_ref": "22"},
]
ORDER, AFTER_SALE = "/channels/ec/order/get", "/channels/ec/aftersale/getaftersaleorder"


def a_shop(**changes: object) -> dict:
    return {
        "platform": "wechat_store",
        "shop_ref": "gh_0000000000aa",
        "hook_url": "http://127.0.0.1:9/hooks/wechat_store/key",
        "app_key": "wx0000000000000001",
        "secret": WECHAT_SECRET,
        "access_token": "token-1",
        "products": PRODUCTS,
    } | changes


def test_it_signs_as_the_vectors_are_signed():
    for name in ("wechat_store_order_pay", "wechat_store_aftersale"):
        known = sample("wechat_store", name)
        query, encrypted = known["query"], json.loads(known["body"])["Encrypt"]

        assert signatures.wechat(known["token"], query["timestamp"], query["nonce"]) == query["signature"]
        assert (
            signatures.wechat(known["token"], query["timestamp"], query["nonce"], encrypted)
            == (query["msg_signature"])
        )


def test_an_address_is_tried_as_it_should_be():
    query = wechat_store.address_check(ShopSpec(**a_shop()), now_ms=int(time.time() * 1000))

    assert query["signature"] == signatures.wechat("livehubtoken", query["timestamp"], query["nonce"])
    assert query["echostr"].isdigit()


@pytest.mark.parametrize(
    "changes",
    [
        {"app_key": ""},
        {"access_token": ""},
        {"secret": "a-secret"},
        {"secret": "token:" + "a" * 42},
        {"products": [PRODUCTS[0], PRODUCTS[1] | {"sku_ref": "21"}]},
        {"products": [{"product_ref": "1", "title": "x", "price_fen": 1}]},
    ],
)
async def test_a_shop_that_cannot_be_is_refused(box, client, changes):
    await call(client, box, "POST", "/control/shops", a_shop(**changes), expect=422)


@pytest.mark.parametrize(
    "changes",
    [
        {"order_ref": "X-1"},
        {"lines": [{"product_ref": "11"}, {"product_ref": "11"}]},
        {"lines": [{"product_ref": "11", "room_ref": "1"}, {"product_ref": "12", "room_ref": "2"}]},
        {"refunds": [{"line": 0, "freight_fen": 1, "applied_at_ms": PAID}]},
        {"voucher_code": "V"},
        {"trade_type": 10},
    ],
)
async def test_an_order_that_cannot_be_is_refused(box, client, changes):
    await call(client, box, "POST", "/control/shops", a_shop())
    order = an_order(shop="gh_0000000000aa", lines=[{"product_ref": "11"}]) | changes

    await call(client, box, "POST", "/control/orders", {"orders": [order]}, expect=422)


@pytest.fixture
async def sold(box, client):
    await call(client, box, "POST", "/control/shops", a_shop())
    await call(client, box, "POST", "/control/shops", a_shop(shop_ref="gh_2", access_token="token-2"))
    refund = {
        "line": 0,
        "refund_ref": "2000000000000009",
        "cash_fen": 7_000,
        "quantity": 1,
        "applied_at_ms": PAID,
    }
    line = {
        "product_ref": "11",
        "quantity": 2,
        "merchant_disc_fen": 1_000,
        "platform_disc_fen": 500,
        "talent_disc_fen": 300,
        "pay_disc_fen": 200,
        "freight_fen": 800,
    }
    order = an_order(shop="gh_0000000000aa", order_ref="3700000000000000001", lines=[line], refunds=[refund])
    await call(client, box, "POST", "/control/orders", {"orders": [order]})


async def ask(client, box, path, body, *, token="token-1"):
    url = f"{box.base_url}/wechat_store{path}"
    async with client.post(url, params={"access_token": token}, data=body) as answer:
        assert answer.status == 200
        return await answer.json()


async def test_an_orders_amounts_add_up(box, client, sold):
    answer = await ask(client, box, ORDER, '{"order_id":"3700000000000000001"}')

    price = answer["order"]["order_detail"]["price_info"]
    assert (answer["errcode"], price["product_price"], price["order_price"], price["freight"]) == (
        0,
        20_000,
        18_800,
        800,
    )
    assert price["merchant_discounted_price"] == 1_000
    assert price["finder_discounted_price"] == 500
    assert price["cash_coupon_discounted_price"] + price["national_subsidy_discounted_price"] == 500


async def test_what_was_paid_back_is_known_when_it_was(box, client, sold):
    body = '{"after_sale_order_id":"2000000000000009"}'
    before = await ask(client, box, AFTER_SALE, body)
    step = {"order_ref": "3700000000000000001", "succeed": {"2000000000000009": PAID + MINUTE}}
    await call(client, box, "POST", "/control/steps", {"steps": [step]})

    after = await ask(client, box, AFTER_SALE, body)

    told = [each["after_sale_order"] for each in (before, after)]
    assert [(each["status"], each["refund_info"]["amount"]) for each in told] == [
        ("MERCHANT_PROCESSING", 7_800),
        ("MERCHANT_REFUND_SUCCESS", 7_000),
    ]


@pytest.mark.parametrize(
    ("body", "token", "code"),
    [
        ('{"order_id":"3700000000000000001"}', "token-x", 40001),
        ('{"order_id":"3700000000000000001"}', "", 40001),
        ('{"order_id":"3700000000000000001"}', "token-2", 100001),
        ('{"order_id":"1"}', "token-1", 100001),
        ("[]", "token-1", 47001),
        ("not JSON", "token-1", 47001),
    ],
)
async def test_a_call_that_is_not_in_order_is_refused(box, client, sold, body, token, code):
    answer = await ask(client, box, ORDER, body, token=token)

    assert (answer["errcode"], "order" in answer) == (code, False)
    assert (await call(client, box, "GET", "/control/status"))["api_calls"] == {"refused": 1}


async def test_only_the_word_ends_the_telling(box, client):
    async with receiving(lambda: web.Response(text="success")) as receiver:
        receiver.script = [
            web.Response(text=""),
            web.Response(text='{"errcode":0}'),
            web.Response(text="success", status=500),
        ]
        await call(client, box, "POST", "/control/shops", a_shop(hook_url=receiver.url))
        order = an_order(shop="gh_0000000000aa", lines=[{"product_ref": "11"}], paid_at_ms=None)
        await call(client, box, "POST", "/control/orders", {"orders": [order]})

        done = await call(client, box, "POST", "/control/push", {})

    bodies = {body for _, body in receiver.received}
    assert (done["attempts"], done["acknowledged"], len(receiver.received)) == (4, 1, 4)
    assert len(bodies) == 4  # encrypted anew each time
