"""Store what arrived exactly as it arrived, and each message in it once, before anything is acknowledged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from operator import itemgetter
from typing import Any

import msgspec
from prometheus_client import Counter

from livehub import database
from livehub.inbox.digest import digest
from livehub.inbox.models import DeliveryStatus, MessageStatus
from livehub.kit import clock, ids, sealing
from livehub.kit.group_commit import GroupCommit
from livehub.platforms.contract import Adapter, Event, Malformed
from livehub.settings import Settings

BODY_PLACE = "inbox_delivery.body"

DELIVERIES = Counter("livehub_inbox_deliveries_total", "Authentic deliveries", ["platform", "outcome"])

_KEPT_HEADERS = 12
_KEPT_LENGTH = 200

_DELIVERY = {
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
_MESSAGE = {
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
_INSERT_DELIVERY = f"INSERT INTO inbox_delivery ({', '.join(_DELIVERY)}) SELECT {', '.join(_DELIVERY)} FROM v"


def _insert_message() -> str:
    """Due at once by the database's clock, however wrong that of this machine is."""
    return (
        f"INSERT INTO inbox_message ({', '.join(_MESSAGE)},"
        " status, reason, attempts, next_attempt_at, lease_until, lease_token, last_error)"
        f" SELECT {', '.join(_MESSAGE)}, '{MessageStatus.RECEIVED}', '', 0, {database.now_ms()}, 0, 0, ''"
        " FROM v WHERE true ON CONFLICT (digest) DO NOTHING RETURNING id"
    )


DELIVERY_COLUMNS, MESSAGE_COLUMNS = tuple(_DELIVERY), tuple(_MESSAGE)  # of the rows of an Arrival
_digest_of = itemgetter(MESSAGE_COLUMNS.index("digest"))


class Origin(msgspec.Struct, frozen=True):
    """Where a delivery came in: the endpoint's id, its centre and platform."""

    endpoint_id: int
    centre_id: int
    platform: str


class Arrival(msgspec.Struct, frozen=True):
    """One delivery ready to be stored: its row, and the rows of its messages."""

    origin: Origin
    delivery: tuple[Any, ...]
    messages: tuple[tuple[Any, ...], ...]
    digests: tuple[bytes, ...]


class Stored(msgspec.Struct, frozen=True):
    """What became of an arrival: how many of its messages were new."""

    new: int
    known: int


def order_key(platform: str, shop_ref: str, order_ref: str) -> str:
    """How messages of one order are found."""
    return f"{platform}:{shop_ref}:{order_ref}"


def read_push(
    adapter: Adapter,
    *,
    origin: Origin,
    raw: bytes,
    plaintext: bytes,
    headers: Mapping[str, str],
    now: datetime,
) -> Arrival:
    """Take an authentic delivery apart; what cannot be read is kept whole, marked rejected."""
    at = clock.to_ms(now)
    delivery_id = ids.row_id(at)
    try:
        natives = adapter.split(plaintext, headers=headers)
        status, error = DeliveryStatus.SPLIT, ""
    except Malformed as malformed:
        natives, status, error = (), DeliveryStatus.REJECTED, f"{malformed.reason}: {malformed.detail}"[:300]
    digests = tuple(
        digest(
            platform=origin.platform,
            endpoint_id=origin.endpoint_id,
            shop_ref=native.shop_ref,
            native_id=native.native_id,
            element=native.element,
            signed_ms=native.provider_ts,
        )
        for native in natives
    )
    messages = tuple(
        (
            ids.row_id(at),
            delivery_id,
            origin.centre_id,
            origin.platform,
            origin.endpoint_id,
            native.shop_ref[:64],
            key,
            native.native_type[:64],
            native.native_id[:128],
            "push",
            position,
            "",
            "",
            native.provider_ts,
            at,
        )
        for position, (native, key) in enumerate(zip(natives, digests, strict=True))
    )
    row = _delivery_row(
        delivery_id,
        origin,
        raw,
        at,
        source="push",
        verdict="signed",
        status=status,
        error=error,
        headers=_kept(headers),
    )
    return Arrival(origin, row, messages, digests)


class ReceiveDesk:
    """This worker's door of the inbox: arrivals are committed in groups, then acknowledged."""

    def __init__(self, settings: Settings) -> None:
        self._commits: GroupCommit[Arrival, Stored] = GroupCommit(
            "receive", store, queue_limit=settings.queue_limit, batch_limit=settings.batch_limit
        )

    def start(self) -> None:
        """Start committing."""
        self._commits.start()

    async def stop(self) -> None:
        """Commit what waits, then stop."""
        await self._commits.stop()

    async def receive(self, arrival: Arrival) -> Stored:
        """Return once the arrival is on the disk."""
        stored = await self._commits.submit(arrival)
        outcome = "new" if stored.new else "duplicate" if stored.known else "rejected"
        DELIVERIES.labels(arrival.origin.platform, outcome).inc()
        return stored


