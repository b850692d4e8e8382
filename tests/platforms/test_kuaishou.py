"""快手 deliveries: what opens them and whose they are, what each says, and what has to be fetched."""

import contextlib
import random
from base64 import b64decode, b64encode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livehub.platforms.adapters.kuaishou import ADAPTER
from livehub.platforms.contract import (
    BadSignature,
    Covers,
    Credential,
    Event,
    EventType,
    Fetch,
    FetchKind,
    Malformed,
)
from livehub.platforms.errors import UnusableSecret
from tests.platforms.doors import compact, kuaishou, kuaishou_message, kuaishou_sealed, sample
from tests.platforms.test_contract import malformed_bodies

DOOR = kuaishou()
SEALED = kuaishou_sealed(DOOR.body)
ORDER = "6900000000000000001"
PAID = Event(type=EventType.ORDER_PAID, shop_ref="900001", order_ref=ORDER, status_at=1_760_000_010_123)


def opened(sealed: bytes, **changes: object) -> bytes:
    return DOOR.authenticate(sealed, {}, **changes)


def events(message: object) -> list[Event]:
    return [event for native in DOOR.receive(compact(message)) for event in ADAPTER.normalise(native)]


@pytest.mark.parametrize("name", ["kuaishou", "kuaishou_heartbeat"])
def test_the_vector_is_opened(name):
    known = sample("kuaishou", name)

    assert opened(known["body"].encode()).decode() == known["plaintext"]
    assert ADAPTER.ack().body.decode() == known["expect_ack"]


def test_the_vectors_message_becomes_one_thin_event():
    plaintext = opened(sample("kuaishou", "kuaishou")["body"].encode())

    (native,) = ADAPTER.split(plaintext, headers={})

    assert (native.native_type, native.native_id, native.shop_ref, native.provider_ts) == (
        "kwaishop_order_paySuccess",
        "243_4027_1000001",
        "2100000001",
        1_760_000_010_123,
    )
    assert list(ADAPTER.normalise(native)) == [
        Event(
            type=EventType.ORDER_PAID,
            shop_ref="2100000001",
            order_ref="2600000000000301",
            status_at=1_760_000_010_123,
        )
    ]


def test_the_heartbeat_is_answered_and_is_no_delivery():
    assert ADAPTER.probe(b'{"test":true}') == ADAPTER.probe(b'{ "test" : true }') == ADAPTER.ack()
    for other in (DOOR.body, b'{"test":false}', b'{"test":1}', b'{"test":true,"event":"x"}', b"true", b"["):
        assert ADAPTER.probe(other) is None


def sealed_but_not_ours() -> dict[str, bytes]:
    """Bodies that somebody could send who has no key of ours, or another app's."""
    whole = b64decode(SEALED)
    unpadded = b64decode(kuaishou_sealed(b"x" * 15))  # its last block is full of another padding
    return {
        "nothing": b"",
        "not base64": b"{}" + SEALED,
        "another alphabet": SEALED.replace(b"+", b"-").replace(b"/", b"_") + b"-_-_",
        "a line end": SEALED + b"\n",
        "white space inside": SEALED[:40] + b" " + SEALED[40:],
        "a character short": SEALED[:-1],
        "not ASCII": "密".encode() + SEALED,
        "the plaintext": DOOR.body,
        "half a block": b64encode(whole[:-8]),
        "a block short": b64encode(whole[:-16]),
        "a block twice": b64encode(whole + whole[-16:]),
        "blocks exchanged": b64encode(whole[:16] + whole[32:48] + whole[16:32] + whole[48:]),
        "one block of noise": b64encode(random.Random(1).randbytes(16)),
        "many blocks of noise": b64encode(random.Random(1).randbytes(4096)),
        "no padding at all": b64encode(unpadded[:0] + whole[:16]),
        "another key": kuaishou_sealed(DOOR.body, key=b"another-key-of16"),
        "another app": kuaishou_sealed(compact(kuaishou_message("order_paySuccess") | {"appKey": "ks2"})),
        "no app": kuaishou_sealed(compact(kuaishou_message("order_paySuccess") | {"appKey": ""})),
        "an app that is a number": kuaishou_sealed(b'{"appKey":1,"event":"x"}'),
        "not UTF-8": kuaishou_sealed(DOOR.body.replace(b"paySuccess", b"pay\xffuccess")),
        "not JSON": kuaishou_sealed(b"appKey=ks700000000000000001"),
        "two documents": kuaishou_sealed(DOOR.body + DOOR.body),
        "a list": kuaishou_sealed(b"[" + DOOR.body + b"]"),
        "300 deep": kuaishou_sealed(b"[" * 300 + b"]" * 300),
        "no heartbeat": kuaishou_sealed(b'{"test":false}'),
        "empty": kuaishou_sealed(b""),
    }


