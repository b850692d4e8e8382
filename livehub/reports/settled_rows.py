"""The settlement batches of a bureau's campaigns that were submitted by an instant."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.reports.forms import Ask


class Batch(Struct, frozen=True, kw_only=True):
    """A batch whose lines and file are fixed; amounts in fen."""

    id: int
    public_id: str
    number: int
    day: date
    campaign: str
    campaign_name: str
    payee_id: str  # public id of a merchant, or of a shop where there is none
    payee: str
    redeemed_fen: int
    recovered_fen: int
    late_fen: int
    carried_in_fen: int
    net_fen: int
    pay_fen: int
    sha256: str  # of the file that was submitted
    submitted_at: datetime


async def batches(ask: Ask) -> list[Batch]:
    """Those whose day lies in the period, by day and number."""
    rows = await database.fetch(
        "SELECT b.id, b.public_id, b.number, b.day, c.public_id AS campaign, c.name AS campaign_name,"
        " coalesce(m.public_id, s.public_id, '') AS payee_id, coalesce(m.name, s.name, '') AS payee,"
        " b.redeemed_fen, b.recovered_fen, b.late_fen, b.carried_in_fen, b.net_fen, b.pay_fen, b.sha256,"
        " b.submitted_at FROM settlement_batch b JOIN campaign c ON c.id = b.campaign_id"
        " LEFT JOIN merchant m ON m.id = b.merchant_id LEFT JOIN shop s ON s.id = b.shop_id"
        " WHERE c.centre_id = $1 AND c.bureau_id = $2 AND b.day >= $3 AND b.day < $4"
        " AND b.state IN ('submitted', 'confirmed', 'paid') AND b.submitted_at <= $5"
        " AND ($6 = '' OR c.public_id = $6) ORDER BY b.day, b.number",
        ask.centre_id,
        ask.bureau_id,
        clock.day_number(ask.since),
        clock.day_number(ask.until),
        ask.as_of_ms,
        ask.campaign,
    )
    return [
        Batch(
            **row
            | {
                "day": clock.day_of_number(row["day"]),
                "sha256": bytes(row["sha256"]).hex(),
                "submitted_at": clock.from_ms(row["submitted_at"]),
            }
        )
        for row in rows
    ]
