"""Store what arrived exactly as it arrived, and each message in it once, before anything is acknowledged."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import msgspec
import prometheus_client

from livehub import database
from livehub.database.rows import array, arrays, unnest
from livehub.inbox import layout
from livehub.inbox.digest import digest
from livehub.inbox.layout import DELIVERY, MESSAGE, Origin
from livehub.inbox.models import DeliveryStatus
from livehub.kit import clock, ids
from livehub.kit.group_commit import GroupCommit
from livehub.platforms.contract import Adapter, Covers, Malformed
from livehub.settings import Settings

DELIVERIES = prometheus_client.Counter(
    "livehub_inbox_deliveries_total", "Authentic deliveries", ["platform", "outcome"]
)

_HOUR_MS = 3_600_000

# What every push has alike stands in the statement, and what a message has of its delivery is not sent again:
# each value costs half a microsecond.
_SAME_MESSAGE = {"source": "'push'", "fact": "''", "order_key": "''"}
_SAME_DELIVERY = {"source": "'push'", "host": "''", "request_id": "''"}
PUSHED_DELIVERY = {name: kind for name, kind in DELIVERY.items() if name not in _SAME_DELIVERY}
OF_DELIVERY = {  # column of a message -> column of its delivery
    "delivery_id": "id",
    "received_at": "received_at",
    "centre_id": "centre_id",
    "platform": "platform",
    "endpoint_id": "endpoint_id",
}
PUSHED_MESSAGE = {
    name: kind for name, kind in MESSAGE.items() if name not in _SAME_MESSAGE and name not in OF_DELIVERY
}


class Arrival(msgspec.Struct, frozen=True):
    """One delivery ready to be stored: PUSHED_DELIVERY, and PUSHED_MESSAGE of each of its messages."""

    origin: Origin
    delivery: tuple[Any, ...]
    messages: tuple[tuple[Any, ...], ...]


class Stored(msgspec.Struct, frozen=True):
    """What became of an arrival: how many of its messages were new."""

    new: int
    known: int


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
            native.shop_ref[:64],
            key,
            native.native_type[:64],
            native.native_id[:128],
            position,
            native.provider_ts,
        )
        for position, (native, key) in enumerate(zip(natives, digests, strict=True))
    )
    row = (
        delivery_id,
        at,
        origin.centre_id,
        origin.platform,
        origin.endpoint_id,
        "unsigned" if adapter.covers is Covers.NONE else "signed",
        str(status),
        error,
        *layout.kept_bytes(raw),
        layout.kept_headers(headers),
    )
    return Arrival(origin, row, messages)


class ReceiveDesk:
    """This worker's door of the inbox: arrivals are committed in groups, then acknowledged."""

    def __init__(self, settings: Settings) -> None:
        self._commits: GroupCommit[Arrival, Stored] = GroupCommit(
            "receive",
            store,
            queue_limit=settings.queue_limit,
            batch_limit=settings.batch_limit,
            own_transaction=True,
        )

    def start(self) -> None:
        """Start committing."""
        self._commits.start()

    async def stop(self) -> None:
        """Commit what waits, then stop."""
        await self._commits.stop()

    async def receive(self, arrival: Arrival) -> Stored:
        """Return once the arrival is on the disk."""
        return await self._commits.submit(arrival)


async def store(arrivals: Sequence[Arrival]) -> list[Stored | Exception]:
    """Store a batch in one transaction of its own: what brings something new, and each message once.

    The unique index alone decides what is new. A delivery whose messages are all known is counted only.
    """
    if database.dialect() == "postgres":
        messages = [(*row, n) for n, arrival in enumerate(arrivals, start=1) for row in arrival.messages]
        messages.sort(key=_digest_of)
        deliveries = [(*arrival.delivery, len(arrival.messages)) for arrival in arrivals]
        found = await database.commit_statement(
            _STORE, *arrays(_NUMBERED_MESSAGE, messages), *arrays(_SIZED_DELIVERY, deliveries)
        )
        new = {row["delivery_id"]: row["n"] for row in found}
    else:
        new = await database.commit_work(lambda connection: _store(connection, arrivals))
    answers = [_stored(arrival, new.get(arrival.delivery[_ID], 0)) for arrival in arrivals]
    _count(arrivals, answers)
    return list(answers)


def _stored(arrival: Arrival, new: int) -> Stored:
    return Stored(new, len(arrival.messages) - new)


def _count(arrivals: Sequence[Arrival], answers: Sequence[Stored]) -> None:
    counts = Counter(
        (arrival.origin.platform, "new" if stored.new else "duplicate" if stored.known else "rejected")
        for arrival, stored in zip(arrivals, answers, strict=True)
    )
    for labels, number in counts.items():
        DELIVERIES.labels(*labels).inc(number)


_ID, _RECEIVED_AT, _ENDPOINT = map(list(PUSHED_DELIVERY).index, ("id", "received_at", "endpoint_id"))
of_delivery = itemgetter(*map(list(PUSHED_DELIVERY).index, OF_DELIVERY.values()))
_digest_of = itemgetter(list(PUSHED_MESSAGE).index("digest"))  # two workers insert in the same order