@pytest.mark.parametrize("case", sealed_but_not_ours())
def test_what_is_not_shown_to_be_ours_is_refused_like_a_bad_signature(case):
    with pytest.raises(BadSignature):
        opened(sealed_but_not_ours()[case])


def test_bits_left_over_are_refused_so_that_a_body_is_written_in_one_way():
    sealed = kuaishou_sealed(b'{"test":true}')
    assert sealed.endswith(b"A==")
    other = sealed[:-3] + b"B=="

    assert b64decode(other) == b64decode(sealed)
    with pytest.raises(BadSignature):
        opened(other)


def test_an_app_without_a_key_of_its_own_takes_only_the_heartbeat():
    nobody = Credential("", DOOR.credential.secrets)
    whole = compact(kuaishou_message("order_paySuccess") | {"appKey": ""})

    with pytest.raises(BadSignature):
        opened(kuaishou_sealed(whole), credential=nobody)


@pytest.mark.parametrize("size", [16, 24, 32])
def test_every_size_of_key_opens(size):
    key = random.Random(size).randbytes(size)
    credential = Credential(DOOR.credential.app_key, ("s:" + b64encode(key).decode(),))

    assert opened(kuaishou_sealed(DOOR.body, key=key), credential=credential) == DOOR.body


@pytest.mark.parametrize(
    "secret",
    [
        "sign",
        "sign:",
        ":MDEyMzQ1Njc4OWFiY2RlZg==",
        "sign:MDEyMzQ1Njc4OWFiY2RlZg",
        "sign:MDEyMzQ1Njc4OWFiY2Rl",
        "sign:not base64 at all!!",
        "sign:MDEyMzQ1Njc4OWFiY2RlZg== ",
        "sign:密",
        "MDEyMzQ1Njc4OWFiY2RlZg==",
    ],
)
def test_a_secret_that_is_not_both_is_refused_with_a_word_about_its_shape(secret):
    with pytest.raises(UnusableSecret, match="signSecret"):
        ADAPTER.check_secret(secret)


def books_nothing(plaintext: bytes) -> bool:
    """Whatever got through the door: no money, and no time of a payment that would book money known already."""
    try:
        read = [e for native in ADAPTER.split(plaintext, headers={}) for e in ADAPTER.normalise(native)]
    except Malformed:
        return True
    return all(
        (event.order, event.refunds, event.paid_at, event.status, event.covers_until)
        == (None, (), None, None, 0)
        and ADAPTER.fetches(event)
        for event in read
    )


def test_a_flipped_bit_is_refused_or_at_most_makes_us_ask():
    assert ADAPTER.covers is Covers.NONE
    whole = b64decode(SEALED)
    through = 0
    for at in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << at % 8
        try:
            plaintext = opened(b64encode(bytes(flipped)))
        except BadSignature:
            continue
        through += 1
        assert books_nothing(plaintext), at

    # CBC has no MAC: garbage of one block may be JSON by chance, and the last bits are a neighbour's
    assert through < len(whole) // 8


@settings(max_examples=300, deadline=None)
@given(
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 20)), min_size=1, max_size=4
    )
)
def test_whatever_comes_is_opened_or_refused_and_nothing_else(edits):
    body = SEALED
    for where, piece, replaced in edits:
        at = int(where * len(body))
        body = body[:at] + piece + body[at + replaced :]

    with contextlib.suppress(BadSignature):
        assert books_nothing(opened(body))


ORDER_EVENTS = {
    "order_addOrder": "order.created",
    "order_paySuccess": "order.paid",
    "order_delivering": "order.shipped",
    "order_deliverySuccess": "order.updated",
    "order_orderSuccess": "order.finished",
    "order_orderFail": "order.cancelled",
    "order_totalFeeChange": "order.amount_changed",
}


