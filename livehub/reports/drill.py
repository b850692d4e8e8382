"""From a number to its lines, from a line to its messages, from a message to the bytes that caused it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.inbox import layout
from livehub.kit import clock, paging
from livehub.kit.errors import NotFound
from livehub.kit.paging import Page
from livehub.orders import contribution
from livehub.orders import state as states
from livehub.orders.contribution import MEASURES
from livehub.platforms.contract import Event, Line, RefundSnapshot
from livehub.reports.basis import Basis
from livehub.reports.figures import Scope, question, source


class LineAmount(Struct, frozen=True, kw_only=True):
    """What one order line adds to a number, in fen of the number's basis."""

    order_ref: str
    shop: str
    shop_name: str
    platform: str
    line_ref: str
    amount_fen: int
    day: date
    attribution: str
    broadcast: str
    broadcast_title: str
    product_name: str
    paid_at: datetime | None
    status: str


async def lines(scope: Scope, basis: Basis, *, number: int = 1, size: int = 50) -> Page[LineAmount]:
    """The lines whose contributions add up to the number, largest first; their sum is the number."""
    return await amounts(scope, basis.sql(), number=number, size=size)


async def amounts(
    scope: Scope, sql: str, *, only: str = "", above: bool = False, number: int = 1, size: int = 50
) -> Page[LineAmount]:
    """The lines that add to an amount of rows ``r``, largest first.

    ``only``: a condition that holds for every row that adds to it; ``above``: lines above 0 alone.
    """
    grouped, args = grouping(scope, sql, only=only, above=above)
    return await page_of(grouped, args, number=number, size=size)


async def page_of(grouped: str, args: Sequence[Any], *, number: int, size: int) -> Page[LineAmount]:
    """A page of the lines that a statement of ``grouping``'s columns finds, the largest amount first."""
    number, size, limit, offset = paging.window(number=number, size=size)
    count = await database.fetch_one(f"SELECT count(*) AS n FROM ({grouped}) g", *args)
    rows = await database.fetch(
        "SELECT g.*, o.order_ref AS order_ref, o.platform AS platform, o.paid_at AS paid_at, o.status AS"
        " status,"
        f" s.public_id AS shop, s.name AS shop_name FROM ({grouped}) g JOIN sales_order o ON o.id ="
        " g.order_id"
        f" JOIN shop s ON s.id = o.shop_id ORDER BY abs(g.amount) DESC, g.order_id, g.line_ref LIMIT {limit}"
        f" OFFSET {offset}",
        *args,
    )
    items = [
        LineAmount(
            order_ref=row["order_ref"],
            shop=row["shop"],
            shop_name=row["shop_name"],
            platform=row["platform"],
            line_ref=row["line_ref"],
            amount_fen=int(row["amount"]),
            day=clock.day_of_number(row["day"]),
            attribution=row["attribution"],
            broadcast=row["broadcast"] or "",
            broadcast_title=row["broadcast_title"] or "",
            product_name=row["product_name"] or "",
            paid_at=clock.from_ms(row["paid_at"]) if row["paid_at"] else None,
            status=row["status"],
        )
        for row in rows
    ]
    return Page(items, number, size, int(count["n"]) if count else 0)


async def sum_above(scope: Scope, sql: str, *, only: str) -> int:
    """The sum of the lines of ``amounts(above=True)``."""
    grouped, args = grouping(scope, sql, only=only, above=True)
    row = await database.fetch_one(f"SELECT coalesce(sum(amount), 0) AS fen FROM ({grouped}) g", *args)
    return int(row["fen"]) if row else 0


def grouping(
    scope: Scope, sql: str, *, only: str = "", above: bool = False, having: str = ""
) -> tuple[str, list[Any]]:
    """(statement, arguments) that sum an amount of rows ``r`` by line: those not 0, or of ``having``."""
    _, where, args = question(scope)
    where += f" AND {only}" if only else ""
    return (
        f"SELECT r.order_id AS order_id, r.line_ref AS line_ref, sum({sql}) AS amount, min(r.day) AS day,"
        " r.attribution AS attribution, max(b.public_id) AS broadcast, max(b.title) AS broadcast_title,"
        f" max(p.name) AS product_name FROM {source(as_of=True)} WHERE {where}"
        # A line that was moved stands where it is now: where it was before, its entries cancel out.
        " GROUP BY r.order_id, r.line_ref, r.broadcast_id, r.attribution, r.product_id"
        f" HAVING {having or f'sum({sql})' + (' > 0' if above else ' <> 0')}"
    ), args


class Booked(Struct, frozen=True, kw_only=True):
    """One entry: what one message changed in one bucket."""

    line_ref: str
    day: date
    attribution: str
    broadcast: str
    g2_fen: int
    refund_fen: int
    measures: dict[str, int]
    message_id: int
    reason: str
    applied_at: datetime


