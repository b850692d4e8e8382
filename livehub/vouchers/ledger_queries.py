"""A campaign's ledger entry by entry, for those who check the money."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.kit.paging import Page, window


class EntryRow(Struct, frozen=True, kw_only=True):
    """One posting; voucher and redemption are public ids, '' where there is none."""

    id: int
    at: datetime
    kind: str
    debit: str  # the kind of the account the money left
    credit: str  # the kind of the account it entered
    amount_fen: int
    voucher: str
    redemption: str


async def entries(campaign_id: int, *, number: int = 1, size: int = 50) -> Page[EntryRow]:
    """The postings of a campaign, newest first."""
    number, size, limit, offset = window(number=number, size=size)
    counted = await database.fetch_one(
        "SELECT count(*) AS n FROM ledger_entry WHERE campaign_id = $1", campaign_id
    )
    rows = await database.fetch(
        "SELECT e.id, e.at, e.kind, d.kind AS debit, c.kind AS credit, e.amount_fen,"
        " coalesce(v.public_id, '') AS voucher, coalesce(r.public_id, '') AS redemption FROM ledger_entry e"
        " JOIN ledger_account d ON d.id = e.debit_id JOIN ledger_account c ON c.id = e.credit_id"
        " LEFT JOIN voucher v ON v.id = e.voucher_id LEFT JOIN redemption r ON r.id = e.redemption_id"
        f" WHERE e.campaign_id = $1 ORDER BY e.id DESC LIMIT {limit} OFFSET {offset}",
        campaign_id,
    )
    items = [EntryRow(**{**row, "at": clock.from_ms(row["at"])}) for row in rows]
    return Page(items, number, size, int(counted["n"]) if counted else 0)
