"""微信小店 deliveries: signature, encryption, both ways of writing, events, and what has to be fetched."""

import json

import msgspec
import pytest
from hypothesis import given, settings

from livehub.platforms.adapters import wechat_store_envelope as envelope
from livehub.platforms.adapters.wechat_store import ADAPTER
from livehub.platforms.contract import (
    BadSignature,
    Credential,
    Event,
    EventType,
    Fetch,
    FetchKind,
    Malformed,
    OrderStatus,
    Reply,
    signed_query,
)
from livehub.platforms.errors import UnusableSecret
from tests.platforms.doors import (
    WECHAT_SECRET,
    compact,
    sample,
    wechat_encrypted,
    wechat_headers,
    wechat_message,
    wechat_sent,
    wechat_store,
)
from tests.platforms.test_never_a_crash import EDITS, edited

DOOR = wechat_store()
PAID = Event(
    type=EventType.ORDER_PAID,
    shop_ref="900001",
    order_ref="6900000000000000001",
    status=OrderStatus.PAID,
    status_at=1_760_000_011_000,
    paid_at=1_760_000_010_000,
)
AFTER_SALE = "channels_ec_aftersale_update"


def native(message: dict):
    (one,) = ADAPTER.split(compact(message), headers={})
    return one


def event(message: dict) -> Event:
    (one,) = ADAPTER.normalise(native(message))
    return one


def after_sale(status: str, /, **changes: object) -> dict:
    update = {"status": status, "after_sale_order_id": "2000000000000001", "order_id": 6900000000000000001}
    return wechat_message(AFTER_SALE, finder_shop_aftersale_status_update=update | changes)


@pytest.mark.parametrize("name", ["wechat_store_order_pay", "wechat_store_aftersale"])
def test_the_vector_is_authentic_and_opens(name):
    known = sample("wechat_store", name)
    credential = Credential(known["appid"], (f"{known['token']}:{known['encoding_aes_key']}",))

    plaintext = ADAPTER.authenticate(
        credential=credential, headers={}, query=known["query"], raw=known["body"].encode(), now_ms=0
    )

    assert plaintext.decode() == known["plaintext"]
    assert ADAPTER.reopen(credential=credential, raw=known["body"].encode()) == plaintext
    assert ADAPTER.ack().body.decode() == known["expect_ack"]


def test_the_vectors_become_thin_events():
    found = []
    for name in ("wechat_store_order_pay", "wechat_store_aftersale"):
        (one,) = ADAPTER.split(sample("wechat_store", name)["plaintext"].encode(), headers={})
        found.append((one.native_id, one.provider_ts, *ADAPTER.normalise(one)))

    assert found == [
        (
            "channels_ec_order_pay:3700000000000000001::1760000011",
            1_760_000_011_000,
            Event(
                type=EventType.ORDER_PAID,
                shop_ref="gh_0000000000aa",
                order_ref="3700000000000000001",
                status=OrderStatus.PAID,
                status_at=1_760_000_011_000,
                paid_at=1_760_000_010_000,
            ),
        ),
        (
            "channels_ec_aftersale_update:2000000000000001:MERCHANT_REFUND_SUCCESS:1760086401",
            1_760_086_401_000,
            Event(
                type=EventType.REFUND_SUCCEEDED,
                shop_ref="gh_0000000000aa",
                order_ref="3700000000000000001",
                refund_ref="2000000000000001",
                status_at=1_760_086_401_000,
            ),
        ),
    ]


def test_the_published_signature_of_an_address_is_known():
    """The worked example of the platform's page on message pushes."""
    query = {"timestamp": "1714036504", "nonce": "1514711492", "echostr": "4375120948345356249"}
    query["signature"] = "f464b24fc39322e44b38aa78f5edd27bd1441696"

    reply = ADAPTER.verify_address(credential=Credential("", ("AAAAA:x",)), query=query)

    assert reply == Reply(200, "text/plain", b"4375120948345356249")


def echo(**changes: str) -> Reply:
    known = sample("wechat_store", "wechat_store_echo")
    return ADAPTER.verify_address(
        credential=Credential("", (f"{known['token']}:x",)), query=known["query"] | changes
    )


def test_an_address_is_tried_by_the_vector():
    assert echo().body.decode() == sample("wechat_store", "wechat_store_echo")["expect_body"]


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": ""},
        {"signature": "0" * 40},
        {"nonce": "998878"},
        {"timestamp": "x"},
        {"nonce": ""},
        {"echostr": ""},
        {"echostr": "<script>alert(1)</script>"},
        {"echostr": "1" * 300},
    ],
)
def test_who_does_not_sign_or_wants_a_page_back_is_refused(changes):
    with pytest.raises(BadSignature):
        echo(**changes)


