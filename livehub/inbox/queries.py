"""Searching the inbox: what arrived, what became of it, what waits and what is stuck."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.inbox.models import MessageStatus
from livehub.kit import clock
from livehub.kit.paging import Page, window

COUNTED = 10_000  # where a page of the desk stops counting: nobody pages further
WAITING = "waiting"  # received or being processed
UNREGISTERED = "-"  # in the place of a shop's public id

_QUEUED = (MessageStatus.RECEIVED, MessageStatus.PROCESSING)


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
    shop: str = ""  # public id, or UNREGISTERED
    status: str = ""  # of a message, or WAITING
    reason: str = ""
    source: str = ""
    since: datetime | None = None
    until: datetime | None = None
    oldest_first: bool = False


class Health(Struct, frozen=True, kw_only=True):
    """How the inbox is."""

    waiting: int
    oldest_at: datetime | None
    parked: int
    dead: int
    refused: int  # deliveries with a bad signature since local midnight


async def messages(
    search: Search, *, actor: Actor, number: int = 1, size: int = 50, count_to: int = 0
) -> Page[MessageRow]:
    """The messages of the actor's centre, newest first unless told otherwise; 0 counts to the end."""
    number, size, limit, offset = window(number=number, size=size)
    where, args = _question(search, centre_id=actor.centre_id)
    stop = f" LIMIT {int(count_to)}" if count_to else ""
    counted = await database.fetch_one(
        f"SELECT count(*) AS n FROM (SELECT m.id {_FROM} WHERE {where}{stop}) t", *args
    )
    rows = await first(search, actor=actor, limit=limit, offset=offset)
    return Page(rows, number, size, int(counted["n"]) if counted else 0)


async def first(search: Search, *, actor: Actor, limit: int, offset: int = 0) -> list[MessageRow]:
    """So many messages of the same list, for a page or an export."""
    require(actor, Permission.INBOX_READ)
    where, args = _question(search, centre_id=actor.centre_id)
    order = "m.id" if search.oldest_first else "m.id DESC"
    rows = await database.fetch(
        f"SELECT {_COLUMNS} {_FROM} WHERE {where} ORDER BY {order} LIMIT {int(limit)} OFFSET {int(offset)}",
        *args,
    )
    return [_row(each) for each in rows]


async def health(*, actor: Actor, now: datetime) -> Health:
    """Depth, age, what is stuck and what was refused; each count reads an index of the few."""
    require(actor, Permission.INBOX_READ)
    queued = [await _queued(status, actor.centre_id) for status in _QUEUED]
    stuck = await database.fetch(
        "SELECT status, count(*) AS n FROM inbox_message"
        f" WHERE status IN ('{MessageStatus.PARKED}', '{MessageStatus.DEAD}') AND centre_id = $1"
        " GROUP BY status",
        actor.centre_id,
    )
    refused = await database.fetch_one(
        "SELECT coalesce(sum(f.count), 0) AS n FROM signature_failure f LEFT JOIN endpoint e"
        " ON e.id = f.endpoint_id WHERE f.hour >= $1 AND (f.endpoint_id = 0 OR e.centre_id = $2)",
        clock.to_ms(clock.at_local(clock.local_day(now))),
        actor.centre_id,
    )
    by_status = {row["status"]: int(row["n"]) for row in stuck}
    oldest = min((at for _, at in queued if at is not None), default=None)
    return Health(
        waiting=sum(n for n, _ in queued),
        oldest_at=None if oldest is None else clock.from_ms(oldest),
        parked=by_status.get(MessageStatus.PARKED, 0),
        dead=by_status.get(MessageStatus.DEAD, 0),
        refused=int(refused["n"]) if refused else 0,
    )


async def _queued(status: MessageStatus, centre_id: int) -> tuple[int, int | None]:
    row = await database.fetch_one(
        "SELECT count(*) AS n, min(received_at) AS oldest FROM inbox_message"
        f" WHERE status = '{status}' AND centre_id = $1",
        centre_id,
    )
    return (int(row["n"]), row["oldest"]) if row else (0, None)


def _question(search: Search, *, centre_id: int) -> tuple[str, list[object]]:
    """(conditions, arguments) of a search."""
    wanted: list[tuple[str, object]] = [
        (
            f"(m.native_id = ? OR m.native_type = ? OR m.order_key <> '' AND m.order_key IN ({_KEYS}))",
            search.q.strip(),
        ),
        ("m.platform = ?", search.platform),
        ("s.public_id = ?", "" if search.shop == UNREGISTERED else search.shop),
        ("m.status = ?", "" if search.status == WAITING else search.status),
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
    if search.shop == UNREGISTERED:
        where.append("s.id IS NULL")
    if search.status == WAITING:
        where.append(f"m.status IN ({', '.join(repr(str(each)) for each in _QUEUED)})")
    return " AND ".join(where), arguments


_COLUMNS = (
    "m.id, m.delivery_id, m.received_at, m.processed_at, m.platform, coalesce(s.public_id, '') AS shop,"
    " coalesce(s.name, '') AS shop_name, m.shop_ref, m.native_type, m.native_id, m.order_key, m.status,"
    " m.reason, m.attempts, m.last_error AS error, m.source"
)
_FROM = "FROM inbox_message m LEFT JOIN shop s ON s.platform = m.platform AND s.shop_ref = m.shop_ref"
# An order number in each shop of the centre, and in those nobody registered.
_KEYS = (
    "SELECT x.platform || ':' || x.shop_ref || ':' || ? FROM shop x WHERE x.centre_id = $1"
    " UNION SELECT y.platform || ':' || y.shop_ref || ':' || ? FROM inbox_message y"
    f" WHERE y.status = '{MessageStatus.PARKED}' AND y.reason = 'shop' AND y.centre_id = $1"
)


def _row(row: Mapping[str, Any]) -> MessageRow:
    values = {name: row[name] for name in MessageRow.__struct_fields__ if name in row}
    values["received_at"] = clock.from_ms(row["received_at"])
    values["processed_at"] = clock.from_ms(row["processed_at"]) if row["processed_at"] else None
    values["order_ref"] = row["order_key"].split(":", 2)[-1]
    return MessageRow(**values)
