"""The sandbox's signatures against the invented vectors of the platform page and the published one."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from livehub.sandbox import signatures

APP_KEY = "7000000000000000001"
APP_SECRET = "11111111-2222-3333-4444-555555555555"


def test_doudian_event_signs_the_probe_of_the_vectors():
    body = b'[{"tag":"0","msg_id":"0","data":"2026-01-05T16:27:56.5+08:00"}]'

    sign = signatures.doudian_event(body, app_key=APP_KEY, app_secret=APP_SECRET)

    assert sign == "3db5f65ec115b585aa735f59a9d1b496"


def test_doudian_event_signs_the_batch_of_the_vectors():
    elements = [
        {
            "tag": "101",
            "msg_id": "69000000000000000010:101:1760000010:900001",
            "data": '{"p_id":6900000000000000001,"s_ids":[6900000000000000001],"shop_id":900001,"order_status":2,'
            '"order_type":0,"pay_type":2,"pay_time":1760000010,"pay_amount":3980,"biz":2}',
        },
        {
            "tag": "206",
            "msg_id": "69000000000000000011:206:1760086400:900001",
            "data": '{"p_id":6900000000000000001,"s_id":6900000000000000001,"shop_id":900001,'
            '"aftersale_id":7100000000000000009,"aftersale_status":12,"aftersale_type":1,"refund_amount":1000,'
            '"refund_post_amount":0,"refund_voucher_num":0,"reason_code":15,"success_time":1760086400}',
        },
    ]
    body = json.dumps(elements, separators=(",", ":")).encode()

    sign = signatures.doudian_event(body, app_key=APP_KEY, app_secret=APP_SECRET)

    assert sign == "902f5eb9d3fc9f34daa74d87af7f267c"


def test_doudian_call_signs_the_order_detail_of_the_vectors():
    query = {"app_key": APP_KEY, "method": "order.orderDetail", "timestamp": "1760000100", "v": "2"}
    body = signatures.canonical_json({"shop_order_id": "6900000000000000001"})

    sign = signatures.doudian_call(query, body, app_secret=APP_SECRET)

    assert sign == "c1a5e98858be077a712726327946e6d9b974126cf47e4ffd8c93b58a0b68aa72"


KUAISHOU_CALL = {
    "access_token": "tok",
    "appkey": "ks700000000000000001",
    "method": "open.order.detail",
    "param": '{"oid":2600000000000301}',
    "timestamp": "1760000100000",
    "version": "1",
}


@pytest.mark.parametrize(
    ("method", "sign"),
    [
        ("HMAC_SHA256", "o1doSNVaDcgupI6CroY1RQnbNB7vlAbrGr0Y3QxvpBA="),
        ("MD5", "29c5eb9ffa8bb595c5268b5fcf7e6bb8"),
    ],
)
def test_kuaishou_call_signs_the_order_detail_of_the_vectors(method, sign):
    query = KUAISHOU_CALL | {"signMethod": method, "sign": "not signed itself"}

    assert signatures.kuaishou_call(query, sign_secret="signsecret01") == sign


def test_kuaishou_body_seals_the_heartbeat_of_the_vectors():
    assert signatures.kuaishou_body(b'{"test":true}', message_key="MDEyMzQ1Njc4OWFiY2RlZg==") == (
        b"watm3Pt/wCJGbPJJXW0XpA=="
    )


def test_canonical_json_sorts_at_every_depth_and_escapes_nothing():
    assert signatures.canonical_json({"b": {"d": "沙虫<&>", "c": [1, 2]}, "a": 1}) == (
        '{"a":1,"b":{"c":[1,2],"d":"沙虫<&>"}}'
    )


@pytest.mark.parametrize(
    ("message_id", "timestamp", "secret", "body", "signature"),
    [
        (
            "msg_madeup0001",
            1760000010,
            "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
            b'{"type":"order.paid","timestamp":"2026-01-05T08:00:10Z","data":{"id":"LH-1"}}',
            "v1,MgIBKLNy9UKUMpDt4nuNiEXaXA91FWNXLg7/xkj6j0k=",
        ),
        (
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            b'{"test": 2432232314}',
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
    ],
    ids=["ours", "published"],
)
def test_standard_webhook_signs_the_vectors(message_id, timestamp, secret, body, signature):
    assert (
        signatures.standard_webhook(body, message_id=message_id, timestamp=timestamp, secret=secret)
        == signature
    )


def test_standard_webhook_agrees_with_the_reference_library():
    secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
    body = '{"type":"order.paid","title":"沙虫"}'

    webhook = Webhook(secret)

    from_library = webhook.sign("msg_1", datetime.fromtimestamp(1760000010, UTC), body)
    assert signatures.standard_webhook(
        body.encode(), message_id="msg_1", timestamp=1760000010, secret=secret
    ) == (from_library)