def test_an_old_time_is_no_reason_to_refuse():
    """A repetition may come hours later, with the times of then or of now."""
    raw = wechat_sent(DOOR.body)

    assert DOOR.authenticate(raw, wechat_headers(raw, stamp="1500000000")) == DOOR.body


def test_an_upper_case_digest_is_as_good():
    raw = wechat_sent(DOOR.body)
    headers = wechat_headers(raw)

    again = headers | {"?msg_signature": headers["?msg_signature"].upper()}
    assert DOOR.authenticate(raw, again) == DOOR.body


def sealed(**changes: object) -> bytes:
    return compact({"ToUserName": "900001", "Encrypt": wechat_encrypted(DOOR.body, **changes)})


@pytest.mark.parametrize(
    "raw",
    {
        "another app": sealed(appid="wx0000000000000002"),
        "an app that begins alike": sealed(appid="wx00000000000000011"),
        "no app": sealed(appid=""),
        "another key": sealed(secret="livehubtoken:" + "Z" * 43),
        "half a block": compact({"Encrypt": wechat_encrypted(DOOR.body)[:-8]}),
        "cut base64": compact({"Encrypt": wechat_encrypted(DOOR.body)[:-1]}),
        "no base64": compact({"Encrypt": "密"}),
        "nothing": compact({"Encrypt": ""}),
        "no Encrypt": DOOR.body,
        "Encrypt is a number": b'{"Encrypt":1}',
        "a bomb": b'<!DOCTYPE x [<!ENTITY e "x">]><xml><Encrypt>&e;</Encrypt></xml>',
    }.items(),
    ids=lambda pair: pair[0],
)
def test_what_is_signed_but_not_for_us_is_refused(raw):
    body = raw[1]

    with pytest.raises(BadSignature):
        DOOR.authenticate(body, wechat_headers(body))
    with pytest.raises(BadSignature):
        ADAPTER.reopen(credential=DOOR.credential, raw=body)


def test_no_app_is_nobodys_app():
    raw = sealed(appid="")

    with pytest.raises(BadSignature):
        DOOR.authenticate(raw, wechat_headers(raw), credential=Credential("", (WECHAT_SECRET,)))


@pytest.mark.parametrize("length", [2**32 - 1, 10**6, 500, 11, 10, 8, 6, 0])
def test_a_length_that_is_not_true_is_refused(length):
    content = b"r" * 16 + length.to_bytes(4, "big") + b"message" + b"wx1"
    filled = 32 - len(content) % 32

    assert envelope._message(content + bytes([filled]) * filled, appid="wx1") is None


@pytest.mark.parametrize(
    "padding", [b"", b"\0", b"\0\0", b"\x02", b"\x01\x02", b"\x21" * 33, b"x" * 31 + b"\x20", b"\xff" * 255]
)
def test_padding_that_is_none_is_refused(padding):
    content = b"r" * 16 + (7).to_bytes(4, "big") + b"message" + b"wx1"

    assert envelope._message(content + b"\x02\x02", appid="wx1") == b"message"
    assert envelope._message(content + padding, appid="wx1") is None


@pytest.mark.parametrize("length", range(64))
def test_every_length_fills_its_blocks_of_32(length):
    plaintext = b"x" * length

    assert envelope.opened(
        wechat_encrypted(plaintext), secret=WECHAT_SECRET, appid=DOOR.credential.app_key
    ) == (plaintext)


@pytest.mark.parametrize("last", "EFH")
def test_stray_bits_in_the_43rd_character_do_not_matter(last):
    """43 characters are 258 bits, two more than the key has: of E, F, G and H it sees the same."""
    raw = wechat_sent(DOOR.body, secret=WECHAT_SECRET[:-1] + last)
    secrets = (WECHAT_SECRET[:-1] + "G",)

    assert DOOR.authenticate(
        raw, wechat_headers(raw), credential=Credential(DOOR.credential.app_key, secrets)
    ) == (DOOR.body)


def test_both_values_are_rotated_together():
    newer = DOOR.other_secret
    credential = Credential(DOOR.credential.app_key, (newer, WECHAT_SECRET))

    for secret in credential.secrets:
        raw = wechat_sent(DOOR.body, secret=secret)
        assert DOOR.authenticate(raw, wechat_headers(raw, secret=secret), credential=credential) == DOOR.body
        mixed = wechat_headers(raw, secret=next(each for each in credential.secrets if each != secret))
        with pytest.raises(BadSignature):
            DOOR.authenticate(raw, mixed, credential=credential)


@pytest.mark.parametrize(
    "secret", ["token", "token:", ":" + "a" * 43, "to:" + "a" * 43, "token:" + "a" * 42, "token:" + "a" * 44, "t ken:" + "a" * 43, "令牌令牌:" + "a" * 43]
)  # fmt: skip
def test_a_secret_that_is_not_two_values_is_refused(secret):
    with pytest.raises(UnusableSecret, match="EncodingAESKey"):
        ADAPTER.check_secret(secret)


