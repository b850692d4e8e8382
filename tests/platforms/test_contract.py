"""What holds for every platform: one table of deliveries, run over all adapters."""

import contextlib
import json

import pytest

from livehub.platforms import registry
from livehub.platforms.contract import BadSignature, Covers, Malformed
from livehub.platforms.errors import UnknownPlatform, UnusableSecret
from tests.platforms.doors import DOORS, SAMPLES

every_door = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)


def test_every_adapter_is_tested_and_documented():
    names = [adapter.name for adapter in registry.all()]

    assert names == sorted(door.name for door in DOORS)
    for name in names:
        assert list((SAMPLES / name).glob("*.json")), name
        assert (SAMPLES.parents[2] / "docs" / "platforms" / f"{name}.md").is_file(), name


def test_an_unknown_platform_is_refused():
    with pytest.raises(UnknownPlatform):
        registry.get("no_such_platform")


@every_door
def test_the_untouched_delivery_is_accepted(door):
    natives = door.receive(door.body)

    assert natives
    assert all(native.shop_ref == "900001" and native.native_id for native in natives)
    assert all(event.shop_ref == "900001" for native in natives for event in door.adapter.normalise(native))


# Where nothing is signed, a changed delivery is no more than a knock: tests/platforms/test_kuaishou.py.
every_signed_door = pytest.mark.parametrize(
    "door", [door for door in DOORS if door.adapter.covers is not Covers.NONE], ids=lambda door: door.name
)


@every_signed_door
def test_any_flipped_byte_is_refused(door):
    """Of a platform that signs one field alone, the rest may change as long as the message is the same."""
    raw = door.sent(door.body)
    accepted = set()
    for at in range(len(raw)):
        flipped = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with contextlib.suppress(BadSignature):
            accepted.add(door.authenticate(flipped, door.headers(raw)))

    assert accepted == {Covers.BODY: set(), Covers.ENCRYPT_FIELD: {door.body}}[door.adapter.covers]


@every_signed_door
def test_the_same_json_written_anew_is_refused_where_its_bytes_are_signed(door):
    raw = door.sent(door.body)
    again = json.dumps(json.loads(raw), ensure_ascii=False).encode()

    if door.adapter.covers is Covers.ENCRYPT_FIELD:
        assert door.authenticate(again, door.headers(raw)) == door.body
        return
    with pytest.raises(BadSignature):
        door.authenticate(again, door.headers(raw))


@every_door
@pytest.mark.parametrize("value", ["", "x", "v1,", "v1", "密", "\udcff", "a" * 5000])
def test_a_broken_header_is_refused_whatever_it_holds(door, value):
    raw = door.sent(door.body)
    headers = door.headers(raw)
    for name in headers:
        with pytest.raises(BadSignature):
            door.authenticate(raw, headers | {name: value})
        with pytest.raises(BadSignature):
            door.authenticate(raw, {each: headers[each] for each in headers if each != name})


@every_door
def test_every_active_secret_is_tried_and_no_other(door):
    raw = door.sent(door.body)
    headers = door.headers(raw)
    old, new = door.credential.secrets[0], door.credential.secrets[0][:-2] + "AA"
    both = type(door.credential)(door.credential.app_key, (new, old))

    assert door.authenticate(raw, headers, credential=both) == door.body
    assert door.adapter.reopen(raw=raw, credential=both) == door.body
    for secrets in ((new,), ()):
        with pytest.raises(BadSignature):
            door.authenticate(raw, headers, credential=type(both)(both.app_key, secrets))


@every_door
def test_an_unusable_secret_is_refused_when_it_is_given(door):
    door.adapter.check_secret(door.credential.secrets[0])
    door.adapter.check_secret(door.other_secret)

    for secret in ("", " ", "\n" + door.credential.secrets[0]):
        with pytest.raises(UnusableSecret):
            door.adapter.check_secret(secret)


@every_door
def test_the_same_delivery_twice_is_the_same_twice(door):
    assert door.receive(door.body) == door.receive(door.body)


@every_door
def test_an_unknown_type_is_of_no_interest_but_of_a_known_shop(door):
    (native,) = door.receive(door.unknown)

    assert (native.shop_ref != "", list(door.adapter.normalise(native))) == (True, [])


@every_door
def test_of_repeated_keys_the_last_one_wins(door):
    (native,) = door.receive(door.repeated_key)

    assert {native.shop_ref, *(event.shop_ref for event in door.adapter.normalise(native))} == {"900001"}


@every_door
def test_identifiers_beyond_two_to_the_53rd_are_exact(door):
    (native,) = door.receive(door.large_ids)

    assert [event.order_ref for event in door.adapter.normalise(native)] == ["6900000000000000001"]


@every_door
def test_wrong_types_are_malformed_and_name_the_field(door):
    (native,) = door.receive(door.types_are_wrong)

    with pytest.raises(Malformed) as refusal:
        door.adapter.normalise(native)

    assert refusal.value.reason == "schema"
    assert "$." in refusal.value.detail


def malformed_bodies(good: bytes) -> dict[str, bytes]:
    """Authentic deliveries that no decoder of ours may let through."""
    middle = good.index(b":") + 1
    return {
        "nothing": b"",
        "white space": b" \n",
        "truncated": good[:-1],
        "half": good[: len(good) // 2],
        "invalid UTF-8": good.replace(b'"', b'"\xff', 1),
        "byte order mark": b"\xef\xbb\xbf" + good,
        "NUL inside": good.replace(b'"', b'"\0', 1),
        "NUL escaped": good.replace(b'"', b'"\\u0000', 1),
        "trailing bytes": good + b"x",
        "a second document": good + good,
        "padding of a length extension": good + b"\x80" + b"\0" * 40 + b"\x00\x01\x88" + good,
        "padding without NUL": good + b"\x80" + good,
        "NaN": good[:middle] + b"NaN," + good[middle:],
        "Infinity": good[:middle] + b"-Infinity," + good[middle:],
        "300 deep": b"[" * 300 + b"]" * 300,
        "300 deep, not closed": b'{"a":' * 300,
        "a number": b"7",
        "a text": b'"hello"',
        "null": b"null",
        "single quotes": good.replace(b'"', b"'"),
        "a comma too many": good[:-1] + b"," + good[-1:],
        "a lone surrogate": good.replace(b'"', b'"\\ud800', 1),
        "a form": b"tag=101&data=x",
        "XML": b"<xml></xml>",
        "501 elements": b"[" + b"{}," * 500 + b"{}]",
    }


@every_door
@pytest.mark.parametrize("case", malformed_bodies(b"[{}:]"))
def test_an_authentic_but_broken_body_is_malformed_never_a_crash(door, case):
    body = malformed_bodies(door.body)[case]
    headers = door.headers(door.body)  # split() is what is tried: whoever got here was authentic

    assert door.adapter.probe(body) is None
    with pytest.raises(Malformed) as refusal:
        door.adapter.split(body, headers=headers)

    assert refusal.value.reason == "schema"
    assert 0 < len(refusal.value.detail) <= 300


@every_door
def test_answers_are_the_platforms_own(door):
    ack, refuse = door.adapter.ack(), door.adapter.refuse()

    assert (ack.status, refuse.status) == (200, 401)
    for answer in (ack, refuse):
        assert answer.body
        if answer.content_type == "application/json":
            assert json.loads(answer.body)


@every_door
def test_a_complete_event_asks_for_nothing_more(door):
    asked = [
        (event.order is not None, len(door.adapter.fetches(event)))
        for native in door.receive(door.body)
        for event in door.adapter.normalise(native)
    ]

    assert asked
    assert all(complete is (count == 0) for complete, count in asked)
