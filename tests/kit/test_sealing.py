"""Keys as they are written: which texts are keys, which key seals, and what the index comes from."""

from __future__ import annotations

import base64

import pytest

from livehub.kit import sealing
from livehub.kit.sealing import Keyring, parse_keys

A, B = base64.b64encode(b"a" * 32).decode(), base64.b64encode(b"b" * 32).decode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no key"),
        (f"k1:{A},k1:{B}", "two keys are called 'k1'"),
        (f":{A}", "a key's id is 1 to 16 letters and digits, not ''"),
        (f"k_1:{A}", "a key's id is 1 to 16 letters and digits, not 'k_1'"),
        (f"{'k' * 17}:{A}", f"a key's id is 1 to 16 letters and digits, not '{'k' * 17}'"),
        ("k1:nonsense!", "key 'k1' is not base64"),
        ("k1:c2hvcnQ=", "key 'k1' must be 32 bytes"),
    ],
)
def test_what_is_no_key_is_said(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="^" + why.replace(".", r"\.")) as told:
        parse_keys(text)

    assert str(told.value) == why


def test_the_first_key_seals_and_what_it_sealed_says_so() -> None:
    ring = Keyring(parse_keys(f"k2:{B},k1:{A}"))
    sealed = ring.seal(b"x", place="here")

    assert ring.key_ids == ("k2", "k1")
    assert sealed.startswith(ring.prefix)
    assert sealing.key_of(sealed[: sealing.PREFIX_LENGTH]) == "k2"


def test_the_last_key_may_go_when_it_stays_as_the_pepper() -> None:
    before = Keyring(parse_keys(f"k2:{B},k1:{A}"))
    after = Keyring(parse_keys(f"k2:{B},pepper:{A}"))
    without = Keyring(parse_keys(f"k2:{B}"))

    assert after.key_ids == ("k2",)
    assert after.blind("138", purpose="phone") == before.blind("138", purpose="phone")
    assert after.secret("form") == before.secret("form")
    assert without.blind("138", purpose="phone") != before.blind("138", purpose="phone")
    assert (before.is_index_apart, after.is_index_apart) == (False, True)