def test_the_signed_part_of_the_query_is_evidence():
    kept = signed_query(ADAPTER, {"msg_signature": "s", "nonce": "n", "openid": "o"})

    assert kept == {"?timestamp": "", "?nonce": "n", "?msg_signature": "s"}


XML = (
    "<xml><ToUserName><![CDATA[900001]]></ToUserName><FromUserName><![CDATA[o]]></FromUserName>"
    "<CreateTime>1760000011</CreateTime><MsgType><![CDATA[event]]></MsgType>"
    "<Event><![CDATA[channels_ec_order_pay]]></Event>"
    "<order_info><order_id>6900000000000000001</order_id><pay_time>1760000010</pay_time></order_info></xml>"
)
SPELLINGS = {
    "as documented": compact(wechat_message()),
    "ids as texts": compact(wechat_message(order_info={"order_id": "6900000000000000001", "pay_time": 1760000010})),
    "the time as a text": compact(wechat_message(CreateTime="1760000011")),
    "XML": XML.encode(),
    "XML with texts in CDATA": XML.replace("6900000000000000001", "<![CDATA[6900000000000000001]]>").encode(),
    "more than we know": compact(wechat_message(coupon={"a": [1.5]})),
}  # fmt: skip


@pytest.mark.parametrize("case", SPELLINGS)
def test_every_spelling_says_the_same_and_has_one_key(case):
    (one,) = ADAPTER.split(SPELLINGS[case], headers={})

    assert (list(ADAPTER.normalise(one)), one.native_id) == (
        [PAID],
        "channels_ec_order_pay:6900000000000000001::1760000011",
    )


def test_an_envelope_in_xml_is_opened_too():
    encrypted = wechat_encrypted(XML.encode())
    raw = f"<xml><ToUserName><![CDATA[g]]></ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode()
    signed = wechat_headers(compact({"Encrypt": encrypted}))

    assert DOOR.authenticate(raw, signed) == XML.encode()
    with pytest.raises(BadSignature):
        DOOR.authenticate(raw[:-1], signed)


EVENTS = {
    "channels_ec_order_new": ({}, "order.created", 10),
    "channels_ec_order_pay": ({"pay_time": 1760000010}, "order.paid", 20),
    "channels_ec_order_wait_shipping": ({}, "order.updated", None),
    "channels_ec_order_deliver 1": ({"finish_delivery": 1}, "order.shipped", 40),
    "channels_ec_order_deliver 0": ({"finish_delivery": "0"}, "order.partially_shipped", 30),
    "channels_ec_order_deliver": ({}, "order.updated", None),
    "channels_ec_order_confirm": ({"confirm_type": 1}, "order.finished", 50),
    "channels_ec_order_cancel": ({"cancel_type": 2}, "order.cancelled", 60),
    "channels_ec_order_cancel 3": ({"cancel_type": 3}, "order.updated", None),
    "channels_ec_order_settle": ({"settle_time": 1760000010}, "order.updated", None),
    "channels_ec_order_ext_info_update": ({"type": 1}, "order.updated", None),
}


@pytest.mark.parametrize("case", EVENTS)
def test_an_orders_event(case):
    more, kind, status = EVENTS[case]

    found = event(wechat_message(case.partition(" ")[0], order_info={"order_id": 1, **more}))

    assert (found.type, found.status, found.status_at) == (kind, status, 1_760_000_011_000)
    assert list(ADAPTER.fetches(found)) == [Fetch(FetchKind.ORDER, "900001", "1", "1")]


AFTER_SALES = {
    "USER_CANCELD": "refund.closed",
    "MERCHANT_PROCESSING": "refund.created",
    "MERCHANT_REJECT_REFUND": "refund.refused",
    "MERCHANT_REJECT_RETURN": "refund.refused",
    "USER_WAIT_RETURN": "refund.agreed",
    "RETURN_CLOSED": "refund.closed",
    "MERCHANT_WAIT_RECEIPT": "refund.updated",
    "MERCHANT_OVERDUE_REFUND": "refund.agreed",
    "MERCHANT_REFUND_SUCCESS": "refund.succeeded",
    "MERCHANT_RETURN_SUCCESS": "refund.succeeded",
    "PLATFORM_REFUNDING": "refund.agreed",
    "PLATFORM_REFUND_FAIL": "refund.updated",
    "USER_WAIT_CONFIRM": "refund.created",
    "MERCHANT_REFUND_RETRY_FAIL": "refund.updated",
    "MERCHANT_FAIL": "refund.updated",
    "NOBODY_HAS_HEARD_OF_IT": "refund.updated",
}


