"""A redemption with all that its refund depends on, kept from others until the transaction ends.

Its voucher is locked first, for as long as a refund lasts. What many others wait for is locked late: the
template, which claims lock too, only where a voucher may come back; round and campaign for reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.vouchers import refund_policy
from livehub.vouchers.enrolments import OFFLINE
from livehub.vouchers.models import CampaignStatus, RedemptionState, RoundStatus
from livehub.vouchers.redeem_rows import LIVE
from livehub.vouchers.refund_policy import Preset, Split, Used

# A round that is finished has swept its vouchers: what came back to it now would lie there for ever.
_WITH_TIME = (RoundStatus.SCHEDULED, RoundStatus.OPEN, RoundStatus.CLOSED)


class Fate(StrEnum):
    """What a refund makes of the voucher, and why."""

    RETURNED = "returned"  # usable again until it expires
    PART = "part"  # it stays used: something of the order is left
    NEVER = "never"  # used up: the preset never gives one back
    PARTS = "parts"  # used up: the order was not refunded in one
    LATE = "late"  # used up: its time is over
    ROLLED = "rolled"  # used up: the money that its face would need was given to a later round


class Refundable(Struct, frozen=True, kw_only=True):
    """A redemption as it is now; amounts in fen."""

    id: int
    public_id: str
    state: RedemptionState
    at: datetime
    settled: bool
    platform: str
    shop_id: int
    shop_ref: str
    order_no: str
    order_fen: int
    subsidy_fen: int
    paid_fen: int
    refunded_fen: int
    recovered_fen: int
    voucher_id: int
    voucher: str
    valid_until: datetime
    face_fen: int
    template_id: int
    template: str
    round_id: int
    round: RoundStatus
    campaign_id: int
    campaign: CampaignStatus
    preset: Preset
    merchant_id: int
    bureau_id: int
    centre_id: int

    @property
    def used(self) -> Used:
        """The order as the preset wants it."""
        return Used(self.order_fen, self.subsidy_fen)

    @property
    def order_ref(self) -> str:
        """By which sales know the order: each use at a till is one of its own."""
        return self.public_id if self.platform == OFFLINE else self.order_no

    @property
    def left_fen(self) -> int:
        """What of the order is not refunded yet."""
        return self.order_fen - self.refunded_fen

    def parted(self, refund_fen: int) -> Split:
        """A refund of so much, split by the preset."""
        return refund_policy.split(
            self.preset, self.used, before_fen=self.refunded_fen, refund_fen=refund_fen
        )

    def may_return(self, parted: Split) -> bool:
        """Whether the voucher may come back by this refund, if time and money allow."""
        return parted.is_whole and parted.in_one and self.preset.gives_back

    def fate(self, parted: Split, *, now: datetime, released_fen: int) -> Fate:
        """What becomes of the voucher; ``released_fen``: what the round has to fill up a face that shrank."""
        if not parted.is_whole:
            return Fate.PART
        if not self.preset.gives_back:
            return Fate.NEVER
        if not self.may_return(parted):
            return Fate.PARTS
        if now >= self.valid_until or self.round not in _WITH_TIME:
            return Fate.LATE
        return Fate.RETURNED if released_fen >= self.face_fen - self.subsidy_fen else Fate.ROLLED


async def hold(public_id: str) -> Refundable | None:
    """Lock its voucher: no other refund, use, sweep or settlement of it is under way.

    Round and campaign may still change; ``decide`` reads them under their locks.
    """
    lock = " FOR NO KEY UPDATE" if database.dialect() == "postgres" else ""
    await database.fetch(
        "SELECT id FROM voucher"
        f" WHERE id = (SELECT r.voucher_id FROM redemption r WHERE r.public_id = $1){lock}",
        public_id,
    )
    return await look(public_id)


async def decide(held: Refundable, parted: Split) -> Refundable:
    """The same with round and campaign as they stay until the transaction ends, and the template's lock."""
    template = " FOR NO KEY UPDATE OF t" if held.may_return(parted) else ""
    locks = f"{template} FOR SHARE OF n, c" if database.dialect() == "postgres" else ""
    row = await database.fetch_one(f"{_ONE} WHERE r.id = $1{locks}", held.id)
    assert row is not None  # noqa: S101 -- a redemption is never deleted
    return _of_row(row)


async def look(public_id: str) -> Refundable | None:
    """One as it is now; locks nothing."""
    row = await database.fetch_one(f"{_ONE} WHERE r.public_id = $1", public_id)
    return None if row is None else _of_row(row)


async def live_of_order(*, platform: str, shop_id: int, order_ref: str) -> str | None:
    """The public id of the redemption that stands on an order."""
    row = await database.fetch_one(
        f"SELECT public_id FROM redemption WHERE platform = $1 AND shop_id = $2 AND order_no = $3"
        f" AND state IN {LIVE}",
        platform,
        shop_id,
        order_ref,
    )
    return None if row is None else str(row["public_id"])


_ONE = (
    "SELECT r.id, r.public_id, r.state, r.at, r.settled_at, r.platform, r.shop_id, s.shop_ref, r.order_no,"
    " r.order_fen, r.subsidy_fen, r.paid_fen, r.refunded_fen, r.recovered_fen, r.merchant_id,"
    " x.id AS voucher_id, x.public_id AS voucher, x.valid_until, t.face_fen, t.id AS template_id, t.name,"
    " n.id AS round_id, n.status AS round_status, c.id AS campaign_id, c.status AS campaign_status,"
    " c.refund_preset, c.bureau_id, c.centre_id FROM redemption r JOIN voucher x ON x.id = r.voucher_id"
    " JOIN voucher_template t ON t.id = r.template_id JOIN campaign_round n ON n.id = t.round_id"
    " JOIN campaign c ON c.id = n.campaign_id LEFT JOIN shop s ON s.id = r.shop_id"
)


def _of_row(row: Mapping[str, Any]) -> Refundable:
    return Refundable(
        id=row["id"],
        public_id=row["public_id"],
        state=RedemptionState(row["state"]),
        at=clock.from_ms(row["at"]),
        settled=row["settled_at"] is not None,
        platform=row["platform"],
        shop_id=row["shop_id"],
        shop_ref=row["shop_ref"] or "",
        order_no=row["order_no"],
        order_fen=row["order_fen"],
        subsidy_fen=row["subsidy_fen"],
        paid_fen=row["paid_fen"],
        refunded_fen=row["refunded_fen"],
        recovered_fen=row["recovered_fen"],
        voucher_id=row["voucher_id"],
        voucher=row["voucher"],
        valid_until=clock.from_ms(row["valid_until"]),
        face_fen=row["face_fen"],
        template_id=row["template_id"],
        template=row["name"],
        round_id=row["round_id"],
        round=RoundStatus(row["round_status"]),
        campaign_id=row["campaign_id"],
        campaign=CampaignStatus(row["campaign_status"]),
        preset=refund_policy.registry()[row["refund_preset"]],
        merchant_id=row["merchant_id"],
        bureau_id=row["bureau_id"],
        centre_id=row["centre_id"],
    )
