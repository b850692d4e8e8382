"""From an order to its messages, and from a message to the delivery whose bytes caused it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.inbox import layout
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.platforms.contract import Event


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


_MESSAGE = (
    "SELECT m.*, coalesce(d.verdict, 'own') AS verdict FROM inbox_message m"
    " LEFT JOIN inbox_delivery d ON d.id = m.delivery_id"
)

_OF_ORDER = f"{_MESSAGE} WHERE m.order_key = $1 AND m.order_key <> '' ORDER BY m.id"


async def of_order(order_key: str) -> list[MessageSeen]:
    """Every message about an order, by its key, the oldest first."""
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
        provider_ts=clock.from_ms_or_none(row["provider_ts"] or None),
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
        asked = await of_order(row["order_key"])
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
