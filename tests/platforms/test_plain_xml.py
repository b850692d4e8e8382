"""XML as messages are written, read; everything that could be more is refused, and quickly."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livehub.platforms import plain_xml
from livehub.platforms.contract import Malformed
from tests.platforms.test_never_a_crash import EDITS, edited

MESSAGE = (
    "<xml><ToUserName><![CDATA[gh_1]]></ToUserName>\n <CreateTime>1760000011</CreateTime>"
    "<order_info><order_id>3700000000000000001</order_id><note>&lt;沙 &amp; 虫&gt;</note><empty/></order_info></xml>"
).encode()


def test_elements_texts_and_cdata_are_read() -> None:
    assert plain_xml.read(MESSAGE) == {
        "ToUserName": "gh_1",
        "CreateTime": "1760000011",
        "order_info": {"order_id": "3700000000000000001", "note": "<沙 & 虫>", "empty": ""},
    }


def test_cdata_is_taken_as_it_is() -> None:
    assert plain_xml.read(b"<a><![CDATA[&amp;<b>]]></a>") == "&amp;<b>"


def test_of_repeated_elements_the_last_one_wins() -> None:
    assert plain_xml.read(b"<a><b>1</b><b>2</b></a>") == {"b": "2"}


LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10 if n else b"lol") for n in range(10))
REFUSED = {
    "nothing": b"",
    "no element": b"hello",
    "a billion laughs": b"<!DOCTYPE x [" + LAUGHS + b"]><x>&l9;</x>",
    "an entity from outside": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    "a DTD alone": b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><x>1</x>',
    "an entity nobody declared": b"<x>&e;</x>",
    "a character by its number": b"<x>&#65;</x>",
    "a NUL by its number": b"<x>&#0;</x>",
    "an ampersand": b"<x>a & b</x>",
    "an instruction": b"<?xml-stylesheet href='x'?><x>1</x>",
    "a declaration": b'<?xml version="1.0" encoding="UTF-16"?><x>1</x>',
    "a comment": b"<x><!-- 1 --></x>",
    "an attribute": b'<x a="1">1</x>',
    "a name space": b'<n:x xmlns:n="http://127.0.0.1/">1</n:x>',
    "an open element": b"<x><a>1</x>",
    "a closed one that is not open": b"</x>",
    "one that opens and closes": b"<x>1</x/>",
    "two roots": b"<x>1</x><y>2</y>",
    "text behind": b"<x>1</x> and more",
    "text between": b"<x>a<y>1</y></x>",
    "open CDATA": b"<x><![CDATA[1</x>",
    "a tag that does not end": b"<x",
    "too deep": b"<a>" * 40 + b"1" + b"</a>" * 40,
    "too many": b"<a>" + b"<b>1</b>" * 2000 + b"</a>",
    "not UTF-8": b"<x>\xff</x>",
    "a NUL": b"<x>\0</x>",
    "a byte order mark": b"\xef\xbb\xbf<x>1</x>",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_message_does_not_need_is_refused(case: str) -> None:
    with pytest.raises(Malformed) as refusal:
        plain_xml.read(REFUSED[case])

    assert refusal.value.reason == "schema"


@pytest.mark.parametrize(
    "piece", [b"<", b"<![CDATA[", b"&", b"<a>", b"</a>", b"&amp;", b"]]>", b" ", b"<a/>"]
)
def test_a_megabyte_of_anything_takes_no_time(piece: bytes) -> None:
    body = b"<x>" + piece * (1024 * 1024 // len(piece))
    began = time.perf_counter()

    with pytest.raises(Malformed):
        plain_xml.read(body)

    assert time.perf_counter() - began < 1.0


@settings(max_examples=300, deadline=None)
@given(edits=EDITS | st.lists(st.tuples(st.floats(0, 1), st.sampled_from([b"<", b">", b"</", b"&", b"]]>", b"<!"]), st.integers(0, 9)), max_size=4))  # fmt: skip
def test_whatever_it_holds_it_is_read_or_refused(edits: list[tuple[float, bytes, int]]) -> None:
    try:
        plain_xml.read(edited(MESSAGE, edits))
    except Malformed:
        return
