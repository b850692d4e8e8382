"""Whatever a body holds, an adapter reads it or says Malformed; it never fails otherwise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livehub.platforms import registry, replies, scan
from livehub.platforms.adapters import doudian
from livehub.platforms.adapters.doudian import TAGS
from livehub.platforms.contract import Event, Fetch, FetchKind, Malformed, ReplyRefused
from tests.platforms.doors import DOORS, NOW, compact, doudian_element, sample, standard_headers

PIECES = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"0", b"-1", b"1e400", b"null", b"true", b"9" * 30]
PIECES += [
    b"\xff",
    b"\0",
    b"\\u0000",
    b"\\ud800",
    b"[" * 40,
    b'\\"',
    "沙".encode(),
    b'""',
    b"NaN",
    b"1.5",
    b"",
]
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(PIECES), st.integers(0, 9)), min_size=1, max_size=4
)
REPLIES = {
    ("doudian", "order_detail_reply"): ("6900000000000000001", ""),
    ("doudian", "after_sale_detail_reply"): ("6900000000000000001", "7100000000000000009"),
    ("kuaishou", "refund_detail_reply"): ("6900000000000000001", "7100000000000000009"),
    ("wechat_store", "order_get_reply"): ("3700000000000000001", ""),
    ("wechat_store", "after_sale_reply"): ("3700000000000000001", "2000000000000001"),
}  # an order, and its after-sale


def edited(body: bytes, edits: list[tuple[float, bytes, int]]) -> bytes:
    for where, piece, replaced in edits:
        at = int(where * len(body))
        body = body[:at] + piece + body[at + replaced :]
    return body


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@settings(max_examples=300, deadline=None)
@given(edits=EDITS)
def test_a_delivery(door, edits):
    body = edited(door.body, edits)
    headers = standard_headers(b"", at=NOW)

    door.adapter.probe(body)
    try:
        natives = door.adapter.split(body, headers=headers)
    except Malformed:
        return
    for native in natives:
        try:
            events = door.adapter.normalise(native)
        except Malformed as refusal:
            assert refusal.reason in {"schema", "time", "currency", "identity"}  # noqa: PT017 -- one of many outcomes
        else:
            assert all(isinstance(event, Event) and "\0" not in repr(event) for event in events)


BATCH = [
    *(doudian_element(tag, **{TAGS[tag].time: 1_760_000_500}) for tag in TAGS),
    doudian_element("101", as_text=False, pay_time=1760000010),
    doudian_element(999, pay_time=1760000010),
    doudian_element("101", msg_id="0", pay_time=1760000010),
    doudian_element("101", pay_time=17),
    doudian_element("102", pay_time=1760000010),
    doudian_element("101", pay_time=1760000010, shop_id="沙"),
    doudian_element("101", pay_time=1760000010) | {"msgId": []},
    doudian_element("101", pay_time=1760000010) | {"msgId": "m-1"},
]


@settings(max_examples=600, deadline=None)
@given(batch=st.lists(st.sampled_from(BATCH), max_size=4), edits=st.just([]) | EDITS)
def test_what_is_plain_reads_as_the_careful_way_reads_it(batch, edits):
    body = edited(compact(batch), edits)
    try:
        scan.refuse_unsafe(body)
    except Malformed:
        return

    plain = doudian._of_plain(body)

    if plain is not None:
        assert plain == tuple(doudian._native(bytes(raw)) for raw in doudian._BATCH.decode(body))


def test_most_batches_are_plain():
    assert len(doudian._of_plain(compact(BATCH[: len(TAGS) // 2])) or ()) == len(TAGS) // 2


@settings(max_examples=300, deadline=None)
@given(edits=EDITS)
def test_two_replies_that_are_one_order(edits):
    whole = [
        compact(sample("kuaishou", name)["reply"]) for name in ("order_detail_reply", "fee_detail_reply")
    ]

    fetch = Fetch(FetchKind.ORDER, "900001", "6900000000000000001", "6900000000000000001")

    try:
        event = registry.get("kuaishou").read_reply(fetch, edited(replies.joined(whole), edits))
    except (Malformed, ReplyRefused):
        return

    assert event.order is not None


@pytest.mark.parametrize(("platform", "name"), REPLIES)
@settings(max_examples=300, deadline=None)
@given(edits=EDITS)
def test_a_reply(platform, name, edits):
    order, refund = REPLIES[platform, name]
    fetch = Fetch(FetchKind.REFUND if refund else FetchKind.ORDER, "900001", order, refund or order)
    body = edited(compact(sample(platform, name)["reply"]), edits)

    try:
        event = registry.get(platform).read_reply(fetch, body)
    except (Malformed, ReplyRefused):
        return

    assert (event.order is None) is bool(refund)
