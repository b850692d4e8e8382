"""Put what did not come through the webhooks' door into the inbox: fetched replies, and facts of our own."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from operator import itemgetter
from typing import Any

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


async def record_own(own: OwnFact, *, now: datetime) -> int:
    """Put one fact into the inbox in the current transaction; its message's id, 0 when it was known."""
    values = own_row(own, at=clock.to_ms(now))
    rows = await database.with_rows(layout.MESSAGE, [values], layout.insert_message())
    return int(rows[0]["id"]) if rows else 0


# A fact of our own as columns of a batch in which each row brings one.
OWN = {
    "message_id": "bigint",
    "centre_id": "bigint",
    "shop_ref": "text",
    "digest": "bytea",
    "fact": "text",
    "order_key": "text",
}
_own_of = itemgetter(*(list(layout.MESSAGE).index("id" if name == "message_id" else name) for name in OWN))


def own_columns(engine: str, **rest: str) -> dict[str, str]:
    """Column of inbox_message -> column of such a batch, or SQL; ``rest`` are those that the batch knows."""
    named = {name: name for name in layout.MESSAGE} | {"id": "message_id"}
    constant = {"delivery_id": "0", "endpoint_id": "0", "source": "'own'", "position": "0"}
    return named | constant | rest | layout.as_new(engine)


def own_values(own: OwnFact, *, at: int) -> dict[str, Any]:
    """The values of such a row's columns."""
    return dict(zip(OWN, _own_of(own_row(own, at=at)), strict=True))


def own_row(own: OwnFact, *, at: int) -> tuple[Any, ...]:
    """A fact of our own as ``layout.MESSAGE`` wants it."""
    return layout.fact_row(
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
