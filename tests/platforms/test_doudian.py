"""抖店 deliveries: signature, envelope, tags, and what has to be fetched."""

import msgspec
import pytest

from livehub.platforms.adapters.doudian import ADAPTER
from livehub.platforms.contract import (
    BadSignature,
    Credential,
    Event,
    EventType,
    Fetch,
    FetchKind,
    Malformed,
    OrderStatus,
)
from tests.platforms.doors import compact, doudian, doudian_element, doudian_headers, sample

DOOR = doudian()
PAID = Event(
    type=EventType.ORDER_PAID,
    shop_ref="900001",
    order_ref="6900000000000000001",
    status=OrderStatus.PAID,
    status_at=1_760_000_010_000,
    paid_at=1_760_000_010_000,
)


def events(*elements: object) -> list[Event]:
    natives = ADAPTER.split(compact(list(elements)), headers={})
    return [event for native in natives for event in ADAPTER.normalise(native)]


@pytest.mark.parametrize("name", ["doudian", "doudian_probe"])
def test_the_published_vector_is_authentic(name):
    known = sample("doudian", name)

    plaintext = DOOR.authenticate(known["body"].encode(), known["headers"])

    assert plaintext == known["body"].encode()
    assert ADAPTER.ack().body.decode() == known["expect_ack"]


def test_an_upper_case_digest_is_as_good():
    headers = doudian_headers(DOOR.body)

    assert DOOR.authenticate(DOOR.body, headers | {"event-sign": headers["event-sign"].upper()}) == DOOR.body


def test_another_apps_id_is_refused_even_with_a_valid_digest():
    with pytest.raises(BadSignature, match="app-id"):
        DOOR.authenticate(DOOR.body, doudian_headers(DOOR.body) | {"app-id": "7000000000000000002"})


def test_a_sign_method_whose_rule_is_unknown_is_refused():
    headers = doudian_headers(DOOR.body)

    assert DOOR.authenticate(DOOR.body, headers | {"sign-method": "MD5"}) == DOOR.body
    with pytest.raises(BadSignature, match="sign-method"):
        DOOR.authenticate(DOOR.body, headers | {"sign-method": "hmac-sha256"})


def test_the_probe_is_answered_and_is_no_delivery():
    probe = sample("doudian", "doudian_probe")["body"].encode()

    assert ADAPTER.probe(probe) == ADAPTER.ack()
    assert ADAPTER.probe(probe.replace(b'"0"', b"0")) == ADAPTER.ack()
    assert ADAPTER.probe(DOOR.body) is None
    assert ADAPTER.probe(compact([doudian_element("0"), doudian_element("101")])) is None


def test_the_vectors_batch_becomes_two_thin_events():
    natives = DOOR.receive(DOOR.body)

    assert [(native.native_type, native.native_id, native.provider_ts) for native in natives] == [
        ("101", "69000000000000000010:101:1760000010:900001", 1_760_000_010_000),
        ("206", "69000000000000000011:206:1760086400:900001", 1_760_086_400_000),
    ]
    assert [event for native in natives for event in ADAPTER.normalise(native)] == [
        PAID,
        Event(
            type=EventType.REFUND_SUCCEEDED,
            shop_ref="900001",
            order_ref="6900000000000000001",
            refund_ref="7100000000000000009",
            status_at=1_760_086_400_000,
        ),
    ]


ENVELOPES = {
    "as documented": doudian_element("101", pay_time=1760000010),
    "tag as a number": doudian_element(101, pay_time=1760000010),
    "data as an object": doudian_element("101", as_text=False, pay_time=1760000010),
    "ids as texts": doudian_element("101", pay_time=1760000010, p_id="6900000000000000001", shop_id="900001"),
    "more than we know": doudian_element(
        "101", pay_time=1760000010, receiver_msg={"name": "张三", "tel": "139"}
    ),
}


@pytest.mark.parametrize("case", ENVELOPES)
def test_every_spelling_of_the_envelope_says_the_same(case):
    assert events(ENVELOPES[case]) == [PAID]


