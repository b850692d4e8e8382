"""Voucher codes: sealed for the claimant, found by a blind index, shown as a QR code that rotates."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from livehub.kit import clock, ids, sealing, signing
from livehub.kit.resealing import Column

STEP_SECONDS = 30
SEALED = (Column("voucher", "code_sealed", "voucher.code:", by="public_id"),)
_LENGTH = 17  # 16 random letters and the check letter


class Made(Struct, frozen=True):
    """A new code as it is stored: nobody reads it from the database."""

    index: bytes
    sealed: bytes


class Reading(Struct, frozen=True):
    """What a merchant's scanner read: a code's index, or a voucher's id with a token fresh or stale."""

    index: bytes = b""
    voucher: str = ""
    fresh: bool = True


def make(voucher: str) -> Made:
    """A new random code for a voucher (its public id)."""
    code = ids.voucher_code()
    return Made(index_of(code), sealing.ring().seal_text(code, place=_place(voucher)))


def shown(sealed: bytes, *, voucher: str) -> str:
    """The code in clear, for its claimant only."""
    return sealing.ring().open_text(sealed, place=_place(voucher))


def index_of(code: str) -> bytes:
    """The blind index of a code; orders carry it in hex."""
    return sealing.ring().blind(code, purpose="voucher")


def qr(voucher: str, *, now: datetime) -> str:
    """The rotating token of a voucher: a screenshot of it lives a minute at most."""
    step = str(_step(now))
    return f"v1.{voucher}.{step}.{_mac(voucher, step)}"


def seconds_left(now: datetime) -> int:
    """How long the present token is shown."""
    return STEP_SECONDS - clock.to_ms(now) // 1000 % STEP_SECONDS


def read(text: str, *, now: datetime) -> Reading | None:
    """What was scanned or typed, or None when it can be neither a code nor a token of ours."""
    text = text.strip()
    if text.startswith("v1."):
        return _read_token(text, now=now)
    code = ids.code_as_meant(text)
    if len(code) != _LENGTH or not set(code) <= set(ids.CODE_ALPHABET):
        return None
    return Reading(index=index_of(code)) if ids.check_letter(code[:-1]) == code[-1] else None


def _read_token(text: str, *, now: datetime) -> Reading | None:
    parts = text.split(".")
    if len(parts) != 4:
        return None
    _, voucher, step, mac = parts
    if not (step.isascii() and step.isdigit() and len(step) < 16 and mac.isascii() and voucher.isascii()):
        return None
    if not signing.matches(_mac(voucher, step), mac):
        return None
    return Reading(voucher=voucher, fresh=_step(now) - int(step) in (0, 1))


def _step(now: datetime) -> int:
    return clock.to_ms(now) // (STEP_SECONDS * 1000)


def _mac(voucher: str, step: str) -> str:
    return signing.mac(sealing.ring().secret("voucher-qr"), "v1", voucher, step)


def _place(voucher: str) -> str:
    return f"{SEALED[0].place}{voucher}"