class MessageSeen(Struct, frozen=True, kw_only=True):
    """One message about an order."""

    id: int
    native_type: str
    native_id: str
    source: str
    status: str
    reason: str
    error: str
    received_at: datetime
    provider_ts: datetime | None
    delivery_id: int
    verdict: str


class Standing(Struct, frozen=True):
    """To which broadcast a line belongs now, and how that is known."""

    attribution: str = "U"
    broadcast: str = ""  # public id, '' for none


class OrderView(Struct, frozen=True, kw_only=True):
    """An order as merged, with every entry it made and every message that speaks of it."""

    id: int
    order_ref: str
    platform: str
    shop: str
    shop_name: str
    status: str
    complete: bool
    pending: bool
    over_refund: bool
    paid_at: datetime | None
    g2_fen: int
    refund_fen: int
    lines: Sequence[Line]
    standing: Mapping[str, Standing]  # by line, of those that were sold
    refunds: Sequence[RefundSnapshot]
    outstanding: Sequence[str]
    entries: Sequence[Booked]
    messages: Sequence[MessageSeen]


async def order(shop: str, order_ref: str, *, actor: Actor) -> OrderView:
    """One order within the reader's scope; NotFound otherwise."""
    require(actor, Permission.SALES_READ)
    row = await database.fetch_one(
        "SELECT o.*, s.public_id AS shop_public_id, s.name AS shop_name, s.shop_ref AS shop_ref,"
        " s.bureau_id AS bureau_id FROM sales_order o JOIN shop s ON s.id = o.shop_id"
        " WHERE s.public_id = $1 AND o.order_ref = $2 AND o.centre_id = $3",
        shop,
        order_ref,
        actor.centre_id,
    )
    if row is None:
        raise NotFound
    entries = await _entries(row["id"])
    scope = bureau_scope(actor, Permission.SALES_READ)
    if scope is not None and not await _visible(row, scope):
        raise NotFound
    merged = states.decode(row["state"])
    key = layout.order_key(row["platform"], row["shop_ref"], order_ref)
    return OrderView(
        id=row["id"],
        order_ref=order_ref,
        platform=row["platform"],
        shop=shop,
        shop_name=row["shop_name"],
        status=row["status"],
        complete=bool(row["complete"]),
        pending=bool(row["pending"]),
        over_refund=bool(row["over_refund"]),
        paid_at=_instant(row["paid_at"]),
        g2_fen=row["g2_fen"],
        refund_fen=row["refund_fen"],
        lines=merged.lines[1] if merged.lines else (),
        standing=await _standing(row["contribution"]),
        refunds=[merged.refunds[ref].value for ref in sorted(merged.refunds)],
        outstanding=merged.outstanding(),
        entries=entries,
        messages=await _messages(key),
    )


async def _standing(booked: str) -> dict[str, Standing]:
    sold = [key for key in contribution.decode(booked) if key.line_ref and key.minute]
    shows = await database.with_rows(
        {"id": "bigint"},
        [(each,) for each in sorted({key.broadcast_id for key in sold if key.broadcast_id})],
        "SELECT b.id, b.public_id FROM v JOIN broadcast b ON b.id = v.id",
    )
    named = {row["id"]: row["public_id"] for row in shows}
    return {key.line_ref: Standing(key.attribution, named.get(key.broadcast_id, "")) for key in sold}


async def _visible(row: dict[str, Any], scope: frozenset[int]) -> bool:
    """An order belongs to the bureaus of its lines' broadcasts, else to its shop's."""
    places = {key.broadcast_id for key in contribution.decode(row["contribution"])} or {0}
    bureaus = {row["bureau_id"]} if 0 in places else set()
    found = await database.with_rows(
        {"id": "bigint"},
        [(each,) for each in sorted(places) if each],
        "SELECT b.bureau_id AS bureau_id FROM v JOIN broadcast b ON b.id = v.id",
    )
    return bool((bureaus | {each["bureau_id"] for each in found}) & scope)


async def _entries(order_id: int) -> list[Booked]:
    rows = await database.fetch(
        "SELECT e.*, b.public_id AS broadcast_public_id FROM contribution_entry e"
        " LEFT JOIN broadcast b ON b.id = e.broadcast_id WHERE e.order_id = $1 ORDER BY e.id",
        order_id,
    )
    return [
        Booked(
            line_ref=row["line_ref"],
            day=clock.day_of_number(row["day"]),
            attribution=row["attribution"],
            broadcast=row["broadcast_public_id"] or "",
            g2_fen=contribution.g2(tuple(row[m] for m in MEASURES)),
            refund_fen=row["refund_done"],
            measures={m: row[m] for m in MEASURES if row[m]},
            message_id=row["message_id"],
            reason=row["reason"],
            applied_at=clock.from_ms(row["applied_at"]),
        )
        for row in rows
    ]


_MESSAGE = (
    "SELECT m.*, coalesce(d.verdict, 'own') AS verdict FROM inbox_message m"
    " LEFT JOIN inbox_delivery d ON d.id = m.delivery_id"
)

