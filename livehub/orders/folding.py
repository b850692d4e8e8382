"""An order's state folded anew from the facts about it in the inbox."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.inbox import layout
from livehub.inbox.models import MessageStatus
from livehub.orders import state
from livehub.orders.state import OrderState, Stamp
from livehub.platforms.contract import Event


class Told(Struct, frozen=True):
    """One fact as intake merged it."""

    order_key: str
    centre_id: int
    platform: str
    message_id: int
    stamp: Stamp
    event: Event


FACTS = (
    "SELECT m.id AS id, m.order_key AS order_key, m.centre_id AS centre_id, m.platform AS platform,"
    " m.source AS source, m.digest AS digest, m.fact AS fact"
    " FROM v JOIN inbox_message m ON m.order_key = v.order_key AND m.order_key <> ''"
    f" WHERE m.fact <> '' AND (m.status IN ('{MessageStatus.APPLIED}', '{MessageStatus.STALE}')"
    " OR m.reason = 'identity')"
)


async def told(keys: Collection[str]) -> list[Told]:
    """Every fact that was merged into orders, by their keys (``layout.order_key``)."""
    rows = await database.with_rows({"order_key": "text"}, [(key,) for key in sorted(keys)], FACTS)
    return [fact for row in rows for fact in _facts(row)]


async def fold(keys: Collection[str]) -> dict[str, OrderState]:
    """The states that the facts make, by key; an order nobody told of is missing."""
    folded: dict[str, OrderState] = {}
    for fact in await told(keys):
        merged = folded.setdefault(fact.order_key, OrderState())
        state.merge(merged, fact.event, fact.stamp)
    return folded


def _facts(row: dict[str, Any]) -> list[Told]:
    stamp = Stamp(row["source"], bytes(row["digest"]).hex())
    return [
        Told(row["order_key"], row["centre_id"], row["platform"], row["id"], stamp, event)
        for event in layout.decode_fact(row["fact"])
    ]
