"""How deliveries and messages lie in their tables: columns, and facts, headers and bytes as written there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from livehub import database
from livehub.inbox.digest import digest
from livehub.inbox.models import MessageStatus
from livehub.kit import ids, sealing
from livehub.kit.resealing import Column
from livehub.platforms.contract import Event

BODY_PLACE = "inbox_delivery.body"
SEALED = (Column("inbox_delivery", "body_sealed", BODY_PLACE),)

_KEPT_HEADERS = 12
_KEPT_LENGTH = 200

DELIVERY = {
    "id": "bigint",
    "received_at": "bigint",
    "centre_id": "bigint",
    "platform": "text",
    "endpoint_id": "bigint",
    "source": "text",
    "verdict": "text",
    "status": "text",
    "error": "text",
    "size": "int",
    "sha256": "bytea",
    "body_sealed": "bytea",
    "headers": "text",
    "host": "text",
    "request_id": "text",
}
MESSAGE = {
    "id": "bigint",
    "delivery_id": "bigint",
    "centre_id": "bigint",
    "platform": "text",
    "endpoint_id": "bigint",
    "shop_ref": "text",
    "digest": "bytea",
    "native_type": "text",
    "native_id": "text",
    "source": "text",
    "position": "int",
    "fact": "text",
    "order_key": "text",
    "provider_ts": "bigint",
    "received_at": "bigint",
}
INSERT_DELIVERY = f"INSERT INTO inbox_delivery ({', '.join(DELIVERY)}) SELECT {', '.join(DELIVERY)} FROM v"
_AS_NEW = {
    "status": f"'{MessageStatus.RECEIVED}'",
    "reason": "''",
    "attempts": "0",
    "next_attempt_at": "{now}",
    "lease_until": "0",
    "lease_token": "0",
    "last_error": "''",
}
NEW_MESSAGE = f"INSERT INTO inbox_message ({', '.join((*MESSAGE, *_AS_NEW))})"


def message_values(same: Mapping[str, str], engine: str) -> str:
    """What NEW_MESSAGE wants, of columns named alike: due at once by the database's clock, not by ours.

    ``same``: column -> SQL of what is not a column of that name.
    """
    return ", ".join((*(same.get(name, name) for name in MESSAGE), *as_new(engine).values()))


def as_new(engine: str) -> dict[str, str]:
    """The columns of a message that nobody has worked on yet, as an engine's SQL."""
    return {name: value.format(now=database.NOW_MS[engine]) for name, value in _AS_NEW.items()}


def insert_message() -> str:
    """Insert messages that nobody has told yet."""
    return (
        f"{NEW_MESSAGE} SELECT {message_values({}, database.dialect())} FROM v WHERE true"
        " ON CONFLICT (digest) DO NOTHING RETURNING id"
    )


class Origin(msgspec.Struct, frozen=True):
    """Where a delivery came in: the endpoint's id, its centre and platform."""

    endpoint_id: int
    centre_id: int
    platform: str


def order_key(platform: str, shop_ref: str, order_ref: str) -> str:
    """How messages of one order are found."""
    return f"{platform}:{shop_ref}:{order_ref}"


def encode_fact(events: Sequence[Event]) -> str:
    """Events as they are stored and folded anew."""
    return msgspec.json.encode(events).decode()


def decode_fact(fact: str) -> list[Event]:
    """The events of a stored fact."""
    return _EVENTS.decode(fact)


_EVENTS = msgspec.json.Decoder(list[Event])


def fact_row(
    fact: str,
    *,
    event: Event,
    origin: Origin,
    delivery_id: int,
    source: str,
    native_type: str,
    native_id: str,
    element: bytes,
    at: int,
) -> tuple[Any, ...]:
    """A message that carries its normalised fact: a fetched reply, or a fact of our own."""
    key = digest(
        platform=origin.platform,
        endpoint_id=origin.endpoint_id,
        shop_ref=event.shop_ref,
        native_id=f"{source}:{native_type}:{native_id}" if native_id else "",
        element=f"{source}:{native_type}:{event.order_ref}:".encode() + element,
        signed_ms=event.status_at,
    )
    return (
        ids.row_id(at),
        delivery_id,
        origin.centre_id,
        origin.platform,
        origin.endpoint_id,
        event.shop_ref,
        key,
        native_type,
        native_id,
        source,
        0,
        fact,
        order_key(origin.platform, event.shop_ref, event.order_ref),
        event.status_at,
        at,
    )


def delivery_row(  # noqa: PLR0913 -- the columns of a delivery
    delivery_id: int,
    origin: Origin,
    raw: bytes,
    at: int,
    *,
    source: str,
    verdict: str,
    status: str,
    error: str = "",
    headers: str = "{}",
    host: str = "",
    request_id: str = "",
) -> tuple[Any, ...]:
    """A delivery with its bytes sealed."""
    return (
        delivery_id,
        at,
        origin.centre_id,
        origin.platform,
        origin.endpoint_id,
        source,
        verdict,
        str(status),
        error,
        *kept_bytes(raw),
        headers,
        host,
        request_id,
    )


def kept_bytes(raw: bytes) -> tuple[int, bytes, bytes]:
    """Size, SHA-256 and sealed bytes of what arrived."""
    return len(raw), sha256(raw).digest(), sealing.ring().seal(raw, place=BODY_PLACE)


_DROPPED = frozenset(
    {"cookie", "authorization", "host", "connection", "accept", "accept-encoding", "content-length"}
)


def kept_headers(headers: Mapping[str, str]) -> str:
    """The headers worth keeping, as JSON: nothing secret, and of bounded length."""
    names = [(name, value[:_KEPT_LENGTH]) for name, value in headers.items() if name not in _DROPPED]
    kept = dict(names[:_KEPT_HEADERS])
    try:
        return msgspec.json.encode(kept).decode()
    except UnicodeEncodeError:  # bytes that are no UTF-8: a proxy's perhaps
        return msgspec.json.encode({name: _readable(value) for name, value in kept.items()}).decode()


def _readable(text: str) -> str:
    return text.encode(errors="replace").decode()