@pytest.mark.parametrize("event", ORDER_EVENTS)
def test_each_event_of_an_order_means_what_the_table_says(event):
    read = events(kuaishou_message(event, totalFee=1, payTime=1, payAmount=3980))

    assert read == [msgspec.structs.replace(PAID, type=EventType(ORDER_EVENTS[event]))]


@pytest.mark.parametrize(
    ("event", "status", "way", "kind"),
    [
        ("addRefund", 10, 10, "refund.created"),
        ("updateRefund", 50, 10, "refund.updated"),
        ("updateRefund", 60, 10, "refund.succeeded"),
        ("updateRefund", 60, 1, "refund.succeeded"),
        ("updateRefund", 60, 3, "refund.updated"),
        ("updateRefund", 60, 4, "refund.updated"),
        ("updateRefund", 60, 5, "refund.updated"),
        ("updateRefund", 70, 10, "refund.updated"),
    ],
)
def test_each_event_of_an_after_sale_means_what_the_table_says(event, status, way, kind):
    info = {"oid": 0, "orderId": int(ORDER), "refundId": 7100000000000000009}

    (read,) = events(kuaishou_message(f"aftersales_{event}", status=status, handlingWay=way, **info))

    assert (read.type, read.order_ref, read.refund_ref) == (kind, ORDER, "7100000000000000009")
    assert books_nothing(
        compact(kuaishou_message(f"aftersales_{event}", status=status, handlingWay=way, **info))
    )


@pytest.mark.parametrize("event", ["order_addressChange", "order_addNote", "item_addItem", "order_new"])
def test_events_of_no_interest_give_no_event_whatever_they_hold(event):
    assert events(kuaishou_message(event, updateTime="?")) == []


def test_a_message_of_the_platforms_own_test_tool_is_no_business():
    assert events(kuaishou_message("order_paySuccess") | {"test": True}) == []


def test_a_message_without_its_time_takes_the_next_best():
    def at(**changes: object) -> int:
        (event,) = events(kuaishou_message("order_paySuccess", updateTime=0) | changes)
        return event.status_at

    assert at() == 1_760_000_010_300
    assert at(updateTime=0) == 1_760_000_010_200
    assert events(kuaishou_message("order_addOrder", updateTime=0, createTime=1_760_000_009_000))[
        0
    ].status_at == (1_760_000_009_000)


def test_nothing_of_the_buyer_is_taken_in():
    whole = kuaishou_message(
        "order_addOrder", buyerOpenId="f1b6", customizedInfo="13900000001", mobile="张三"
    )
    (native,) = DOOR.receive(compact(whole))

    kept = msgspec.json.encode(list(ADAPTER.normalise(native))).decode()

    assert not any(each in kept for each in ("13900000001", "张三", "f1b6"))


