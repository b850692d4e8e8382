"""The arithmetic of a draw: anybody gets the same, and nothing can be changed unnoticed."""

from __future__ import annotations

import hashlib
import hmac

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livehub.vouchers import drawing
from livehub.vouchers.drawing import Proof
from tests.factories.vouchers import NOW

SEED = bytes(range(32))
RANDOMNESS = "02 07 11 18 23 31 + 09"
ENTRIES = [f"entry{number:03d}" for number in range(20)]
IDS = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=16, max_size=16)


def a_proof(**changes) -> Proof:
    values = {
        "algorithm": drawing.ALGORITHM,
        "round": "round",
        "campaign": "惠农",
        "commitment": hashlib.sha256(SEED).hexdigest(),
        "source": "双色球",
        "source_at": NOW,
        "signup_from": NOW,
        "signup_until": NOW,
        "list_hash": drawing.list_hash(ENTRIES).hex(),
        "randomness": RANDOMNESS,
        "seed": SEED.hex(),
        "drawn_at": NOW,
        "quantity": 5,
        "entries": ENTRIES,
        "winners": drawing.winners(ENTRIES, seed=SEED, randomness=RANDOMNESS, number=5),
    }
    return Proof(**(values | changes))


def test_the_winners_are_the_smallest_of_the_published_rule() -> None:
    key = SEED + RANDOMNESS.encode()
    by_value = sorted(ENTRIES, key=lambda each: hmac.new(key, each.encode(), hashlib.sha256).digest())

    assert drawing.winners(ENTRIES, seed=SEED, randomness=RANDOMNESS, number=5) == by_value[:5]
    assert drawing.faults(a_proof()) == []


@given(
    st.lists(IDS, unique=True, max_size=40),
    st.randoms(),
    st.integers(0, 50),
    st.binary(min_size=32, max_size=32),
)
def test_the_order_of_the_list_decides_nothing(entries, random, number, seed) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)

    drawn = drawing.winners(entries, seed=seed, randomness=RANDOMNESS, number=number)

    assert drawing.winners(shuffled, seed=seed, randomness=RANDOMNESS, number=number) == drawn
    assert drawing.list_hash(shuffled) == drawing.list_hash(entries)
    assert len(set(drawn)) == min(number, len(entries))


WRONG = {
    "a lot more": ({"entries": [*ENTRIES, "entry999"]}, ["list_hash", "winners"]),
    "a lot less": ({"entries": ENTRIES[1:]}, ["list_hash"]),
    "a lot twice": ({"entries": [*ENTRIES, ENTRIES[0]]}, ["entries", "list_hash"]),
    "another seed": ({"seed": (b"x" * 32).hex()}, ["commitment", "winners"]),
    "no seed": ({"seed": "gg"}, ["unreadable"]),
    "another number": ({"randomness": "02 07 11 18 23 31 + 08"}, ["winners"]),
    "another rule": ({"algorithm": "best friends"}, ["algorithm"]),
    "another list's hash": ({"list_hash": "00" * 32}, ["list_hash"]),
    "another commitment": ({"commitment": "00" * 32}, ["commitment"]),
    "more winners": ({"quantity": 6}, ["winners"]),
    "a stranger wins": ({"winners": [*a_proof().winners[:4], "entry999"]}, ["winners"]),
    "winners in another order": ({"winners": a_proof().winners[::-1]}, ["winners"]),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_whatever_is_changed_is_found(wrong: str) -> None:
    changes, told = WRONG[wrong]

    found = [each.partition(":")[0] for each in drawing.faults(msgspec.structs.replace(a_proof(), **changes))]

    assert set(told) <= set(found)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [(" ０２ 07\u3000１１\n", "02 07 11"), ("3,1,4,1,5", "3,1,4,1,5"), ("0x9f-A.b", "0x9f-A.b")],
)
def test_a_number_is_kept_as_it_was_published(typed: str, kept: str) -> None:
    assert drawing.as_published(typed) == kept


@pytest.mark.parametrize("typed", ["", "123", "第 58 期", "1\x00234", "x" * 201])
def test_what_is_no_number_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- it says what was typed
        drawing.as_published(typed)
