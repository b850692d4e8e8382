"""One act of settlement at a time in a centre, and the batch it is about."""

from __future__ import annotations

from msgspec import Struct

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


# Redemptions under holds, lifted or not, whose ``which`` says which.
UNDER = (
    "SELECT h.redemption_id FROM settlement_hold h WHERE h.{which} AND h.redemption_id > 0"
    " UNION SELECT q.id FROM settlement_hold h JOIN redemption q ON q.merchant_id = h.merchant_id"
    " WHERE h.{which} AND h.merchant_id > 0 UNION SELECT q.id FROM settlement_hold h"
    " JOIN voucher z ON z.broadcast_id = h.broadcast_id JOIN redemption q ON q.voucher_id = z.id"
    " WHERE h.{which} AND h.broadcast_id > 0"
)


class Freed(Struct, frozen=True):
    """What comes of unsettled redemptions once holds are lifted: batches take them, or others hold them."""

    coming: int
    held: int

    @property
    def said(self) -> str:
        """In a word: all | partly | held | nothing."""
        if self.coming:
            return "partly" if self.held else "all"
        return "held" if self.held else "nothing"


async def freed(*, case_id: int = 0, hold_id: int = 0) -> Freed:
    """What comes of what a case or one hold held back, once it is lifted."""
    under = UNDER.format(which="case_id = $1" if case_id else "id = $1")
    row = await database.fetch_one(
        f"SELECT coalesce(sum(CASE WHEN {HELD} THEN 1 ELSE 0 END), 0) AS held, count(*) AS n"
        " FROM redemption r WHERE r.settled_at IS NULL AND r.state NOT IN ('authorized', 'voided')"
        f" AND r.id IN ({under})",
        case_id or hold_id,
    )
    held, every = (int(row["held"]), int(row["n"])) if row else (0, 0)
    return Freed(every - held, held)


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
