"""From bytes to an adapter's typed Structs, with errors that name the field and never the value."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from livehub.platforms.contract import Malformed

T = TypeVar("T")
_QUOTED = re.compile(r"'.*'", re.DOTALL)
_DETAIL = 300


def decode(decoder: msgspec.json.Decoder[T], raw: bytes | msgspec.Raw) -> T:
    """Decode strictly; Malformed('schema') says where and why."""
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("schema", explain(error)) from error


def explain(error: Exception) -> str:
    """The decoder's words without what the sender wrote: it may be somebody's phone number."""
    return _QUOTED.sub("'…'", str(error))[:_DETAIL]