def test_the_other_name_of_the_message_id_is_its_key():
    element = doudian_element("101", msg_id="m-1", pay_time=1760000010)
    element["msgId"] = element.pop("msg_id")

    (native,) = ADAPTER.split(compact([element]), headers={})

    assert native.native_id == "m-1"


def test_a_single_object_is_a_batch_of_one():
    element = ENVELOPES["as documented"]

    assert list(ADAPTER.split(compact(element), headers={})) == list(
        ADAPTER.split(compact([element]), headers={})
    )


def test_an_empty_batch_has_no_messages():
    assert list(ADAPTER.split(b"[]", headers={})) == []


def test_the_event_keeps_nothing_of_the_receiver():
    secret = doudian_element(
        "102", update_time=1760000010, receiver_msg={"name": "张三", "tel": "13900000001"}
    )
    (native,) = ADAPTER.split(compact([secret]), headers={})

    kept = msgspec.json.encode([native.value, *ADAPTER.normalise(native)]).decode()

    assert "13900000001" not in kept
    assert "张三" not in kept


TAGS = {
    "100": ("order.created", 10, "create_time"),
    "101": ("order.paid", 20, "pay_time"),
    "102": ("order.shipped", 40, "update_time"),
    "103": ("order.finished", 50, "complete_time"),
    "106": ("order.cancelled", 60, "cancel_time"),
    "108": ("order.partially_shipped", 30, "update_time"),
    "109": ("order.amount_changed", None, "modify_time"),
    "110": ("order.updated", None, "update_time"),
    "200": ("refund.created", None, "apply_time"),
    "201": ("refund.agreed", None, "agree_time"),
    "202": ("refund.agreed", None, "agree_time"),
    "203": ("refund.updated", None, "update_time"),
    "204": ("refund.refused", None, "refuse_time"),
    "205": ("refund.refused", None, "refuse_time"),
    "206": ("refund.succeeded", None, "success_time"),
    "207": ("refund.closed", None, "close_time"),
    "208": ("refund.updated", None, "modify_time"),
    "209": ("refund.updated", None, "modify_time"),
    "224": ("refund.created", None, "apply_time"),
    "225": ("refund.succeeded", None, "success_time"),
}


@pytest.mark.parametrize("tag", TAGS)
def test_each_tag_means_what_the_table_says(tag):
    kind, status, field = TAGS[tag]
    data = {field: 1_760_000_500, "aftersale_id": 7100000000000000009}

    (event,) = events(doudian_element(tag, **data))

    assert (event.type, event.status, event.status_at) == (kind, status, 1_760_000_500_000)
    assert event.refund_ref == ("7100000000000000009" if kind.startswith("refund.") else "")


@pytest.mark.parametrize("tag", ["104", "105", "111", "113", "126", "211", "212", "227", "999"])
def test_tags_of_no_interest_give_no_event_whatever_they_hold(tag):
    assert events(doudian_element(tag, pay_time="?")) == []


def test_a_tag_without_its_time_takes_the_latest_it_mentions_then_the_ids():
    (mentioned,) = events(
        doudian_element("110", create_time=1_760_000_001, pay_time=1_760_000_002, order_status=2)
    )
    (of_id,) = events(doudian_element("110", msg_id="1:110:1760000003:900001"))

    assert (mentioned.status, mentioned.status_at) == (OrderStatus.PAID, 1_760_000_002_000)
    assert of_id.status_at == 1_760_000_003_000


