"""How a voucher's time and place are said to a consumer."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from livehub.vouchers import kinds, validity
from livehub.vouchers.kinds import Bundle, Kind
from livehub.vouchers.link_pages import LinkPage
from livehub.vouchers.models import Validity
from livehub.web import show


class Ticket(Struct, frozen=True, kw_only=True):
    """One kind of voucher that a claim gives, and how many of it."""

    face_fen: int
    threshold_fen: int
    name: str
    n: int
    until_words: str
    where_words: str


class Rules(Struct, frozen=True, kw_only=True):
    """What parts/ticket.html says below the form."""

    per_person: int
    unit: str
    threshold_fen: int  # 0: each voucher of a pack says its own
    refund: str
    valid_words: str


def tickets(offer: Kind | Bundle, *, stores: int, now: datetime) -> list[Ticket]:
    """What one claim gives; ``stores`` is how many take it."""
    return [
        Ticket(
            face_fen=kind.face_fen,
            threshold_fen=kind.threshold_fen,
            name=kind.name,
            n=kind.n,
            until_words=until(kind, now=now),
            where_words=where(stores, merchants_only=kind.merchants_only),
        )
        for kind in kinds.of_offer(offer)
    ]


def until(kind: Kind, *, now: datetime) -> str:
    """On the ticket: until when a voucher claimed now can be used."""
    match kind.validity:
        case Validity.FIXED:
            return f"{show.until(kind.valid_until)} 前有效"
        case Validity.DAYS_FROM_CLAIM:
            terms = validity.Terms(kind=kind.validity, n=kind.validity_n)
            return f"{show.until(validity.window(terms, claimed_at=now)[1])} 前有效"
        case Validity.HOURS_FROM_CLAIM:
            return f"领取后 {kind.validity_n} 小时内有效"
        case Validity.DAYS_FROM_RELEASE:
            return f"自发放之日起 {kind.validity_n} 天内有效"


def where(stores: int, *, merchants_only: bool) -> str:
    """On the ticket: where a voucher can be used."""
    if merchants_only:
        return f"{stores} 家门店通用" if stores else "限参加活动的门店"
    return f"{stores} 家门店和线上店铺通用" if stores else "限参加活动的线上店铺"


def rules(offer: Kind | Bundle, link: LinkPage) -> Rules:
    """The rules in plain words; of a pack what holds for all its vouchers."""
    given = kinds.of_offer(offer)
    thresholds, valid = {kind.threshold_fen for kind in given}, {_valid(kind) for kind in given}
    return Rules(
        per_person=offer.per_person,
        unit="包" if isinstance(offer, Bundle) else "张",
        threshold_fen=thresholds.pop() if len(thresholds) == 1 else 0,
        refund=link.refund_preset,
        valid_words=valid.pop() if len(valid) == 1 else "",
    )


def _valid(kind: Kind) -> str:
    match kind.validity:
        case Validity.FIXED:
            return f"{show.md_hm(kind.valid_from)} 起可用，{show.until(kind.valid_until)} 前有效"
        case Validity.DAYS_FROM_CLAIM:
            return f"领取后 {kind.validity_n} 天内有效（含当天）"
        case Validity.HOURS_FROM_CLAIM:
            return f"领取后 {kind.validity_n} 小时内有效"
        case Validity.DAYS_FROM_RELEASE:
            return f"自发放之日起 {kind.validity_n} 天内有效"
