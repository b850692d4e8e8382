"""Where a campaign's vouchers are: put out, claimed, used, refunded, expired; by number and by value."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.vouchers.models import VoucherState


class Funnel(Struct, frozen=True, kw_only=True):
    """Vouchers and fen. ``cap = unclaimed + issued + locked + redeemed + refunded + expired + revoked``.

    A voucher that came back after a refund is issued again: one voucher, however often it was used.
    """

    cap: int
    cap_fen: int
    claimed: int
    claimed_fen: int
    issued: int
    locked: int
    redeemed: int
    refunded: int
    expired: int
    expired_fen: int
    revoked: int
    matured: int  # claimed, and their time is over
    matured_fen: int
    matured_used: int
    matured_net_fen: int  # subsidy of those, less what was recovered
    subsidy_fen: int  # of all redemptions, as they were made
    recovered_fen: int
    refunds: int
    returned: int  # how often a refund gave a voucher back

    @property
    def unclaimed(self) -> int:
        """Nobody has them."""
        return self.cap - self.claimed

    @property
    def used(self) -> int:
        """Redeemed, and not given back: those that a refund ended count as used."""
        return self.redeemed + self.refunded

    @property
    def net_fen(self) -> int:
        """What was spent."""
        return self.subsidy_fen - self.recovered_fen


async def of(campaign_id: int, *, now: datetime) -> Funnel:
    """The funnel of one campaign; matured is what expired by ``now``."""
    stock = await _one(
        "SELECT coalesce(sum(t.quantity), 0) AS cap, coalesce(sum(t.face_fen * t.quantity), 0) AS cap_fen,"
        " coalesce(sum(t.issued), 0) AS claimed, coalesce(sum(t.face_fen * t.issued), 0) AS claimed_fen"
        " FROM voucher_template t JOIN campaign_round n ON n.id = t.round_id WHERE n.campaign_id = $1",
        campaign_id,
    )
    spent = await _one(
        "SELECT coalesce(sum(r.subsidy_fen), 0) AS subsidy_fen, coalesce(sum(r.recovered_fen), 0)"
        " AS recovered_fen, coalesce(sum(CASE WHEN x.valid_until <= $2 THEN r.subsidy_fen - r.recovered_fen"
        " ELSE 0 END), 0) AS matured_net_fen FROM redemption r JOIN voucher x ON x.id = r.voucher_id"
        " WHERE r.campaign_id = $1 AND r.state <> 'voided'",
        campaign_id,
        clock.to_ms(now),
    )
    refunds = await _one(
        "SELECT count(*) AS refunds, coalesce(sum(CASE WHEN restored THEN 1 ELSE 0 END), 0) AS returned"
        " FROM redemption_refund WHERE campaign_id = $1",
        campaign_id,
    )
    return Funnel(**stock, **spent, **refunds, **await _states(campaign_id, now=now))


async def _states(campaign_id: int, *, now: datetime) -> dict[str, int]:
    rows = await database.fetch(
        "SELECT x.state, count(*) AS n, sum(t.face_fen) AS fen,"
        " sum(CASE WHEN x.valid_until <= $2 THEN 1 ELSE 0 END) AS matured,"
        " sum(CASE WHEN x.valid_until <= $2 THEN t.face_fen ELSE 0 END) AS matured_fen"
        " FROM campaign_round n JOIN voucher_template t ON t.round_id = n.id"
        " JOIN voucher x ON x.template_id = t.id WHERE n.campaign_id = $1 GROUP BY x.state",
        campaign_id,
        clock.to_ms(now),
    )
    found = {str(state): 0 for state in VoucherState}
    found |= dict.fromkeys(("expired_fen", "matured", "matured_fen", "matured_used"), 0)
    for row in rows:
        found[row["state"]] = int(row["n"])
        found["matured"] += int(row["matured"])
        found["matured_fen"] += int(row["matured_fen"])
        if row["state"] in (VoucherState.REDEEMED, VoucherState.REFUNDED):
            found["matured_used"] += int(row["matured"])
        if row["state"] == VoucherState.EXPIRED:
            found["expired_fen"] = int(row["fen"])
    return found


async def _one(sql: str, *args: object) -> dict[str, int]:
    row = await database.fetch_one(sql, *args)
    assert row is not None  # noqa: S101 -- an aggregate has one row
    return {name: int(value) for name, value in row.items()}
