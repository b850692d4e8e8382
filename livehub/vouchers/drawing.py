"""The arithmetic of a draw, which anybody can do again: no database, no clock, no key of ours.

The list is its ids in the order of their letters, one a line. The winners are the N smallest values of
HMAC-SHA256(key = seed || randomness, message = entry id).
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256

from msgspec import Struct

ALGORITHM = "hmac-sha256-smallest"
SEED_BYTES = 32
_RANDOMNESS = re.compile(r"[0-9A-Za-z][0-9A-Za-z ,.+-]{3,199}")


class Proof(Struct, frozen=True, kw_only=True):
    """All that a stranger needs to do a draw again; bytes are hexadecimal, lists in their order."""

    algorithm: str
    round: str
    campaign: str
    commitment: str
    source: str
    source_at: datetime
    signup_from: datetime
    signup_until: datetime
    list_hash: str
    randomness: str
    seed: str
    drawn_at: datetime
    quantity: int  # N: how many could win
    entries: list[str]
    winners: list[str]


def commitment(seed: bytes) -> bytes:
    """What is published of a seed before it is known."""
    return sha256(seed).digest()


def list_text(entries: Iterable[str]) -> bytes:
    """The list as it is published and hashed."""
    return "".join(f"{each}\n" for each in sorted(entries)).encode("ascii")


def list_hash(entries: Iterable[str]) -> bytes:
    """The hash of the list."""
    return sha256(list_text(entries)).digest()


def as_published(text: str) -> str:
    """A number as it is hashed: wide digits narrow, one blank between groups; ValueError when it is none."""
    plain = " ".join(unicodedata.normalize("NFKC", text).split())
    if not _RANDOMNESS.fullmatch(plain):
        raise ValueError(plain[:40])
    return plain


def winners(entries: Iterable[str], *, seed: bytes, randomness: str, number: int) -> list[str]:
    """The N drawn, smallest value first."""
    key = seed + randomness.encode("ascii")
    values = sorted((hmac.digest(key, each.encode("ascii"), "sha256"), each) for each in entries)
    return [each for _, each in values[:number]]


def faults(proof: Proof) -> list[str]:
    """What does not hold of a proof, in a sentence each; nothing when the draw was as it says."""
    try:
        return _faults(proof, bytes.fromhex(proof.seed))
    except ValueError as error:  # no hexadecimal, no ASCII
        return [f"unreadable: {error}"]


def _faults(proof: Proof, seed: bytes) -> list[str]:
    found = []
    if proof.algorithm != ALGORITHM:
        found.append(f"algorithm: {proof.algorithm!r} is not {ALGORITHM!r}")
    if len(seed) != SEED_BYTES or commitment(seed).hex() != proof.commitment:
        found.append("commitment: it is not the SHA-256 of the seed")
    if len(set(proof.entries)) != len(proof.entries):
        found.append("entries: an id stands there twice")
    if list_hash(proof.entries).hex() != proof.list_hash:
        found.append("list_hash: it is not the SHA-256 of the list")
    drawn = winners(proof.entries, seed=seed, randomness=proof.randomness, number=proof.quantity)
    if drawn != list(proof.winners):
        found.append(f"winners: {_difference(drawn, proof.winners)}")
    return found


def _difference(drawn: Sequence[str], told: Sequence[str]) -> str:
    wrong = sorted(set(told) - set(drawn))
    missing = sorted(set(drawn) - set(told))
    if not wrong and not missing:
        return "they are in another order"
    return f"{len(wrong)} were not drawn {wrong[:3]}, {len(missing)} were and are not told {missing[:3]}"
