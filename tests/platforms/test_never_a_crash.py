"""Whatever a body holds, an adapter reads it or says Malformed; it never fails otherwise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livehub.platforms.contract import Event, Fetch, FetchKind, Malformed, ReplyRefused
from tests.platforms.doors import DOORS, NOW, compact, sample, standard_headers

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
    "order_detail_reply": Fetch(FetchKind.ORDER, "900001", "6900000000000000001", "6900000000000000001"),
    "after_sale_detail_reply": Fetch(
        FetchKind.REFUND, "900001", "6900000000000000001", "7100000000000000009"
    ),
}


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


@pytest.mark.parametrize("name", REPLIES)
@settings(max_examples=300, deadline=None)
@given(edits=EDITS)
def test_a_reply(name, edits):
    body = edited(compact(sample("doudian", name)["reply"]), edits)

    try:
        event = DOORS[0].adapter.read_reply(REPLIES[name], body)
    except (Malformed, ReplyRefused):
        return

    assert (event.order is not None) is (name == "order_detail_reply")
