"""Time-based one-time codes (RFC 6238): SHA-1, 6 digits, 30 seconds, as every authenticator reads them."""

from __future__ import annotations

import hmac
from base64 import b32encode
from datetime import datetime
from urllib.parse import quote, urlencode

from livehub.kit import clock

STEP_SECONDS = 30
DIGITS = 6
DRIFT = 1  # steps that a phone's clock may be ahead or behind
SECRET_BYTES = 20  # as long as SHA-1's output, which RFC 4226 recommends


def step_of(now: datetime) -> int:
    """The step an instant lies in, counted from 1970."""
    return clock.to_ms(now) // 1000 // STEP_SECONDS


def code_at(secret: bytes, step: int) -> str:
    """The code of one step."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    at = digest[-1] & 15
    return str((int.from_bytes(digest[at : at + 4]) & 0x7FFFFFFF) % 10**DIGITS).rjust(DIGITS, "0")


def matching_step(secret: bytes, code: str, *, now: datetime) -> int | None:
    """The step whose code was given, None when it is of none that is near; equally slow for all of them."""
    here = step_of(now)
    given = code.encode(errors="surrogatepass")
    found = [
        step
        for step in range(here - DRIFT, here + DRIFT + 1)
        if hmac.compare_digest(code_at(secret, step).encode(), given)
    ]
    return found[-1] if found else None


def shown(secret: bytes) -> str:
    """The secret as people type it into an authenticator, in groups of four."""
    text = b32encode(secret).decode()
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def uri(secret: bytes, *, login: str, issuer: str) -> str:
    """What an enrolment's QR code says."""
    query = {"secret": b32encode(secret).decode(), "issuer": issuer, "digits": DIGITS, "period": STEP_SECONDS}
    return f"otpauth://totp/{quote(issuer)}:{quote(login)}?{urlencode(query, quote_via=quote)}"
