"""Vouchers as they are, and whether each can be used now: decided by time at use, not by a sweeper."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.vouchers.eligibility import BoundRule, Refusal, Stage, bind
from livehub.vouchers.models import Account, CampaignStatus, VoucherState

_USABLE = (CampaignStatus.RUNNING, CampaignStatus.PAUSED, CampaignStatus.ENDED)


def _account(kind: Account) -> str:
    return (
        "(SELECT a.id FROM ledger_account a WHERE a.campaign_id = x.campaign_id"
        f" AND a.kind = '{kind}' AND a.round_id = x.round_id AND a.merchant_id = 0)"
    )


# What a Holding is made of: of a voucher ``x``, its claimant, template and campaign.
COLUMNS = (
    "x.id, x.public_id, x.code_index, x.state, x.valid_from, x.valid_until, x.locked_until, x.version,"
    " x.claimant_id, x.broadcast_id, x.streamer_id, x.template_id, x.round_id, x.campaign_id,"
    " t.name, t.face_fen, t.threshold_fen, t.merchants_only, t.rules, c.status, c.suspended,"
    " c.min_pay_fen, c.bureau_id, c.centre_id, p.phone_sealed,"
    f" {_account(Account.HELD)} AS held_id, {_account(Account.RELEASED)} AS released_id"
)
JOINED = (
    "LEFT JOIN claimant p ON p.id = x.claimant_id LEFT JOIN voucher_template t ON t.id = x.template_id"
    " LEFT JOIN campaign c ON c.id = x.campaign_id"
)


class Holding(Struct, frozen=True, kw_only=True):
    """One voucher with what its use depends on."""

    id: int
    public_id: str
    code_index: bytes
    state: VoucherState
    valid_from: datetime
    valid_until: datetime
    locked_until: datetime | None
    version: int
    claimant_id: int
    phone_sealed: bytes
    broadcast_id: int
    streamer_id: int
    template_id: int
    template: str
    face_fen: int
    threshold_fen: int
    merchants_only: bool
    rules: tuple[BoundRule, ...]
    round_id: int
    campaign_id: int
    campaign: CampaignStatus
    suspended: bool
    min_pay_fen: int
    bureau_id: int
    centre_id: int
    held_id: int
    released_id: int


def why_not(holding: Holding, *, now: datetime, used: bool) -> Refusal | None:
    """Why the voucher cannot be used at an instant; ``used``: it was, a moment ago in the same batch."""
    if used or holding.state in (VoucherState.REDEEMED, VoucherState.REFUNDED):
        return Refusal("ALREADY_USED")
    if holding.state is VoucherState.EXPIRED or now >= holding.valid_until:
        return Refusal("EXPIRED")
    if now < holding.valid_from:
        return Refusal("NOT_YET_VALID")
    if (
        holding.state is VoucherState.LOCKED
        and holding.locked_until is not None
        and now < holding.locked_until
    ):
        return Refusal("LOCKED")
    if holding.suspended or holding.campaign not in _USABLE:
        return Refusal("PAUSED", "这个活动的券暂时不能使用。")
    return None


async def hold(
    *, indexes: Collection[bytes] = (), public_ids: Collection[str] = ()
) -> dict[bytes | str, Holding]:
    """Lock vouchers, by code index or public id; what does not exist is left out."""
    wanted = [(index, "") for index in sorted(set(indexes))]
    wanted += [(b"", each) for each in sorted(set(public_ids))]
    lock = " FOR UPDATE OF x" if database.dialect() == "postgres" else ""
    rows = await database.with_rows(
        {"code_index": "bytea", "public_id": "text"},
        wanted,
        f"SELECT {COLUMNS} FROM voucher x {JOINED}"
        " WHERE x.id IN (SELECT y.id FROM v JOIN voucher y ON y.code_index = v.code_index"
        " UNION SELECT y.id FROM v JOIN voucher y ON y.public_id = v.public_id)"
        f" ORDER BY x.id{lock}",
    )
    found: dict[bytes | str, Holding] = {}
    for row in rows:
        holding = of_row(row)
        found[holding.code_index] = found[holding.public_id] = holding
    return found


def of_row(row: Mapping[str, Any]) -> Holding:
    """A voucher of a row with COLUMNS."""
    return Holding(
        id=int(row["id"]),
        public_id=row["public_id"],
        code_index=bytes(row["code_index"]),
        state=VoucherState(row["state"]),
        valid_from=clock.from_ms(row["valid_from"]),
        valid_until=clock.from_ms(row["valid_until"]),
        locked_until=None if row["locked_until"] is None else clock.from_ms(row["locked_until"]),
        version=int(row["version"]),
        claimant_id=int(row["claimant_id"]),
        phone_sealed=bytes(row["phone_sealed"] or b""),
        broadcast_id=int(row["broadcast_id"]),
        streamer_id=int(row["streamer_id"]),
        template_id=int(row["template_id"]),
        template=row["name"],
        face_fen=int(row["face_fen"]),
        threshold_fen=int(row["threshold_fen"]),
        merchants_only=bool(row["merchants_only"]),
        rules=bind(row["rules"], Stage.USE),
        round_id=int(row["round_id"]),
        campaign_id=int(row["campaign_id"]),
        campaign=CampaignStatus(row["status"]),
        suspended=bool(row["suspended"]),
        min_pay_fen=int(row["min_pay_fen"]),
        bureau_id=int(row["bureau_id"]),
        centre_id=int(row["centre_id"]),
        held_id=int(row["held_id"]),
        released_id=int(row["released_id"]),
    )
