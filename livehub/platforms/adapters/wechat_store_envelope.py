"""微信's safe mode: what is signed of a delivery, what is encrypted in it, and for whom."""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode
from hashlib import sha1

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from livehub.platforms.contract import BadSignature

BLOCK = 32  # PKCS7 here fills blocks of 32 bytes, although AES has blocks of 16
RANDOM, LENGTH = 16, 4  # bytes before the message

_SECRET = re.compile(r"[A-Za-z0-9]{3,32}:[A-Za-z0-9+/]{43}")
_STAMP = re.compile(r"[0-9]{1,12}")
_NONCE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_usable(secret: str) -> bool:
    """Whether it is a Token and an EncodingAESKey with a colon between."""
    return _SECRET.fullmatch(secret) is not None


def is_signed(signature: str, *, secret: str, stamp: str, nonce: str, more: tuple[str, ...] = ()) -> bool:
    """SHA-1 over Token, timestamp, nonce and what else there is, sorted and joined; either case of hex."""
    if not (_STAMP.fullmatch(stamp) and _NONCE.fullmatch(nonce)):
        raise BadSignature("timestamp or nonce")
    token = secret.partition(":")[0]
    joined = "".join(sorted((token, stamp, nonce, *more)))
    # SHA-1 is the platform's choice, not ours.
    expected = sha1(_bytes(joined), usedforsecurity=False).hexdigest()
    return hmac.compare_digest(_bytes(expected), _bytes(signature.lower()))


def opened(encrypted: str, *, secret: str, appid: str) -> bytes | None:
    """The message inside; None when this secret does not open it, or it is meant for another app."""
    try:
        sealed = b64decode(encrypted, validate=True)
        key = b64decode(secret.partition(":")[2] + "=")  # stray bits in the 43rd character do not matter
        decryptor = Cipher(algorithms.AES256(key), modes.CBC(key[:RANDOM])).decryptor()
        padded = decryptor.update(sealed) + decryptor.finalize()
    except (binascii.Error, ValueError):
        return None
    return _message(padded, appid=appid)


def _message(padded: bytes, *, appid: str) -> bytes | None:
    """Random bytes, the message's length, the message, the appid and the padding, taken apart."""
    filled = padded[-1] if padded else 0
    if not 1 <= filled <= BLOCK or not padded.endswith(bytes([filled]) * filled):
        return None
    content = padded[:-filled]
    begins = RANDOM + LENGTH
    ends = begins + int.from_bytes(content[RANDOM:begins], "big")
    meant_for = content[ends:]
    if not appid or not hmac.compare_digest(meant_for, _bytes(appid)):
        return None
    return content[begins:ends]


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")
