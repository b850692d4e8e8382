"""From a line to its order: as it is merged, what it booked, and every message that speaks of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.inbox import layout
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.orders import contribution
from livehub.orders import state as states
from livehub.orders.contribution import MEASURES
from livehub.platforms.contract import Line, RefundSnapshot
from livehub.reports import messages
from livehub.reports.messages import MessageSeen


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
        paid_at=clock.from_ms_or_none(row["paid_at"] or None),
        g2_fen=row["g2_fen"],
        refund_fen=row["refund_fen"],
        lines=merged.lines[1] if merged.lines else (),
        standing=await _standing(row["contribution"]),
        refunds=[merged.refunds[ref].value for ref in sorted(merged.refunds)],
        outstanding=merged.outstanding(),
        entries=entries,
        messages=await messages.of_order(key),
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
