"""Standard Webhooks: signature, tolerance, and the canonical order field by field."""

import copy
from datetime import timedelta

import msgspec
import pytest

from livehub.platforms import canonical
from livehub.platforms.adapters.standard_webhooks import ADAPTER
from livehub.platforms.contract import BadSignature, Credential, Event, Fetch, FetchKind, Malformed
from livehub.platforms.errors import UnusableSecret
from tests.platforms.doors import (
    NOW,
    NOW_MS,
    SAMPLES,
    compact,
    sample,
    standard_headers,
    standard_order,
    standard_webhooks,
)

DOOR = standard_webhooks()
SCHEMA = SAMPLES.parents[2] / "docs" / "platforms" / "standard_webhooks.schema.json"


def event_of(body: dict) -> Event:
    (native,) = DOOR.receive(compact(body))
    (event,) = ADAPTER.normalise(native)
    return event


def with_line(**changes: object) -> dict:
    body = copy.deepcopy(standard_order())
    body["data"]["lines"][0] |= changes
    return body


def with_refund(**changes: object) -> dict:
    body = copy.deepcopy(standard_order())
    body["data"]["refunds"][0] |= changes
    return body


def test_our_vector_is_authentic():
    known = sample("standard_webhooks", "standard_webhooks")

    assert DOOR.authenticate(known["body"].encode(), known["headers"], now_ms=1_760_000_010_000)