BROKEN = {
    "no time at all": (
        kuaishou_message("order_paySuccess", updateTime=0) | {"updateTime": 0, "createTime": 0},
        "time",
    ),
    "a time in seconds": (kuaishou_message("order_paySuccess", updateTime=1_760_000_010), "time"),
    "a negative time": (kuaishou_message("order_paySuccess", updateTime=-1), "time"),
    "after 2038": (kuaishou_message("order_paySuccess", updateTime=2_200_000_000_000), "time"),
    "a time as a text": (kuaishou_message("order_paySuccess", updateTime="1760000010123"), "schema"),
    "an id as a float": (kuaishou_message("order_paySuccess", oid=6.9e18), "schema"),
    "no order": (kuaishou_message("order_paySuccess", oid=0), "schema"),
    "an order of 65 digits": (kuaishou_message("order_paySuccess", oid="9" * 65), "schema"),
    "no after-sale": (kuaishou_message("aftersales_addRefund", orderId=1), "schema"),
    "an after-sale without its order": (kuaishou_message("aftersales_addRefund", refundId=1), "schema"),
    "no content": (kuaishou_message("order_paySuccess") | {"info": ""}, "schema"),
    "content that is no JSON": (
        kuaishou_message("order_paySuccess") | {"info": '{"oid":1,"x":"a"b"}'},
        "schema",
    ),
    "content with a NUL": (kuaishou_message("order_paySuccess") | {"info": '{"oid":"\\u0000"}'}, "schema"),
    "content with NaN": (kuaishou_message("order_paySuccess") | {"info": '{"oid":NaN}'}, "schema"),
    "content 300 deep": (kuaishou_message("order_paySuccess") | {"info": "[" * 300 + "]" * 300}, "schema"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_message_with_broken_content_is_known_by_its_id_and_shop_and_malformed(case):
    message, reason = BROKEN[case]
    (native,) = DOOR.receive(compact(message))

    assert (native.native_id, native.shop_ref) == (message["eventId"], "900001")
    with pytest.raises(Malformed) as refusal:
        ADAPTER.normalise(native)
    assert refusal.value.reason == reason


UNREADABLE = {
    "a NUL": kuaishou_message("order_paySuccess") | {"openId": "\0"},
    "33 deep": kuaishou_message("order_paySuccess") | {"more": msgspec.json.decode(b"[" * 33 + b"]" * 33)},
    "no event": kuaishou_message("order_paySuccess") | {"event": ""},
    "an event that is a number": kuaishou_message("order_paySuccess") | {"event": 1},
    "no seller": kuaishou_message("order_paySuccess") | {"userId": 0},
    "a seller of 41 digits": kuaishou_message("order_paySuccess") | {"userId": "9" * 41},
    "content that is an object": kuaishou_message("order_paySuccess") | {"info": {}},
    "an id of 129 characters": kuaishou_message("order_paySuccess") | {"eventId": "9" * 129},
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_message_of_our_app_that_cannot_be_taken_apart_is_malformed_not_refused(case):
    plaintext = opened(kuaishou_sealed(compact(UNREADABLE[case])))

    with pytest.raises(Malformed) as refusal:
        ADAPTER.split(plaintext, headers={})
    assert refusal.value.reason == "schema"


def test_messages_without_an_id_differ_by_their_bytes():
    one, two = (
        DOOR.receive(compact(kuaishou_message("order_paySuccess", status=n) | {"eventId": ""}))[0]
        for n in (1, 2)
    )

    assert (one.native_id, two.native_id, one.element != two.element) == ("", "", True)


@pytest.mark.parametrize("case", malformed_bodies(DOOR.body))
def test_no_broken_body_is_more_than_refused_however_well_it_is_sealed(case):
    with contextlib.suppress(BadSignature):
        assert books_nothing(opened(kuaishou_sealed(malformed_bodies(DOOR.body)[case])))


def test_an_order_event_asks_for_the_order_and_a_refund_before_it_for_both():
    refund = Event(
        type=EventType.REFUND_SUCCEEDED, shop_ref="900001", order_ref=ORDER, refund_ref="71", status_at=1
    )
    order = Fetch(FetchKind.ORDER, "900001", ORDER, ORDER)

    assert list(ADAPTER.fetches(PAID)) == [order]
    assert list(ADAPTER.fetches(refund)) == [order, Fetch(FetchKind.REFUND, "900001", ORDER, "71")]


def test_the_call_is_signed_as_the_vector_is_and_the_fees_are_asked_for_after_it():
    known = sample("kuaishou", "kuaishou_api_sign")
    params = known["params"]
    older = "older:" + sample("kuaishou", "kuaishou")["message_private_key_b64"]
    credential = Credential(params["appkey"], (*DOOR.credential.secrets, older), params["access_token"])

    call = ADAPTER.call(
        Fetch(FetchKind.ORDER, "900001", "2600000000000301", "2600000000000301"),
        credential=credential,
        now_ms=int(params["timestamp"]),
    )

    assert (call.method, call.path, call.body) == ("GET", "/open/order/detail", b"")
    assert call.query == params | {"sign": known["sign_hmac_sha256_b64"]}
    (fees,) = call.also
    assert (fees.path, fees.query["method"], fees.query["param"]) == (
        "/open/seller/order/fee/detail",
        "open.seller.order.fee.detail",
        params["param"],
    )
    assert fees.query["sign"] != call.query["sign"]


def test_an_after_sale_is_asked_for_by_its_own_id_in_one_call():
    call = ADAPTER.call(Fetch(FetchKind.REFUND, "900001", "69", "71"), credential=DOOR.credential, now_ms=0)

    assert (call.path, call.query["param"], call.also) == (
        "/open/seller/order/refund/detail",
        '{"refundId":71}',
        (),
    )
