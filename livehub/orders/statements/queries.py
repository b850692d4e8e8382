"""Reading statements for pages: the list, one of them with its result, and the differences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, paging
from livehub.kit.errors import NotFound
from livehub.kit.paging import Page
from livehub.orders.statements import registry
from livehub.orders.statements.drafts import SUMS
from livehub.orders.statements.reading import Wrong


class Seen(Struct, frozen=True, kw_only=True):
    """A statement in a list; integer fen."""

    id: int
    public_id: str
    name: str
    source: str
    source_label: str
    shop: str
    shop_name: str
    platform: str
    state: str
    sha256: str
    size: int
    encoding: str
    rows: int
    skipped: int
    wrong: int
    repeated: int
    unknown: int
    sums: dict[str, int]
    first_day: date | None
    last_day: date | None
    made_by: str
    made_at: datetime
    imported_by: str
    imported_at: datetime | None
    open_differences: int


class Tally(Struct, frozen=True, kw_only=True):
    """How many differences of a kind live in a state, and their fen (settled less what the books say)."""

    kind: str
    state: str
    count: int
    fen: int


class Whole(Struct, frozen=True, kw_only=True):
    """A statement with what is wrong in its file, and what came of it."""

    seen: Seen
    mistakes: Sequence[Wrong]
    stored: int
    matched: int  # rows
    settled_fen: int  # of the matched rows
    tallies: Sequence[Tally]


class Difference(Struct, frozen=True, kw_only=True):
    """One thing that statements and books do not agree on."""

    id: int
    kind: str
    state: str
    statement: str
    statement_name: str
    line: int  # of the file, 0 where it is about an order line
    order_ref: str
    line_ref: str
    shop: str
    shop_name: str
    platform: str
    is_known: bool  # whether the order is
    net_fen: int
    settled_fen: int
    opened_at: datetime
    reason: str
    explained_by: str
    explained_at: datetime | None
    closed_at: datetime | None

    @property
    def fen(self) -> int:
        """By how much more is settled than is due."""
        return self.settled_fen - self.net_fen


Differences = Page[Difference]

_SEEN = (
    "SELECT t.*, s.public_id AS shop, s.name AS shop_name, s.platform AS platform,"
    " (SELECT count(*) FROM settlement_difference d WHERE d.statement_id = t.id AND d.state = 'open')"
    " AS open_differences FROM settlement_statement t JOIN shop s ON s.id = t.shop_id"
)


async def statements(*, actor: Actor, shop: str = "", number: int = 1, size: int = 50) -> Page[Seen]:
    """The statements of the reader's centre, the newest first."""
    require(actor, Permission.STATEMENT_READ)
    number, size, limit, offset = paging.window(number=number, size=size)
    where, args = "t.centre_id = $1", [actor.centre_id, *([shop] if shop else [])]
    where += " AND s.public_id = $2" if shop else ""
    count = await database.fetch_one(
        f"SELECT count(*) AS n FROM settlement_statement t JOIN shop s ON s.id = t.shop_id WHERE {where}",
        *args,
    )
    rows = await database.fetch(
        f"{_SEEN} WHERE {where} ORDER BY t.made_at DESC, t.id DESC LIMIT {limit} OFFSET {offset}", *args
    )
    return Page([_seen(row) for row in rows], number, size, int(count["n"]) if count else 0)


async def statement(public_id: str, *, actor: Actor) -> Whole:
    """One statement of the reader's centre; NotFound otherwise."""
    require(actor, Permission.STATEMENT_READ)
    row = await database.fetch_one(
        f"{_SEEN} WHERE t.public_id = $1 AND t.centre_id = $2", public_id, actor.centre_id
    )
    if row is None:
        raise NotFound
    stored = await database.fetch_one(
        "SELECT count(*) AS n FROM statement_line WHERE statement_id = $1", row["id"]
    )
    marked = await database.fetch_one(
        "SELECT count(DISTINCT statement_line_id) AS n, coalesce(sum(fen), 0) AS fen FROM settled_mark"
        " WHERE statement_id = $1",
        row["id"],
    )
    tallies = await database.fetch(
        "SELECT kind, state, count(*) AS count, sum(settled_fen - net_fen) AS fen FROM settlement_difference"
        " WHERE statement_id = $1 GROUP BY kind, state ORDER BY kind, state",
        row["id"],
    )
    return Whole(
        seen=_seen(row),
        mistakes=msgspec.json.decode(row["mistakes"], type=list[Wrong]),
        stored=int(stored["n"]) if stored else 0,
        matched=int(marked["n"]) if marked else 0,
        settled_fen=int(marked["fen"]) if marked else 0,
        tallies=[
            Tally(kind=each["kind"], state=each["state"], count=int(each["count"]), fen=int(each["fen"]))
            for each in tallies
        ],
    )