async def store(arrivals: Sequence[Arrival]) -> list[Stored | Exception]:
    """Store a batch in the current transaction: what brings something new, and each message once."""
    known = await _known([key for arrival in arrivals for key in arrival.digests])
    deliveries: list[tuple[Any, ...]] = []
    messages: list[tuple[Any, ...]] = []
    answers: list[Stored | Exception] = []
    for arrival in arrivals:
        fresh = []
        for row, key in zip(arrival.messages, arrival.digests, strict=True):
            if key not in known:
                known.add(key)
                fresh.append(row)
        if fresh or not arrival.digests:
            deliveries.append(arrival.delivery)
        messages += fresh
        answers.append(Stored(len(fresh), len(arrival.digests) - len(fresh)))
    await database.with_rows(_DELIVERY, deliveries, _INSERT_DELIVERY)
    messages.sort(key=_digest_of)  # two workers with the same messages insert them in the same order
    await database.with_rows(_MESSAGE, messages, _insert_message())
    await _count_duplicates(arrivals, answers)
    return answers


async def record_pull(
    event: Event, *, origin: Origin, raw: bytes, host: str, request_id: str, native_type: str, now: datetime
) -> bool:
    """Store a fetched reply and the fact in it, in the current transaction; False when it was known."""
    at = clock.to_ms(now)
    delivery_id = ids.row_id(at)
    body_hash = sha256(raw).digest()
    fact = encode_fact([event])
    message = _fact_row(
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
    new = await database.with_rows(_MESSAGE, [message], _insert_message())
    if not new:
        return False
    row = _delivery_row(
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
    await database.with_rows(_DELIVERY, [row], _INSERT_DELIVERY)
    return True


async def record_unreadable_pull(
    *, origin: Origin, raw: bytes, host: str, request_id: str, error: str, now: datetime
) -> None:
    """Keep a fetched reply that could not be read, in the current transaction."""
    at = clock.to_ms(now)
    row = _delivery_row(
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
    await database.with_rows(_DELIVERY, [row], _INSERT_DELIVERY)


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
        _fact_row(
            encode_fact([own.event]),
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
    return [row["id"] for row in await database.with_rows(_MESSAGE, rows, _insert_message())]


def encode_fact(events: Sequence[Event]) -> str:
    """Events as they are stored and folded anew."""
    return msgspec.json.encode(events).decode()


def decode_fact(fact: str) -> list[Event]:
    """The events of a stored fact."""
    return _EVENTS.decode(fact)


_EVENTS = msgspec.json.Decoder(list[Event])


def _fact_row(
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


def _delivery_row(  # noqa: PLR0913 -- the columns of a delivery
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
        len(raw),
        sha256(raw).digest(),
        sealing.ring().seal(raw, place=BODY_PLACE),
        headers,
        host,
        request_id,
    )


_DROPPED = frozenset(
    {"cookie", "authorization", "host", "connection", "accept", "accept-encoding", "content-length"}
)


def _kept(headers: Mapping[str, str]) -> str:
    kept = [(name, value[:_KEPT_LENGTH]) for name, value in headers.items() if name not in _DROPPED]
    return msgspec.json.encode(dict(kept[:_KEPT_HEADERS])).decode()


async def _known(digests: Sequence[bytes]) -> set[bytes]:
    if not digests:
        return set()
    rows = await database.with_rows(
        {"digest": "bytea"},
        [(key,) for key in dict.fromkeys(digests)],
        "SELECT m.digest FROM v JOIN inbox_message m ON m.digest = v.digest",
    )
    return {bytes(row["digest"]) for row in rows}


async def _count_duplicates(arrivals: Sequence[Arrival], answers: Sequence[Stored | Exception]) -> None:
    counts: dict[tuple[int, int], list[int]] = {}
    for arrival, answer in zip(arrivals, answers, strict=True):
        if isinstance(answer, Stored) and answer.known:
            hour = arrival.delivery[1] // 3_600_000 * 3_600_000
            count = counts.setdefault((arrival.origin.endpoint_id, hour), [0, 0])
            count[0] += not answer.new
            count[1] += answer.known
    await database.with_rows(
        {"endpoint_id": "bigint", "hour": "bigint", "deliveries": "int", "messages": "int"},
        [(*key, *count) for key, count in sorted(counts.items())],
        "INSERT INTO duplicate_count (endpoint_id, hour, deliveries, messages)"
        " SELECT endpoint_id, hour, deliveries, messages FROM v WHERE true"
        " ON CONFLICT (endpoint_id, hour) DO UPDATE SET deliveries = duplicate_count.deliveries +"
        " excluded.deliveries,"
        " messages = duplicate_count.messages + excluded.messages",
    )
