"""Several replies kept as one: a JSON text sequence (RFC 7464), from which each comes out byte for byte.

A record separator cannot stand in JSON, not even inside a text, so no reply can pretend to be two.
"""

from __future__ import annotations

from collections.abc import Sequence

from livehub.platforms.contract import Malformed

_BEFORE, _AFTER = b"\x1e", b"\n"


def joined(replies: Sequence[bytes]) -> bytes:
    """One reply as it is, several in the order of their requests."""
    if len(replies) == 1:
        return replies[0]
    return b"".join(_BEFORE + reply + _AFTER for reply in replies)


def parted(raw: bytes, *, count: int) -> list[bytes]:
    """So many replies out of what was joined, or Malformed('schema')."""
    head, *replies = raw.split(_BEFORE)
    if head or len(replies) != count or not all(reply.endswith(_AFTER) for reply in replies):
        raise Malformed("schema", f"these are not {count} replies")
    return [reply.removesuffix(_AFTER) for reply in replies]
