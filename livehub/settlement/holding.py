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
    return await SettlementBatch.get(id=found.id)
