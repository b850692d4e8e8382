"""Searching the inbox: what arrived, what became of it, and why something is stuck."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock
from livehub.kit.paging import Page, window


class MessageRow(Struct, frozen=True, kw_only=True):
    """One message as lists show it."""

    id: int
    delivery_id: int  # 0: a fact of our own
    received_at: datetime
    processed_at: datetime | None
    platform: str
    shop: str  # public id, '' while nobody registered the shop
    shop_name: str
    shop_ref: str
    native_type: str
    native_id: str
    order_ref: str
    status: str
    reason: str
    attempts: int
    error: str
    source: str


class Search(Struct, frozen=True, kw_only=True):
    """Which messages; what is empty leaves everything in.

    ``q`` is an order number, the platform's number of the message, or its type, written out in full.
    """

    q: str = ""
    platform: str = ""
    shop: str = ""  # public id
    status: str = ""
    reason: str = ""
    source: str = ""
    since: datetime | None = None
    until: datetime | None = None
    oldest_first: bool = False


async def messages(search: Search, *, actor: Actor, number: int = 1, size: int = 50) -> Page[MessageRow]:
    """The messages of the actor's centre, newest first unless told otherwise."""
    require(actor, Permission.INBOX_READ)
    number, size, limit, offset = window(number=number, size=size)
    where, args = _question(search, centre_id=actor.centre_id)
    counted = await database.fetch_one(f"SELECT count(*) AS n {_FROM} WHERE {where}", *args)
    order = "m.id" if search.oldest_first else "m.id DESC"
    rows = await database.fetch(
        f"SELECT {_COLUMNS} {_FROM} WHERE {where} ORDER BY {order} LIMIT {limit} OFFSET {offset}", *args
    )
    return Page([_row(each) for each in rows], number, size, int(counted["n"]) if counted else 0)


def _question(search: Search, *, centre_id: int) -> tuple[str, list[object]]:
    """(conditions, arguments) of a search."""
    wanted: list[tuple[str, object]] = [
        (f"(m.native_id = ? OR m.native_type = ? OR m.order_key IN ({_KEYS}))", search.q.strip()),
        ("m.platform = ?", search.platform),
        ("s.public_id = ?", search.shop),
        ("m.status = ?", search.status),
        ("m.reason = ?", search.reason),
        ("m.source = ?", search.source),
        ("m.received_at >= ?", clock.to_ms(search.since) if search.since else ""),
        ("m.received_at < ?", clock.to_ms(search.until) if search.until else ""),
    ]
    where = ["m.centre_id = $1"]
    arguments: list[object] = [centre_id]
    for condition, value in wanted:
        if value != "":
            arguments.append(value)
            where.append(condition.replace("?", f"${len(arguments)}"))
    return " AND ".join(where), arguments


_COLUMNS = (
    "m.id, m.delivery_id, m.received_at, m.processed_at, m.platform, coalesce(s.public_id, '') AS shop,"
    " coalesce(s.name, '') AS shop_name, m.shop_ref, m.native_type, m.native_id, m.order_key, m.status,"
    " m.reason, m.attempts, m.last_error AS error, m.source"
)
_FROM = "FROM inbox_message m LEFT JOIN shop s ON s.platform = m.platform AND s.shop_ref = m.shop_ref"
# What an order number is called in each shop of the centre; order_key is indexed.
_KEYS = "SELECT x.platform || ':' || x.shop_ref || ':' || ? FROM shop x WHERE x.centre_id = $1"


def _row(row: Mapping[str, Any]) -> MessageRow:
    values = {name: row[name] for name in MessageRow.__struct_fields__ if name in row}
    values["received_at"] = clock.from_ms(row["received_at"])
    values["processed_at"] = clock.from_ms(row["processed_at"]) if row["processed_at"] else None
    values["order_ref"] = row["order_key"].split(":", 2)[-1]
    return MessageRow(**values)
