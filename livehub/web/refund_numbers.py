"""A number for a refund that came without one: short enough to be read out, the same for the same tap."""

from __future__ import annotations

from hashlib import blake2b

from livehub.kit import ids

LETTERS = 8


def number(where: str, key: str) -> str:
    """``where`` and two groups of four, made of the key that makes two taps one."""
    digest = blake2b(key.encode(), digest_size=LETTERS).digest()
    text = "".join(ids.CODE_ALPHABET[byte % len(ids.CODE_ALPHABET)] for byte in digest)
    return f"{where}-{text[:4]}-{text[4:]}"