@pytest.mark.parametrize("status", AFTER_SALES)
def test_an_after_sales_event_asks_for_the_order_and_the_after_sale(status):
    found = event(after_sale(status))

    assert (found.type, found.status, found.refund_ref) == (AFTER_SALES[status], None, "2000000000000001")
    assert [(each.kind, each.ref) for each in ADAPTER.fetches(found)] == [
        (FetchKind.ORDER, "6900000000000000001"),
        (FetchKind.REFUND, "2000000000000001"),
    ]


@pytest.mark.parametrize(
    "message",
    [
        wechat_message("channels_ec_coupon_receive", receive_info={"coupon_id": "1", "user_coupon_id": "2"}),
        wechat_message("channels_ec_something_new"),
        {"ToUserName": "900001", "CreateTime": 1760000011, "MsgType": "text", "Content": "你好"},
    ],
)
def test_what_is_of_no_interest_gives_no_event(message):
    assert list(ADAPTER.normalise(native(message))) == []


BROKEN = {
    "no order": (wechat_message(order_info=None), "schema"),
    "an empty order": (wechat_message(order_info={}), "schema"),
    "an order without its id": (wechat_message(order_info={"order_id": 0}), "schema"),
    "an id as a float": (wechat_message(order_info={"order_id": 6.9e18}), "schema"),
    "an order of 65 digits": (wechat_message(order_info={"order_id": "9" * 65}), "schema"),
    "no shop": (wechat_message(ToUserName=""), "schema"),
    "a shop that is too long": (wechat_message(ToUserName="g" * 41), "schema"),
    "a time in milliseconds": (wechat_message(CreateTime=1_760_000_011_000), "time"),
    "no time": (wechat_message(CreateTime=0), "time"),
    "a time in words": (wechat_message(CreateTime="gestern"), "time"),
    "a negative time": (wechat_message(CreateTime=-1), "time"),
    "a payment in milliseconds": (
        wechat_message(order_info={"order_id": 1, "pay_time": 1_760_000_010_000}),
        "time",
    ),
    "an after-sale without its id": (after_sale("MERCHANT_PROCESSING", after_sale_order_id=""), "schema"),
    "an after-sale without its order": (after_sale("MERCHANT_PROCESSING", order_id=""), "schema"),
    "an after-sale whose status is a number": (after_sale("x", status=1), "schema"),
    "no after-sale": (wechat_message(AFTER_SALE), "schema"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_message_is_malformed_when_it_is_read(case):
    message, reason = BROKEN[case]
    one = native(message)

    with pytest.raises(Malformed) as refusal:
        ADAPTER.normalise(one)

    assert refusal.value.reason == reason


def test_messages_that_differ_in_anything_that_counts_have_keys_of_their_own():
    messages = [
        wechat_message(),
        wechat_message(CreateTime=1760000012),
        wechat_message(order_info={"order_id": 7}),
        wechat_message("channels_ec_order_deliver", order_info={"order_id": 7, "finish_delivery": 0}),
        wechat_message("channels_ec_order_deliver", order_info={"order_id": 7, "finish_delivery": 1}),
        after_sale("MERCHANT_PROCESSING"),
        after_sale("MERCHANT_REFUND_SUCCESS"),
    ]

    keys = {native(message).native_id for message in messages}
    assert len(keys) == len(messages)
    assert "" not in keys


def test_what_is_not_understood_is_told_apart_by_its_bytes():
    one, two = (native(wechat_message("channels_ec_something_new", n=n)) for n in (1, 2))

    assert (one.native_id, two.native_id, one.element != two.element) == ("", "", True)


def test_the_event_keeps_nothing_of_the_buyer():
    kept = msgspec.json.encode([native(wechat_message()).value, event(wechat_message())]).decode()

    assert "oOpenIdMadeUp0001" not in kept


@pytest.mark.parametrize(
    ("kind", "path", "body"),
    [
        (FetchKind.ORDER, "/channels/ec/order/get", {"order_id": "71"}),
        (FetchKind.REFUND, "/channels/ec/aftersale/getaftersaleorder", {"after_sale_order_id": "71"}),
    ],
)
def test_a_call_carries_the_token_and_one_id(kind, path, body):
    credential = Credential("wx1", (WECHAT_SECRET,), access_token="token-1")

    call = ADAPTER.call(Fetch(kind, "900001", "69", "71"), credential=credential, now_ms=0)

    assert (call.method, call.path, call.query) == ("POST", path, {"access_token": "token-1"})
    assert json.loads(call.body) == body


@settings(max_examples=300, deadline=None)
@given(edits=EDITS)
def test_whatever_is_sent_is_opened_or_refused(edits):
    raw = edited(wechat_sent(DOOR.body), edits)

    try:
        plaintext = DOOR.authenticate(raw, wechat_headers(raw))
        natives = ADAPTER.split(plaintext, headers={})
    except (BadSignature, Malformed):
        return
    assert len(natives) == 1
