"""The one key by which a message is recognised, however often and in whatever batch it comes."""

from __future__ import annotations

from hashlib import blake2b, sha256


def digest(
    *, platform: str, endpoint_id: int, shop_ref: str, native_id: str, element: bytes, signed_ms: int
) -> bytes:
    """16 bytes: four of the signed business time, so that keys arrive in order, and twelve of BLAKE2b.

    The native id counts where the platform gives one in its signed bytes, else the element itself.
    Every input is signed or our own, so a replay gives the same key.
    """
    name = f"{platform}\x00{endpoint_id}\x00{shop_ref}\x00".encode()
    key = b"i" + native_id.encode() if native_id else b"e" + sha256(element).digest()
    return (signed_ms // 1000 % 2**32).to_bytes(4, "big") + blake2b(name + key, digest_size=12).digest()
