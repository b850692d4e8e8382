"""Small signed texts: form tokens, cookies and rotating codes."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode


def mac(secret: bytes, *parts: str, nbytes: int = 16) -> str:
    """A URL-safe keyed digest over the parts, each with its length, so that none can flow into the next."""
    encoded = [_bytes(part) for part in parts]
    message = b"".join([len(part).to_bytes(4, "big") + part for part in encoded])
    return urlsafe_b64encode(hmac.digest(secret, message, "sha256")[:nbytes]).rstrip(b"=").decode()


def matches(expected: str, given: str) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(_bytes(expected), _bytes(given))


def _bytes(text: str) -> bytes:
    """Of any text, also one of bytes that were no UTF-8."""
    return text.encode(errors="surrogatepass")
