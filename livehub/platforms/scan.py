"""The cheap look at a body before it is decoded: refuse what no honest sender writes."""

from __future__ import annotations

from livehub.platforms.contract import Malformed

MAX_DEPTH = 32
MAX_ELEMENTS = 500

_BOM = b"\xef\xbb\xbf"
_NO_STRUCTURE = bytes(set(range(256)) - set(b'"[]{},'))


def refuse_unsafe(raw: bytes) -> None:
    """Raise Malformed('schema') for bad UTF-8, BOM, NUL, deep nesting and overlong arrays.

    Trailing bytes and broken syntax are left to the decoder, which refuses both. A few microseconds
    for a kilobyte: only bodies with many brackets or commas are looked at more closely.
    """
    refuse_bytes(raw)
    if not is_slight(raw):
        _refuse_shape(raw)


def is_slight(raw: bytes) -> bool:
    """Whether there are too few brackets and commas for deep nesting and overlong arrays."""
    many = len(raw) > 2 * MAX_ELEMENTS and raw.count(b",") >= MAX_ELEMENTS
    return not many and raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH


def refuse_bytes(raw: bytes) -> None:
    """Raise Malformed('schema') for bad UTF-8, BOM and NUL, whatever the bytes are written in."""
    if raw.startswith(_BOM):
        raise Malformed("schema", "the body starts with a byte order mark")
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            raise Malformed("schema", f"invalid UTF-8 at byte {error.start}") from error
    # PostgreSQL stores no NUL, however it is written; a doubled backslash is not an escape.
    if b"\0" in raw or (b"\\u0000" in raw and b"\\u0000" in raw.replace(b"\\\\", b"")):
        raise Malformed("schema", "the body contains a NUL")


def _refuse_shape(raw: bytes) -> None:
    """Walk over the brackets and commas outside strings; everything else is taken out first."""
    unescaped = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    skeleton = b"".join(unescaped.translate(None, _NO_STRUCTURE).split(b'"')[::2])
    depth, elements = 0, 1
    for byte in skeleton:
        if byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Malformed("schema", f"nested deeper than {MAX_DEPTH}")
        elif byte in b"]}":
            depth -= 1
        elif depth == 1:
            elements += 1
    if elements > MAX_ELEMENTS and raw.lstrip().startswith(b"["):
        raise Malformed("schema", f"more than {MAX_ELEMENTS} elements")
