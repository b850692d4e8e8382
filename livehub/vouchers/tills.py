"""What a till and a claim page read besides lists: one use, what is payable, how many take a voucher."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.vouchers.models import Account


class UseRow(Struct, frozen=True, kw_only=True):
    """One redemption as the merchant that made it reads it again."""

    id: str
    at: datetime
    template: str
    face_fen: int
    threshold_fen: int
    order_fen: int
    subsidy_fen: int
    paid_fen: int
    receipt_no: str  # empty where none was given
    state: str


async def use(public_id: str, *, merchant_id: int) -> UseRow:
    """A redemption of this merchant; NotFound for everybody else's."""
    row = await database.fetch_one(
        "SELECT r.public_id, r.at, r.order_no, r.order_fen, r.subsidy_fen, r.paid_fen, r.state, t.name,"
        " t.face_fen, t.threshold_fen FROM redemption r JOIN voucher_template t ON t.id = r.template_id"
        " WHERE r.public_id = $1 AND r.merchant_id = $2",
        public_id,
        merchant_id,
    )
    if row is None:
        raise NotFound
    return UseRow(
        id=row["public_id"],
        at=clock.from_ms(row["at"]),
        template=row["name"],
        face_fen=row["face_fen"],
        threshold_fen=row["threshold_fen"],
        order_fen=row["order_fen"],
        subsidy_fen=row["subsidy_fen"],
        paid_fen=row["paid_fen"],
        receipt_no="" if row["order_no"] == row["public_id"] else row["order_no"],
        state=row["state"],
    )


async def payable_fen(merchant_id: int) -> int:
    """What the campaigns owe a merchant and have not settled yet."""
    row = await database.fetch_one(
        f"SELECT coalesce(sum(balance_fen), 0) AS fen FROM ledger_account WHERE kind = '{Account.PAYABLE}'"
        " AND merchant_id = $1",
        merchant_id,
    )
    return int(row["fen"]) if row else 0


async def stores_taking(template: str) -> int:
    """How many stores take the vouchers of a template (public id)."""
    row = await database.fetch_one(
        "SELECT count(*) AS n FROM voucher_template t JOIN campaign_round r ON r.id = t.round_id"
        " JOIN merchant_enrolment e ON e.campaign_id = r.campaign_id AND e.status = 'approved'"
        " JOIN merchant m ON m.id = e.merchant_id AND m.status = 'approved'"
        " JOIN store s ON s.merchant_id = m.id WHERE t.public_id = $1",
        template,
    )
    return int(row["n"]) if row else 0