BROKEN = {
    "no time at all": (doudian_element("101", msg_id="m"), "time"),
    "a time in milliseconds": (doudian_element("101", pay_time=1_760_000_010_000), "time"),
    "a time before 2015": (doudian_element("101", pay_time=1_000_000_000), "time"),
    "a negative time": (doudian_element("101", pay_time=-1), "time"),
    "a time as 1e400": (
        {"tag": "101", "msg_id": "m", "data": '{"p_id":1,"shop_id":900001,"pay_time":1e400}'},
        "schema",
    ),
    "NaN inside": ({"tag": "101", "msg_id": "m", "data": '{"p_id":1,"pay_time":NaN}'}, "schema"),
    "an id as a float": (doudian_element("101", p_id=6.9e18, pay_time=1_760_000_010), "schema"),
    "no order": (doudian_element("101", p_id=0, pay_time=1_760_000_010), "schema"),
    "no shop": (doudian_element("101", shop_id="", pay_time=1_760_000_010), "schema"),
    "an order of 65 digits": (doudian_element("101", p_id="9" * 65, pay_time=1_760_000_010), "schema"),
    "no data": ({"tag": "101", "msg_id": "m"}, "schema"),
    "data is null": ({"tag": "101", "msg_id": "m", "data": None}, "schema"),
    "data is not JSON": ({"tag": "101", "msg_id": "m", "data": '{"p_id":1,"title":"他说"好""}'}, "schema"),
    "a NUL inside the data": ({"tag": "101", "msg_id": "m", "data": '{"p_id":"\\u0000"}'}, "schema"),
    "the data 300 deep": ({"tag": "101", "msg_id": "m", "data": "[" * 300 + "]" * 300}, "schema"),
    "no tag": ({"msg_id": "m", "data": "{}"}, "schema"),
    "a tag that is a list": ({"tag": [], "msg_id": "m", "data": "{}"}, "schema"),
    "an element that is a number": (7, "schema"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_element_is_malformed_by_itself_and_its_neighbours_go_through(case):
    element, reason = BROKEN[case]

    before, broken, after = ADAPTER.split(
        compact([ENVELOPES["as documented"], element, doudian_element("999")]), headers={}
    )

    assert list(ADAPTER.normalise(before)) == [PAID]
    assert list(ADAPTER.normalise(after)) == []
    with pytest.raises(Malformed) as refusal:
        ADAPTER.normalise(broken)
    assert refusal.value.reason == reason


def test_elements_without_an_id_differ_by_their_bytes():
    one, two = ADAPTER.split(
        compact([{"tag": "101", "data": "{}"}, {"tag": "101", "data": "{ }"}]), headers={}
    )

    assert (one.native_id, two.native_id, one.element != two.element) == ("", "", True)


def test_an_order_event_asks_for_the_order_and_a_refund_before_it_for_both():
    (refund,) = events(doudian_element("206", aftersale_id=71, success_time=1_760_000_500))
    order = Fetch(FetchKind.ORDER, "900001", "6900000000000000001", "6900000000000000001")

    assert list(ADAPTER.fetches(PAID)) == [order]
    assert list(ADAPTER.fetches(refund)) == [
        order,
        Fetch(FetchKind.REFUND, "900001", "6900000000000000001", "71"),
    ]


def test_the_call_is_signed_as_the_vector_is():
    known = sample("doudian", "doudian_api_sign")
    credential = Credential(known["app_key"], (known["app_secret"], "an older one"), access_token="token-1")

    call = ADAPTER.call(
        Fetch(FetchKind.ORDER, "900001", "6900000000000000001", "6900000000000000001"),
        credential=credential,
        now_ms=int(known["timestamp"]) * 1000 + 999,
    )

    assert (call.method, call.path, call.body.decode()) == ("POST", "/order/orderDetail", known["param_json"])
    assert call.query == {
        "app_key": known["app_key"],
        "method": known["method"],
        "access_token": "token-1",
        "timestamp": known["timestamp"],
        "v": "2",
        "sign": known["sign_hmac_sha256"],
        "sign_method": "hmac-sha256",
    }


def test_an_after_sale_is_asked_for_by_its_own_id():
    call = ADAPTER.call(Fetch(FetchKind.REFUND, "900001", "69", "71"), credential=DOOR.credential, now_ms=0)

    assert (call.path, call.query["method"], call.body) == (
        "/afterSale/Detail",
        "afterSale.Detail",
        b'{"after_sale_id":"71"}',
    )