def test_the_published_vector_is_authentic():
    body = b'{"test": 2432232314}'
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    credential = Credential("", ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",))

    assert DOOR.authenticate(body, headers, credential=credential, now_ms=1_614_265_330_000) == body


@pytest.mark.parametrize(("seconds", "accepted"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_five_minutes_are_tolerated_either_way(seconds, accepted):
    headers = standard_headers(DOOR.body, at=NOW + timedelta(seconds=seconds))

    if accepted:
        assert DOOR.authenticate(DOOR.body, headers, now_ms=NOW_MS) == DOOR.body
    else:
        with pytest.raises(BadSignature, match="five minutes"):
            DOOR.authenticate(DOOR.body, headers, now_ms=NOW_MS)


@pytest.mark.parametrize(
    "around", ["{} v1,bm8=", "v1a,bm8= {}", "v1 , garbage v1,,, {}", "  {}  ", "v2,eA== {} v1"]
)
def test_broken_and_foreign_elements_of_the_list_are_passed_over(around):
    headers = standard_headers(DOOR.body)
    given = headers | {"webhook-signature": around.format(headers["webhook-signature"])}

    assert DOOR.authenticate(DOOR.body, given) == DOOR.body


@pytest.mark.parametrize("change", [str.upper, str.swapcase, lambda text: text.replace("v1,", "v1a,")])
def test_a_base64_digest_in_other_letters_is_refused(change):
    headers = standard_headers(DOOR.body)

    with pytest.raises(BadSignature):
        DOOR.authenticate(DOOR.body, headers | {"webhook-signature": change(headers["webhook-signature"])})


def test_the_id_is_signed_and_is_the_key():
    headers = standard_headers(DOOR.body, message_id="evt_42")
    (native,) = ADAPTER.split(DOOR.body, headers=headers)

    assert native.native_id == "evt_42"
    with pytest.raises(BadSignature):
        DOOR.authenticate(DOOR.body, headers | {"webhook-id": "evt_43"})


@pytest.mark.parametrize(
    "secret", ["whsec_", "whsec_AAAA", "whsec_??", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "whsec_密"]
)
def test_a_secret_of_another_form_is_refused_and_checks_nothing(secret):
    with pytest.raises(UnusableSecret):
        ADAPTER.check_secret(secret)
    with pytest.raises(BadSignature):
        DOOR.authenticate(DOOR.body, standard_headers(DOOR.body), credential=Credential("", (secret,)))


def test_the_sample_order_is_read_whole():
    known = sample("standard_webhooks", "order_paid")

    assert event_of(known["body"]) == msgspec.convert(known["expected"], Event)


@pytest.mark.parametrize("name", sorted(canonical.TYPES))
def test_every_type_of_ours_carries_the_whole_order(name):
    event = event_of(standard_order() | {"type": name})

    assert (event.type, len(event.order.lines)) == (name, 2)


BOUNDS = 10**12
WRONG = {
    "a foreign currency": (standard_order(currency="USD"), "currency", "data.currency"),
    "no currency": (standard_order(currency=None), "schema", "$.data.currency"),
    "no lines": (standard_order(lines=[]), "schema", "$.data.lines"),
    "501 lines": (standard_order(lines=standard_order()["data"]["lines"] * 251), "schema", "$.data.lines"),
    "an unknown status": (standard_order(status="done"), "schema", "$.data.status"),
    "an unknown field": (standard_order(discount=5), "schema", "$.data"),
    "paid, but when?": (standard_order(paid_at=None), "schema", "data.paid_at"),
    "a local time": (standard_order(updated_at="2025-10-09T16:53:30"), "schema", "$.data.updated_at"),
    "a time as a number": (standard_order(updated_at=1760000010), "schema", "$.data.updated_at"),
    "a time before 2015": (standard_order(created_at="2014-12-31T23:59:59Z"), "time", "data.created_at"),
    "a time after 2037": (standard_order(finished_at="2038-01-01T00:00:00Z"), "time", "data.finished_at"),
    "a delivery before 2015": (standard_order() | {"timestamp": "1970-01-01T00:00:00Z"}, "time", "timestamp"),
    "a shop with a colon": (standard_order(shop_ref="a:b"), "schema", "$.data.shop_ref"),
    "a shop with a line feed": (standard_order(shop_ref="900001\n"), "schema", "$.data.shop_ref"),
    "an order with a blank": (standard_order(order_ref="A 1"), "schema", "$.data.order_ref"),
    "an order as a number": (standard_order(order_ref=6900000000000000001), "schema", "$.data.order_ref"),
    "an order of 65 letters": (standard_order(order_ref="x" * 65), "schema", "$.data.order_ref"),
    "a negative amount": (with_line(buyer_paid_fen=-1), "schema", "$.data.lines[0].buyer_paid_fen"),
    "an amount beyond all sense": (with_line(list_fen=BOUNDS + 1), "schema", "$.data.lines[0].list_fen"),
    "an amount beyond 64 bits": (with_line(list_fen=10**30), "schema", "$.data.lines[0].list_fen"),
    "a fraction of a fen": (with_line(list_fen=258.5), "schema", "$.data.lines[0].list_fen"),
    "a float that is whole": (with_line(list_fen=258.0), "schema", "$.data.lines[0].list_fen"),
    "yuan": (with_line(list_fen="258.00"), "schema", "$.data.lines[0].list_fen"),
    "true": (with_line(list_fen=True), "schema", "$.data.lines[0].list_fen"),
    "a line named twice": (with_line(line_ref="L2"), "schema", "data.lines[1].line_ref"),
    "a refund of no line": (with_refund(line_ref="L9"), "schema", "data.refunds[0].line_ref"),
    "a refund of unknown success": (with_refund(refunded_fen=None), "schema", "data.refunds[0]"),
    "a refund that succeeded at no time": (with_refund(succeeded_at=None), "schema", "data.refunds[0]"),
    "a refund of an unknown kind": (with_refund(kind="gift"), "schema", "$.data.refunds[0].kind"),
    "a refund named twice": (
        standard_order(refunds=standard_order()["data"]["refunds"] * 2),
        "schema",
        "data.refunds[1].refund_ref",
    ),
    "another product's payload": (
        msgspec.json.decode(sample("standard_webhooks", "standard_webhooks")["body"]),
        "schema",
        "$.data",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_booked_is_malformed_and_names_the_place(case):
    body, reason, where = WRONG[case]

    with pytest.raises(Malformed) as refusal:
        event_of(body)

    assert (refusal.value.reason, where in refusal.value.detail) == (reason, True)


def test_a_number_too_large_for_any_float_names_the_place():
    body = DOOR.body.replace(b'"list_fen":25800', b'"list_fen":1e400')
    (native,) = DOOR.receive(body)

    with pytest.raises(Malformed, match=r"data\.lines") as refusal:
        ADAPTER.normalise(native)

    assert "list_fen" in refusal.value.detail


def test_what_a_sender_wrote_is_not_repeated_in_the_reason():
    with pytest.raises(Malformed) as refusal:
        event_of(standard_order(status="13900000001"))

    assert "13900000001" not in refusal.value.detail


def test_the_identity_is_left_to_intake():
    assert event_of(with_line(list_fen=1)).order.lines[0].list_fen == 1


def test_there_is_nothing_to_fetch():
    fetch = Fetch(FetchKind.ORDER, "900001", "1", "1")

    with pytest.raises(ValueError, match="nothing to fetch"):
        ADAPTER.call(fetch, credential=DOOR.credential, now_ms=NOW_MS)
    with pytest.raises(ValueError, match="nothing to fetch"):
        ADAPTER.read_reply(fetch, b"{}")


def test_the_published_schema_is_current():
    assert SCHEMA.read_bytes() == canonical.json_schema()
