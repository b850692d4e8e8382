"""One tap at a till, and what a redemption was."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from livehub.accounts.actors import Actor
from livehub.vouchers import codes


class Redeemed(Struct, frozen=True, kw_only=True):
    """What a redemption was; ``hit``: this key was answered before, and nothing new happened."""

    redemption: str
    voucher: str
    template: str
    face_fen: int
    threshold_fen: int
    order_no: str
    order_fen: int
    subsidy_fen: int
    paid_fen: int
    at: datetime
    hit: bool = False


class Tap(Struct, frozen=True, kw_only=True):
    """One request to redeem."""

    reading: codes.Reading
    merchant_id: int
    store_id: int  # 0: the store is known by ``store_ref`` or is the merchant's only one
    store_ref: str  # public id
    order_fen: int
    receipt_no: str
    phone_tail: str
    key: str
    body: bytes
    actor: Actor
    now: datetime

    @property
    def who(self) -> str:
        """u7 or t7: users and tokens are counted apart."""
        return who(self.actor)


def who(actor: Actor) -> str:
    """The short name of who taps."""
    return f"{actor.kind[0]}{actor.id}"
