"""Reading papers: what is on file, what ends soon, and how the products of a centre stand on a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.paging import Page, window
from livehub.merchants import queries, standing
from livehub.merchants.queries import ProductView
from livehub.merchants.standing import SOON, Standing

STATES = ("soon", "expired", "valid", "withdrawn")


class PaperRow(Struct, frozen=True, kw_only=True):
    """A paper as lists show it; the number of a personal one is empty."""

    id: str  # public id
    owner_kind: str
    owner: str  # its name
    type: str
    number: str
    issued_on: date | None
    valid_to: date | None
    has_file: bool
    verified_by: str
    verified_at: datetime
    state: str  # see STATES
    days_left: int | None


class Picked(Struct, frozen=True, kw_only=True):
    """A product as somebody who plans a show sees it."""

    product: ProductView
    standing: Standing
    ends_in: int | None  # days after the show's, when that is soon


async def papers(
    *, actor: Actor, today: date, state: str = "", owner_kind: str = "", number: int = 1, size: int = 50
) -> Page[PaperRow]:
    """A page of a centre's papers, what ends first on top; those withdrawn only when asked for."""
    number, size, limit, offset = window(number=number, size=size)
    where = (
        f"FROM qualification q WHERE q.centre_id = $1 AND ($2 = '' OR q.owner_kind = $2) AND {_STATE[state]}"
    )
    if not may(actor, Permission.STREAMER_READ):
        where += " AND q.owner_kind <> 'person'"
    args = (actor.centre_id, owner_kind, clock.day_number(today), clock.day_number(today + SOON))
    told = " AND CAST($3 AS int) > 0 AND CAST($4 AS int) > 0"  # every state has the same arguments
    counted = await database.fetch_one(f"SELECT count(*) AS total {where}{told}", *args)
    rows = await database.fetch(
        f"SELECT {_COLUMNS} {where}{told}"
        " ORDER BY CASE WHEN q.valid_to IS NULL THEN 1 ELSE 0 END, q.valid_to, q.id"
        f" LIMIT {limit} OFFSET {offset}",
        *args,
    )
    return Page([_row(row, today=today) for row in rows], number, size, counted["total"] if counted else 0)


async def ending(*, centre_id: int, today: date) -> int:
    """How many papers end soon or have ended."""
    row = await database.fetch_one(
        "SELECT count(*) AS total FROM qualification WHERE centre_id = $1 AND withdrawn_at IS NULL"
        " AND valid_to <= $2",
        centre_id,
        clock.day_number(today + SOON),
    )
    return row["total"] if row else 0


async def shelf(centre_id: int, *, day: date) -> list[Picked]:
    """The products of a centre with how they stand on a day, by name."""
    found = await queries.products(centre_id)
    stand = await standing.of_products([each.id for each in found], day=day)
    return [
        Picked(product=each, standing=stand[each.id], ends_in=stand[each.id].ends_within(day))
        for each in found
    ]


_STATE = {
    "": "q.withdrawn_at IS NULL",
    "soon": "q.withdrawn_at IS NULL AND q.valid_to BETWEEN $3 AND $4",
    "expired": "q.withdrawn_at IS NULL AND q.valid_to < $3",
    "valid": "q.withdrawn_at IS NULL AND (q.valid_to IS NULL OR q.valid_to > $4)",
    "withdrawn": "q.withdrawn_at IS NOT NULL",
}
_COLUMNS = (
    "q.public_id AS id, q.owner_kind, q.type, q.number, q.issued_on, q.valid_to, q.verified_by,"
    " q.verified_at, q.withdrawn_at, CASE WHEN q.file_sha256 IS NULL THEN 0 ELSE 1 END AS has_file,"
    " CASE q.owner_kind WHEN 'product' THEN (SELECT name FROM product WHERE id = q.owner_id)"
    " WHEN 'merchant' THEN (SELECT name FROM merchant WHERE id = q.owner_id)"
    " ELSE (SELECT name FROM person WHERE id = q.owner_id) END AS owner"
)


def _row(row: Mapping[str, Any], *, today: date) -> PaperRow:
    valid_to = None if row["valid_to"] is None else clock.day_of_number(row["valid_to"])
    issued_on = None if row["issued_on"] is None else clock.day_of_number(row["issued_on"])
    return PaperRow(
        id=row["id"],
        owner_kind=row["owner_kind"],
        owner=row["owner"] or "",
        type=row["type"],
        number=row["number"],
        issued_on=issued_on,
        valid_to=valid_to,
        has_file=bool(row["has_file"]),
        verified_by=row["verified_by"],
        verified_at=clock.from_ms(row["verified_at"]),
        state=_state(row["withdrawn_at"], valid_to, today=today),
        days_left=None if valid_to is None else (valid_to - today) // timedelta(days=1),
    )


def _state(withdrawn_at: int | None, valid_to: date | None, *, today: date) -> str:
    if withdrawn_at is not None:
        return "withdrawn"
    if valid_to is not None and valid_to < today:
        return "expired"
    return "soon" if valid_to is not None and valid_to <= today + SOON else "valid"
