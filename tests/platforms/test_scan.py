"""What the scan refuses before anything is decoded, and what only looks like it."""

import pytest

from livehub.platforms.contract import Malformed
from livehub.platforms.scan import refuse_unsafe

REFUSED = {
    "invalid UTF-8": (b'{"a":"\xff"}', "invalid UTF-8 at byte 6"),
    "overlong NUL": (b'{"a":"\xc0\x80"}', "invalid UTF-8 at byte 6"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), "invalid UTF-8 at byte 0"),
    "byte order mark": (b'\xef\xbb\xbf{"a":1}', "the body starts with a byte order mark"),
    "NUL": (b'{"a":"\0"}', "the body contains a NUL"),
    "NUL after the end": (b'{"a":1}\0', "the body contains a NUL"),
    "escaped NUL": (b'{"a":"x\\u0000"}', "the body contains a NUL"),
    "escaped NUL after a backslash": (b'{"a":"\\\\\\u0000"}', "the body contains a NUL"),
    "33 deep": (b"[" * 33 + b"]" * 33, "nested deeper than 32"),
    "33 deep, mixed": (b'[{"a":' * 17 + b"1" + b"}]" * 17, "nested deeper than 32"),
    "300 deep behind an escaped quote": (
        b'{"a":"\\"","b":' + b"[" * 300 + b"]" * 300 + b"}",
        "nested deeper than 32",
    ),
    "never closed": (b"[" * 1_000_000, "nested deeper than 32"),
    "501 elements": (b"[" + b"1," * 500 + b"1]", "more than 500 elements"),
    "501 objects": (b" [" + b'{"a":[1,2]},' * 500 + b"{}]", "more than 500 elements"),
}
ACCEPTED = {
    "32 deep": b"[" * 32 + b"]" * 32,
    "500 elements": b"[" + b'{"a":[1,2],"b":","},' * 499 + b"{}]",
    "brackets in a string": b'{"a":"' + b"[{" * 600 + b'"}',
    "brackets in a string behind an escaped quote": b'{"a":"\\"' + b"[{" * 600 + b'"}',
    "an escaped backslash before u0000": b'{"a":"\\\\u0000"}',
    "many members of one object": b'{"a":1' + b',"b":1' * 600 + b"}",
    "Chinese": '{"a":"沙虫"}'.encode(),
    "a supplementary character": '{"a":"🦐"}'.encode(),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    raw, why = REFUSED[case]

    with pytest.raises(Malformed) as refusal:
        refuse_unsafe(raw)

    assert (refusal.value.reason, refusal.value.detail) == ("schema", why)


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted(case):
    refuse_unsafe(ACCEPTED[case])
