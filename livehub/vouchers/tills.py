"""What a till and a claim page read besides lists: what is payable, how many stores take a voucher."""

from __future__ import annotations

from livehub import database
from livehub.vouchers.models import Account


async def payable_fen(merchant_id: int) -> int:
    """What the campaigns owe a merchant and have not settled yet, less what she owes them back."""
    row = await database.fetch_one(
        "SELECT coalesce(sum(balance_fen), 0) AS fen FROM ledger_account"
        f" WHERE kind IN ('{Account.PAYABLE}', '{Account.RECEIVABLE}') AND merchant_id = $1",
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