_OF_ORDER = f"{_MESSAGE} WHERE m.order_key = $1 AND m.order_key <> '' ORDER BY m.id"


async def _messages(order_key: str) -> list[MessageSeen]:
    return [_seen(row) for row in await database.fetch(_OF_ORDER, order_key)]


def _seen(row: dict[str, Any]) -> MessageSeen:
    return MessageSeen(
        id=row["id"],
        native_type=row["native_type"],
        native_id=row["native_id"],
        source=row["source"],
        status=row["status"],
        reason=row["reason"],
        error=row["last_error"],
        received_at=clock.from_ms(row["received_at"]),
        provider_ts=_instant(row["provider_ts"]),
        delivery_id=row["delivery_id"],
        verdict=row["verdict"],
    )


class Replayed(Struct, frozen=True):
    """Who put a message back into the queue."""

    at: datetime
    actor_name: str
    why: str


class MessageView(Struct, frozen=True, kw_only=True):
    """One message: what it says without personal data, and what it changed."""

    seen: MessageSeen
    platform: str
    shop_ref: str
    order_key: str
    facts: Sequence[Event]
    fetched_because: Sequence[MessageSeen]  # of a fetched reply: the signed messages that asked for it
    entries: int
    replays: Sequence[Replayed]


async def message(message_id: int, *, actor: Actor) -> MessageView:
    """One message of the reader's centre; NotFound otherwise."""
    require(actor, Permission.INBOX_READ)
    require_row_id(message_id)
    row = await database.fetch_one(
        f"{_MESSAGE} WHERE m.id = $1 AND m.centre_id = $2", message_id, actor.centre_id
    )
    if row is None:
        raise NotFound
    entries = await database.fetch_one(  # by way of the order, which has an index
        "SELECT count(*) AS n FROM contribution_entry e JOIN sales_order o ON o.id = e.order_id"
        " JOIN shop s ON s.id = o.shop_id WHERE e.message_id = $1 AND s.platform = $2 AND s.shop_ref = $3"
        " AND o.order_ref = $4",
        message_id,
        row["platform"],
        row["shop_ref"],
        row["order_key"].removeprefix(layout.order_key(row["platform"], row["shop_ref"], "")),
    )
    replays = await database.fetch(
        "SELECT at, actor_name, why FROM replay_record WHERE message_id = $1 ORDER BY id", message_id
    )
    because = []
    if row["source"] == "pull":
        asked = await _messages(row["order_key"])
        because = [
            each
            for each in asked
            if each.source == "push" and each.received_at <= clock.from_ms(row["received_at"])
        ]
    return MessageView(
        seen=_seen(row),
        platform=row["platform"],
        shop_ref=row["shop_ref"],
        order_key=row["order_key"],
        facts=layout.decode_fact(row["fact"]) if row["fact"] else (),
        fetched_because=because,
        entries=int(entries["n"]) if entries else 0,
        replays=[Replayed(clock.from_ms(each["at"]), each["actor_name"], each["why"]) for each in replays],
    )


class DeliveryView(Struct, frozen=True, kw_only=True):
    """One delivery: everything about its bytes but the bytes."""

    id: int
    platform: str
    endpoint: str
    source: str
    verdict: str
    status: str
    error: str
    size: int
    sha256: str
    headers: dict[str, str]
    host: str
    request_id: str
    received_at: datetime
    erased: bool
    messages: Sequence[MessageSeen]


async def delivery(delivery_id: int, *, actor: Actor) -> DeliveryView:
    """One delivery of the reader's centre; NotFound otherwise."""
    require(actor, Permission.INBOX_READ)
    require_row_id(delivery_id)
    row = await database.fetch_one(
        "SELECT d.*, coalesce(e.name, '') AS endpoint_name FROM inbox_delivery d"
        " LEFT JOIN endpoint e ON e.id = d.endpoint_id WHERE d.id = $1 AND d.centre_id = $2",
        delivery_id,
        actor.centre_id,
    )
    if row is None:
        raise NotFound
    rows = await database.fetch(
        f"{_MESSAGE} WHERE m.delivery_id = $1 AND m.delivery_id > 0 ORDER BY m.position", delivery_id
    )
    return DeliveryView(
        id=row["id"],
        platform=row["platform"],
        endpoint=row["endpoint_name"],
        source=row["source"],
        verdict=row["verdict"],
        status=row["status"],
        error=row["error"],
        size=row["size"],
        sha256=bytes(row["sha256"]).hex(),
        headers=msgspec.json.decode(row["headers"], type=dict[str, str]),
        host=row["host"],
        request_id=row["request_id"],
        received_at=clock.from_ms(row["received_at"]),
        erased=row["body_sealed"] is None,
        messages=[_seen(each) for each in rows],
    )


def require_row_id(number: int) -> None:
    """NotFound for a number that no row can have, and neither database takes."""
    if not 0 < number < 2**63:
        raise NotFound


def _instant(ms: int | None) -> datetime | None:
    return clock.from_ms(ms) if ms else None
