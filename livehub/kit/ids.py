"""Opaque public ids, secrets and codes; row ids never leave the house."""

from __future__ import annotations

import os
import secrets
from base64 import b32encode
from collections.abc import Sequence
from itertools import count, product
from operator import mul

CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # 32 letters, no 0 O 1 I: five bits each
_FROM_B32 = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", CODE_ALPHABET.encode())


def public_id() -> str:
    """16 lower-case letters and digits, 80 random bits: an object's name in paths and exports."""
    return _in_letters(_LOWER)


def slug() -> str:
    """10 letters and digits, 50 random bits: a public link that carries no right."""
    return b32encode(os.urandom(10)).translate(_FROM_B32)[:10].decode().lower()


def token(*, nbytes: int = 32) -> str:
    """A URL-safe secret; stored only as a hash."""
    return secrets.token_urlsafe(nbytes)


def voucher_code() -> str:
    """16 letters without look-alikes, 80 random bits, plus one check letter against typing errors."""
    body = _in_letters(_CODE)
    return body + check_letter(body)


def secret_code() -> str:
    """16 letters and digits without look-alikes, 80 random bits: a secret that people write down."""
    return _in_letters(_CODE)


def code_as_meant(typed: str) -> str:
    """A voucher code as it was made, of what somebody typed: groups, dashes and small letters."""
    return "".join(letter for letter in typed.upper() if letter != "-" and not letter.isspace())


def check_letter(body: str) -> str:
    """The check letter of a code: it catches a wrong or swapped letter, it proves nothing."""
    total = sum(map(mul, count(1), map(_VALUE.__getitem__, body)))
    return CODE_ALPHABET[total % 31]


def _in_letters(pairs: Sequence[str]) -> str:
    """80 random bits as eight pairs of letters; base64.b32encode takes three times as long."""
    bits = int.from_bytes(os.urandom(10))
    return "".join([pairs[bits >> shift & 1023] for shift in (0, 10, 20, 30, 40, 50, 60, 70)])


_VALUE = {letter: number for number, letter in enumerate(CODE_ALPHABET)}
_LOWER = ["".join(pair) for pair in product("abcdefghijklmnopqrstuvwxyz234567", repeat=2)]
_CODE = ["".join(pair) for pair in product(CODE_ALPHABET, repeat=2)]


def digits(count: int) -> str:
    """A one-time code of so many random digits."""
    return str(secrets.randbelow(10**count)).rjust(count, "0")


_EPOCH_MS = 1_577_836_800_000  # 2020-01-01
_last_row_id = 0


def row_id(now_ms: int) -> int:
    """A 63-bit row id made before the insert: milliseconds, then 21 bits that grow within this process.

    Ids of one process rise strictly; those of two processes in one millisecond differ by random bits
    (the primary key would refuse a collision, and the batch is tried again).
    """
    global _last_row_id  # noqa: PLW0603 -- one counter per process is the point
    if _last_row_id >> 21 == now_ms - _EPOCH_MS:
        _last_row_id += 1
    else:
        fresh = (now_ms - _EPOCH_MS) << 21 | secrets.randbits(20)
        _last_row_id = fresh if fresh > _last_row_id else _last_row_id + 1
    return _last_row_id
