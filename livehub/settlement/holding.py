"""One act of settlement at a time in a centre, and the batch it is about."""

from __future__ import annotations

from livehub import database
from livehub.kit.errors import NotFound
from livehub.settlement.models import SettlementBatch

# Whether a redemption ``r`` is held back: itself, with its merchant, or with its voucher's broadcast.
HELD = (
    "(EXISTS (SELECT 1 FROM settlement_hold h WHERE h.lifted_at IS NULL AND h.redemption_id = r.id)"
    " OR (r.merchant_id > 0 AND EXISTS (SELECT 1 FROM settlement_hold h WHERE h.lifted_at IS NULL"
    " AND h.redemption_id = 0 AND h.merchant_id = r.merchant_id))"
    " OR EXISTS (SELECT 1 FROM voucher hv JOIN settlement_hold h ON h.lifted_at IS NULL"
    " AND h.redemption_id = 0 AND h.merchant_id = 0 AND h.broadcast_id = hv.broadcast_id"
    " WHERE hv.id = r.voucher_id AND hv.broadcast_id > 0))"
)

# What can be settled: used, not in a line, not held back.
COLLECTABLE = (
    "r.at < {until} AND r.settled_at IS NULL AND r.state NOT IN ('authorized', 'voided')"
    " AND NOT EXISTS (SELECT 1 FROM settlement_line l WHERE l.redemption_id = r.id AND l.refund_id = 0)"
    f" AND NOT {HELD}"
)


async def alone(centre_id: int) -> None:
    """Until the transaction ends nobody else collects, submits or pays in this centre.

    The order is: centre, batch, vouchers, ledger accounts. SQLite has one writer and needs nothing.
    """
    if database.dialect() == "postgres":
        await database.fetch("SELECT id FROM centre WHERE id = $1 FOR NO KEY UPDATE", centre_id)


async def hold(public_id: str) -> SettlementBatch:
    """A batch that nobody else changes until the transaction ends; NotFound when there is none."""
    found = await SettlementBatch.get_or_none(public_id=public_id)
    if found is None:
        raise NotFound
    await alone(found.centre_id)
    again = await SettlementBatch.get_or_none(id=found.id)  # a draft may have been dropped meanwhile
    if again is None:
        raise NotFound
    return again


async def is_merchant_held(merchant_id: int, *, by_confirmed: bool) -> bool:
    """Whether a merchant is held back. ``by_confirmed``: by a confirmed case too, which may last."""
    which = "" if by_confirmed else " AND coalesce(c.state, '') <> 'confirmed'"
    row = merchant_id and await database.fetch_one(
        "SELECT h.id FROM settlement_hold h LEFT JOIN integrity_case c ON c.id = h.case_id"
        f" WHERE h.merchant_id = $1 AND h.lifted_at IS NULL{which}",
        merchant_id,
    )
    return bool(row)


async def is_withheld(merchant_id: int) -> bool:
    """Whether a confirmed case holds a merchant back, and nothing that may still be lifted does."""
    return await is_merchant_held(merchant_id, by_confirmed=True) and not await is_merchant_held(
        merchant_id, by_confirmed=False
    )