async def differences(
    *,
    actor: Actor,
    statement: str = "",
    kind: str = "",
    state: str = "",
    number: int = 1,
    size: int = 50,
) -> Page[Difference]:
    """The differences of the reader's centre: open ones first, then the largest."""
    require(actor, Permission.STATEMENT_READ)
    number, size, limit, offset = paging.window(number=number, size=size)
    where, args = ["d.centre_id = $1"], list[Any]([actor.centre_id])
    for column, wanted in (("t.public_id", statement), ("d.kind", kind), ("d.state", state)):
        if wanted:
            args.append(wanted)
            where.append(f"{column} = ${len(args)}")
    source = (
        "FROM settlement_difference d JOIN settlement_statement t ON t.id = d.statement_id"
        " JOIN shop s ON s.id = d.shop_id LEFT JOIN statement_line l ON l.id = d.statement_line_id"
        " LEFT JOIN sales_order o ON o.id = d.order_id"
        " LEFT JOIN sales_order p ON p.shop_id = l.shop_id AND p.order_ref = l.order_ref"
        f" WHERE {' AND '.join(where)}"
    )
    count = await database.fetch_one(f"SELECT count(*) AS n {source}", *args)
    rows = await database.fetch(
        "SELECT d.*, t.public_id AS statement, t.name AS statement_name, s.public_id AS shop,"
        " s.name AS shop_name, s.platform AS platform, coalesce(l.line, 0) AS line,"
        " coalesce(o.order_ref, l.order_ref, '') AS order_ref,"
        " coalesce(l.line_ref, d.line_ref) AS named_line, coalesce(o.id, p.id, 0) AS known"
        f" {source} ORDER BY CASE d.state WHEN 'open' THEN 0 WHEN 'explained' THEN 1 ELSE 2 END,"
        f" abs(d.settled_fen - d.net_fen) DESC, d.id LIMIT {limit} OFFSET {offset}",
        *args,
    )
    return Page([_difference(row) for row in rows], number, size, int(count["n"]) if count else 0)


class Seller(Struct, frozen=True, kw_only=True):
    """A shop whose statement may be uploaded."""

    public_id: str
    name: str
    platform: str


async def sellers(*, centre_id: int) -> list[Seller]:
    """The shops of a centre by platform and name."""
    rows = await database.fetch(
        "SELECT public_id, name, platform FROM shop WHERE centre_id = $1 ORDER BY platform, name, id",
        centre_id,
    )
    return [Seller(**row) for row in rows]


class Open(Struct, frozen=True, kw_only=True):
    """What waits for somebody's explanation."""

    count: int
    fen: int  # sum of how far each is off, whichever way


async def open_differences(*, centre_id: int) -> Open:
    """How many differences nobody has explained."""
    row = await database.fetch_one(
        "SELECT count(*) AS n, coalesce(sum(abs(settled_fen - net_fen)), 0) AS fen FROM settlement_difference"
        " WHERE centre_id = $1 AND state = 'open'",
        centre_id,
    )
    return Open(count=int(row["n"]), fen=int(row["fen"])) if row else Open(count=0, fen=0)


def _seen(row: dict[str, Any]) -> Seen:
    known = {source.name: source.label for source in registry.all()}
    plain = (
        *("id", "public_id", "name", "source", "shop", "shop_name", "platform", "state", "size", "encoding"),
        *("rows", "skipped", "wrong", "repeated", "unknown", "made_by", "imported_by", "open_differences"),
    )
    return Seen(
        **{name: row[name] for name in plain},
        source_label=known.get(row["source"], row["source"]),
        sha256=bytes(row["sha256"]).hex(),
        sums={name: row[f"{name}_fen"] for name in SUMS},
        first_day=clock.day_of_number(row["first_day"]) if row["first_day"] else None,
        last_day=clock.day_of_number(row["last_day"]) if row["last_day"] else None,
        made_at=clock.from_ms(row["made_at"]),
        imported_at=clock.from_ms_or_none(row["imported_at"]),
    )


def _difference(row: dict[str, Any]) -> Difference:
    plain = (
        *("id", "kind", "state", "statement", "statement_name", "line", "order_ref", "shop", "shop_name"),
        *("platform", "net_fen", "settled_fen", "reason", "explained_by"),
    )
    return Difference(
        **{name: row[name] for name in plain},
        line_ref=row["named_line"],
        is_known=bool(row["known"]),
        opened_at=clock.from_ms(row["opened_at"]),
        explained_at=clock.from_ms_or_none(row["explained_at"]),
        closed_at=clock.from_ms_or_none(row["closed_at"]),
    )