_DUPLICATES = (
    "INSERT INTO duplicate_count (endpoint_id, hour, deliveries, messages) {values}"
    " ON CONFLICT (endpoint_id, hour) DO UPDATE SET"
    " deliveries = duplicate_count.deliveries + excluded.deliveries,"
    " messages = duplicate_count.messages + excluded.messages"
)


_NEW_DELIVERY = f"INSERT INTO inbox_delivery ({', '.join(DELIVERY)})"
_DELIVERY_VALUES = ", ".join(_SAME_DELIVERY.get(name, name) for name in DELIVERY)
_SIZED_DELIVERY = {**PUSHED_DELIVERY, "n": "int"}  # with how many messages it carries
_NUMBERED_MESSAGE = {**PUSHED_MESSAGE, "n": "int"}  # with the place of its delivery in the batch

_DELIVERIES_FROM = len(_NUMBERED_MESSAGE) + 1  # where their parameters begin
_GATHERED = ", ".join(
    f"{array(kind, place)} AS {name}_of"
    for place, (name, kind) in enumerate(_SIZED_DELIVERY.items(), start=_DELIVERIES_FROM)
    if name in OF_DELIVERY.values()
)
_MESSAGE_VALUES = layout.message_values(
    {**_SAME_MESSAGE, **{name: f"({source}_of)[m.n]" for name, source in OF_DELIVERY.items()}}, "postgres"
)

# Everything in one statement, since round trips are what PostgreSQL costs: messages in the order of their
# digests, then the deliveries that brought one or could not be read, then the count of what was known.
_STORE = (
    f"WITH m({', '.join(_NUMBERED_MESSAGE)}) AS (SELECT * FROM {unnest(_NUMBERED_MESSAGE)}),"
    f" d({', '.join(_SIZED_DELIVERY)}) AS"
    f" (SELECT * FROM {unnest(_SIZED_DELIVERY, first=_DELIVERIES_FROM)}),"
    f" of AS MATERIALIZED (SELECT {_GATHERED}),"
    f" stored AS ({layout.NEW_MESSAGE} SELECT {_MESSAGE_VALUES} FROM m, of"
    " ON CONFLICT (digest) DO NOTHING RETURNING delivery_id),"
    " new AS (SELECT delivery_id, count(*)::int AS n FROM stored GROUP BY delivery_id),"
    f" kept AS ({_NEW_DELIVERY} SELECT {_DELIVERY_VALUES} FROM d"
    " WHERE d.n = 0 OR d.id IN (SELECT delivery_id FROM new)),"
    " counted AS ("
    + _DUPLICATES.format(
        values=f"SELECT d.endpoint_id, d.received_at / {_HOUR_MS} * {_HOUR_MS} AS hour,"
        " sum((new.n IS NULL)::int), sum(d.n - coalesce(new.n, 0))"
        " FROM d LEFT JOIN new ON new.delivery_id = d.id WHERE d.n > coalesce(new.n, 0)"
        " GROUP BY d.endpoint_id, hour ORDER BY d.endpoint_id, hour"
    )
    + ") SELECT delivery_id, n FROM new"
)

_WHOLE_MESSAGE = (*PUSHED_MESSAGE, *OF_DELIVERY)
_SQLITE_MESSAGE = (
    f"{layout.NEW_MESSAGE} SELECT {layout.message_values(_SAME_MESSAGE, 'sqlite')} FROM"
    f" (SELECT {', '.join(f'? AS {name}' for name in _WHOLE_MESSAGE)}) WHERE true"
    " ON CONFLICT (digest) DO NOTHING"
)
_SQLITE_NEW = (
    "SELECT delivery_id, count(*) FROM inbox_message"
    " WHERE delivery_id IN ({ids}) AND delivery_id > 0 GROUP BY delivery_id"
)
_SQLITE_DELIVERY = f"{_NEW_DELIVERY} VALUES ({', '.join(_SAME_DELIVERY.get(name, '?') for name in DELIVERY)})"


def _store(connection: sqlite3.Connection, arrivals: Sequence[Arrival]) -> dict[int, int]:
    """The same for SQLite; how many new messages each delivery brought."""
    messages = [(*row, *of_delivery(arrival.delivery)) for arrival in arrivals for row in arrival.messages]
    messages.sort(key=_digest_of)  # neighbours in the index
    connection.executemany(_SQLITE_MESSAGE, messages)
    ids_ = [arrival.delivery[_ID] for arrival in arrivals]
    new = dict(
        connection.execute(
            _SQLITE_NEW.format(ids=", ".join("?" * len(ids_))),
            ids_,
        ).fetchall()
    )
    kept = [each.delivery for each in arrivals if each.delivery[_ID] in new or not each.messages]
    connection.executemany(_SQLITE_DELIVERY, kept)
    known: Counter[tuple[int, int]] = Counter()
    whole: Counter[tuple[int, int]] = Counter()
    for arrival in arrivals:
        brought = new.get(arrival.delivery[_ID], 0)
        if brought < len(arrival.messages):
            key = arrival.delivery[_ENDPOINT], arrival.delivery[_RECEIVED_AT] // _HOUR_MS * _HOUR_MS
            known[key] += len(arrival.messages) - brought
            whole[key] += not brought
    if known:
        counts = [(*key, whole[key], known[key]) for key in known]
        connection.executemany(_DUPLICATES.format(values="VALUES (?, ?, ?, ?)"), counts)
    return new
