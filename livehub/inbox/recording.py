"""Put what did not come through the webhooks' door into the inbox: fetched replies, and facts of our own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

import msgspec

from livehub import database
from livehub.inbox import layout
from livehub.inbox.layout import Origin
from livehub.inbox.models import DeliveryStatus
from livehub.kit import clock, ids
from livehub.platforms.contract import Event


async def record_pull(
    event: Event, *, origin: Origin, raw: bytes, host: str, request_id: str, native_type: str, now: datetime
) -> bool:
    """Store a fetched reply and the fact in it, in the current transaction; False when it was known."""
    at = clock.to_ms(now)
    delivery_id = ids.row_id(at)
    body_hash = sha256(raw).digest()
    fact = layout.encode_fact([event])
    message = layout.fact_row(
        fact,
        event=event,
        origin=origin,
        delivery_id=delivery_id,
        source="pull",
        native_type=native_type,
        native_id="",
        element=body_hash + event.covers_until.to_bytes(8, "big"),
        at=at,
    )
    new = await database.with_rows(layout.MESSAGE, [message], layout.insert_message())
    if not new:
        return False
    row = layout.delivery_row(
        delivery_id,
        origin,
        raw,
        at,
        source="pull",
        verdict="fetched",
        status=DeliveryStatus.SPLIT,
        host=host,
        request_id=request_id,
    )
    await database.with_rows(layout.DELIVERY, [row], layout.INSERT_DELIVERY)
    return True


async def record_unreadable_pull(
    *, origin: Origin, raw: bytes, host: str, request_id: str, error: str, now: datetime
) -> None:
    """Keep a fetched reply that could not be read, in the current transaction."""
    at = clock.to_ms(now)
    row = layout.delivery_row(
        ids.row_id(at),
        origin,
        raw,
        at,
        source="pull",
        verdict="fetched",
        status=DeliveryStatus.REJECTED,
        error=error[:300],
        host=host,
        request_id=request_id,
    )
    await database.with_rows(layout.DELIVERY, [row], layout.INSERT_DELIVERY)


class OwnFact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact of our own, such as a redemption: its evidence is that redemption and its audit entry."""

    centre_id: int
    platform: str
    shop_ref: str
    order_ref: str
    native_type: str
    native_id: str
    event: Event


async def record_own(facts: Sequence[OwnFact], *, now: datetime) -> list[int]:
    """Put facts of our own into the inbox, in the current transaction; returns the new messages' ids."""
    at = clock.to_ms(now)
    rows = [
        layout.fact_row(
            layout.encode_fact([own.event]),
            event=own.event,
            origin=Origin(0, own.centre_id, own.platform),
            delivery_id=0,
            source="own",
            native_type=own.native_type,
            native_id=own.native_id,
            element=b"",
            at=at,
        )
        for own in facts
    ]
    return [row["id"] for row in await database.with_rows(layout.MESSAGE, rows, layout.insert_message())]
