"""Several replies kept as one come out byte for byte, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livehub.platforms import replies
from livehub.platforms.contract import Malformed

A_REPLY = st.binary(max_size=50).filter(lambda raw: b"\x1e" not in raw)


@given(some=st.lists(A_REPLY, min_size=2, max_size=4))
def test_what_was_joined_comes_apart_byte_for_byte(some):
    assert replies.parted(replies.joined(some), count=len(some)) == some


def test_one_reply_stays_as_it_is():
    assert replies.joined([b'{"a":1}']) == b'{"a":1}'


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"\x1e{}\n", b"\x1e{}\n\x1e{}", b"x\x1e{}\n\x1e{}\n", b"\x1e{}\n\x1e{}\n\x1e{}\n"]
)
def test_anything_else_is_not_two_replies(raw):
    with pytest.raises(Malformed):
        replies.parted(raw, count=2)


def test_a_reply_cannot_pretend_to_be_two():
    with pytest.raises(Malformed):
        replies.parted(replies.joined([b"{}\n\x1e{}", b"{}"]), count=2)
