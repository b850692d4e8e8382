"""The kinds of value every platform sends: amounts, identifiers and flags, with their bounds."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from livehub.platforms.contract import Malformed

MAX_FEN = 10**12  # ten billion yuan: what is larger is a mistake, and sums stay far inside 64 bits

Fen = Annotated[int, Meta(ge=0, le=MAX_FEN)]
Id = int | str  # 64-bit numbers and digits in quotes both occur; ref() makes them one

MAX_REF = 64
MAX_SHOP_REF = 40  # platform:shop:order is a key of at most 128 characters
MAX_NATIVE_ID = 128
MAX_NATIVE_TYPE = 64
MAX_TITLE = 255


def ref(value: Id, *, field: str, longest: int = MAX_REF) -> str:
    """An identifier as text, '' for the platforms' ways of saying none; Malformed when too long."""
    text = str(value)
    if text == "0":
        return ""
    if len(text) > longest:
        raise Malformed("schema", f"{field} is longer than {longest}")
    return text


def required(value: Id, *, field: str, longest: int = MAX_REF) -> str:
    """An identifier without which nothing can be booked."""
    text = ref(value, field=field, longest=longest)
    if not text:
        raise Malformed("schema", f"{field} is missing")
    return text
