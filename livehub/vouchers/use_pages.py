"""One redemption as its pages show it: what was refunded, what a refund of the rest would do, and who may."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.vouchers import ledger, refund_reads, refunds
from livehub.vouchers.enrolments import OFFLINE
from livehub.vouchers.models import Account, RedemptionState, VoucherState
from livehub.vouchers.refund_policy import Split
from livehub.vouchers.refund_reads import Fate, Refundable


class RefundRow(Struct, frozen=True, kw_only=True):
    """One refund, in fen: of the order, to the shopper, to the bureau."""

    refund_no: str
    at: datetime
    refund_fen: int
    cash_fen: int
    clawback_fen: int
    fate: Fate
    source: str
    reason: str


class UsePage(Struct, frozen=True, kw_only=True):
    """A redemption; ``whole`` and ``fate``: what refunding what is left would do, None where nothing is."""

    id: str
    at: datetime
    state: RedemptionState
    campaign: str
    campaign_id: str
    bureau_id: int
    merchant: str  # or the shop of a platform's order
    merchant_id: int
    shop: str
    platform: str
    order_no: str
    order_ref: str  # by which sales know the order
    receipt_no: str  # empty where none was given
    template: str
    face_fen: int
    threshold_fen: int
    valid_until: datetime
    order_fen: int
    subsidy_fen: int
    paid_fen: int
    refunded_fen: int
    recovered_fen: int
    left_fen: int
    policy: str  # the preset in words
    until: datetime  # the merchant's own window
    is_till: bool  # no platform's order: refunds are made here
    refunds: list[RefundRow]
    whole: Split | None
    fate: Fate | None
    voucher: str  # public id
    is_usable: bool  # the voucher was given back: it may be used again


async def use(
    public_id: str,
    *,
    centre_id: int,
    bureaus: frozenset[int] | None,
    merchants: frozenset[int] | None,
    now: datetime,
) -> UsePage:
    """A redemption of some bureaus' campaigns (None: of the centre) or of some merchants; NotFound else."""
    seen = await refund_reads.look(public_id)
    if seen is None or seen.centre_id != centre_id:
        raise NotFound
    if bureaus is not None and seen.bureau_id not in bureaus and seen.merchant_id not in (merchants or ()):
        raise NotFound
    return _page(
        seen,
        await _names(seen.id),
        await refunds_of(seen.id),
        released_fen=await ledger.balance(ledger.Key(seen.campaign_id, Account.RELEASED, seen.round_id)),
        now=now,
    )


async def refunds_of(redemption_id: int) -> list[RefundRow]:
    """What was refunded of a redemption, in order."""
    rows = await database.fetch(
        "SELECT refund_no, at, refund_fen, cash_fen, clawback_fen, fate, source, reason"
        " FROM redemption_refund WHERE redemption_id = $1 ORDER BY id",
        redemption_id,
    )
    return [RefundRow(**{**row, "at": clock.from_ms(row["at"]), "fate": Fate(row["fate"])}) for row in rows]


async def _names(redemption_id: int) -> Mapping[str, Any]:
    row = await database.fetch_one(
        "SELECT c.name AS campaign, c.public_id AS campaign_id, coalesce(m.name, s.name, '') AS merchant,"
        " coalesce(s.public_id, '') AS shop, t.threshold_fen, x.public_id AS voucher,"
        " x.state AS voucher_state"
        " FROM redemption r JOIN voucher x ON x.id = r.voucher_id"
        " JOIN campaign c ON c.id = r.campaign_id JOIN voucher_template t ON t.id = r.template_id"
        " LEFT JOIN merchant m ON m.id = r.merchant_id LEFT JOIN shop s ON s.id = r.shop_id"
        " WHERE r.id = $1",
        redemption_id,
    )
    assert row is not None  # noqa: S101 -- a redemption is never deleted
    return row


def _page(
    seen: Refundable,
    names: Mapping[str, Any],
    made: list[RefundRow],
    *,
    released_fen: int,
    now: datetime,
) -> UsePage:
    may_follow = seen.left_fen > 0 and seen.state is not RedemptionState.VOIDED
    whole = seen.parted(seen.left_fen) if may_follow else None
    return UsePage(
        id=seen.public_id,
        at=seen.at,
        state=seen.state,
        **{name: value for name, value in names.items() if name != "voucher_state"},
        is_usable=names["voucher_state"] == VoucherState.ISSUED and now < seen.valid_until,
        bureau_id=seen.bureau_id,
        merchant_id=seen.merchant_id,
        platform=seen.platform,
        order_no=seen.order_no,
        order_ref=seen.order_ref,
        receipt_no="" if seen.order_no == seen.public_id else seen.order_no,
        template=seen.template,
        face_fen=seen.face_fen,
        valid_until=seen.valid_until,
        order_fen=seen.order_fen,
        subsidy_fen=seen.subsidy_fen,
        paid_fen=seen.paid_fen,
        refunded_fen=seen.refunded_fen,
        recovered_fen=seen.recovered_fen,
        left_fen=seen.left_fen,
        policy=seen.preset.label,
        until=seen.at + refunds.WINDOW,
        is_till=seen.platform == OFFLINE,
        refunds=made,
        whole=whole,
        fate=seen.fate(whole, now=now, released_fen=released_fen) if whole else None,
    )
