"""What pages and /api/v1 read of money to be paid back: who owes it, and what was received."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.kit.paging import Page, window
from livehub.settlement.amounts import REPAID
from livehub.settlement.queries import narrowed
from livehub.settlement.repayment_models import RepaymentState


class DebtRow(Struct, frozen=True, kw_only=True):
    """What a payee owes back of a campaign's money after every batch that was submitted, in fen."""

    batch: str  # the newest that was submitted, public id
    number: int  # of that batch
    campaign: str
    campaign_id: str
    payee: str
    owed_fen: int  # less what was noted as received


class RepaymentRow(Struct, frozen=True, kw_only=True):
    """Money that a payee paid back, in fen."""

    id: str
    campaign: str
    campaign_id: str
    payee: str
    amount_fen: int
    reference: str
    received_on: date
    state: RepaymentState
    noted_by_id: int
    noted_by: str
    noted_at: datetime
    decided_by: str
    decided_at: datetime | None
    reason: str


_NAMES = "c.name AS campaign, c.public_id AS campaign_id, coalesce(m.name, s.name, '') AS payee"
_JOINED = (
    " JOIN campaign c ON c.id = {row}.campaign_id LEFT JOIN merchant m ON m.id = {row}.merchant_id"
    " LEFT JOIN shop s ON s.id = {row}.shop_id"
)
_COLUMNS = (
    f"p.public_id AS id, {_NAMES}, p.amount_fen, p.reference, p.received_on, p.state, p.noted_by_id,"
    " p.noted_by, p.noted_at, p.decided_by, p.decided_at, p.reason"
)
_FROM = f" FROM settlement_repayment p{_JOINED.format(row='p')} WHERE p.centre_id = $1"


async def debts(*, actor: Actor) -> list[DebtRow]:
    """Who owes something back, of what the actor may see; the most first."""
    rows = await database.fetch(
        f"SELECT l.public_id AS batch, l.number, {_NAMES}, g.owed_fen FROM"
        " (SELECT b.campaign_id, b.merchant_id, b.shop_id, max(b.id) AS newest,"
        f" sum(b.late_fen - b.net_fen) - {REPAID.format(row='b')} AS owed_fen FROM settlement_batch b"
        " WHERE b.centre_id = $1 AND b.version > 0 GROUP BY b.campaign_id, b.merchant_id, b.shop_id) g"
        f" JOIN settlement_batch l ON l.id = g.newest{_JOINED.format(row='g')}"
        f" WHERE g.owed_fen > 0{narrowed(actor, row='g')} ORDER BY g.owed_fen DESC, l.id",
        actor.centre_id,
    )
    return [DebtRow(**{**row, "owed_fen": int(row["owed_fen"])}) for row in rows]


async def repayments(*, actor: Actor, state: str = "", number: int = 1, size: int = 50) -> Page[RepaymentRow]:
    """What was paid back, of what the actor may see; the newest note first."""
    number, size, limit, offset = window(number=number, size=size)
    source = f"{_FROM} AND ($2 = '' OR p.state = $2){narrowed(actor, row='p')}"
    counted = await database.fetch_one(f"SELECT count(*) AS n{source}", actor.centre_id, state)
    rows = await database.fetch(
        f"SELECT {_COLUMNS}{source} ORDER BY p.id DESC LIMIT {limit} OFFSET {offset}", actor.centre_id, state
    )
    return Page([_row(row) for row in rows], number, size, int(counted["n"]) if counted else 0)


async def repayment(public_id: str, *, actor: Actor) -> RepaymentRow:
    """One of them; NotFound outside the scope."""
    row = await database.fetch_one(
        f"SELECT {_COLUMNS}{_FROM} AND p.public_id = $2{narrowed(actor, row='p')}", actor.centre_id, public_id
    )
    if row is None:
        raise NotFound
    return _row(row)


def _row(row: Mapping[str, Any]) -> RepaymentRow:
    return RepaymentRow(
        **{
            **row,
            "received_on": clock.day_of_number(row["received_on"]),
            "state": RepaymentState(row["state"]),
            "noted_at": clock.from_ms(row["noted_at"]),
            "decided_at": clock.from_ms_or_none(row["decided_at"]),
        }
    )
