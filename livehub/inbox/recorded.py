"""Recorded deliveries once more: each line of a file goes the way a push goes, signature and all.

A line is a JSON object: ``endpoint`` (the key in the hook's path), ``headers``, ``query`` where something in
it is signed, ``body`` (the text as it was sent) or ``body_base64``, and optionally ``received_at`` (ISO 8601
with its offset): the age of a signature is judged at that time, while the delivery is stored as of now. What
is known already changes nothing.
"""

from __future__ import annotations

import base64
import enum
from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from livehub.inbox import receiving
from livehub.inbox.layout import Origin
from livehub.inbox.receiving import ReceiveDesk
from livehub.kit import clock
from livehub.platforms import queries, registry
from livehub.platforms.contract import BadSignature, signed_query


class Fate(enum.StrEnum):
    """What became of a line."""

    NEW = "new"
    KNOWN = "known"
    REJECTED = "rejected"  # authentic but unreadable: kept and marked
    PROBE = "probe"  # a platform's test call: nothing to keep
    BAD_SIGNATURE = "bad signature"
    UNKNOWN_ENDPOINT = "unknown endpoint"
    BAD_LINE = "not a recorded delivery"


REFUSED = frozenset({Fate.BAD_SIGNATURE, Fate.UNKNOWN_ENDPOINT, Fate.BAD_LINE})


class Recorded(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the file."""

    endpoint: str
    headers: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    body: str = ""
    body_base64: str = ""
    received_at: datetime | None = None

    @property
    def raw(self) -> bytes:
        """The bytes as they were sent."""
        return base64.b64decode(self.body_base64, validate=True) if self.body_base64 else self.body.encode()


async def receive(line: bytes, *, desk: ReceiveDesk, now: datetime) -> Fate:
    """Take one line; it is on the disk when this returns NEW or REJECTED."""
    try:
        recorded = msgspec.json.decode(line, type=Recorded)
        raw, sent_at = recorded.raw, recorded.received_at or now
        sent_ms = clock.to_ms(sent_at)
    except (msgspec.MsgspecError, UnicodeError, ValueError):
        return Fate.BAD_LINE
    endpoint = await queries.endpoint_by_key(recorded.endpoint, now=sent_at)
    if endpoint is None or endpoint.disabled:
        return Fate.UNKNOWN_ENDPOINT
    adapter = registry.get(endpoint.platform)
    headers = {name.lower(): value for name, value in recorded.headers.items()}
    try:
        plaintext = adapter.authenticate(
            credential=endpoint.credential, headers=headers, query=recorded.query, raw=raw, now_ms=sent_ms
        )
    except BadSignature:
        return Fate.BAD_SIGNATURE
    if adapter.probe(plaintext) is not None:
        return Fate.PROBE
    signed = signed_query(adapter, recorded.query)
    headers = {**signed, **headers, **signed}
    origin = Origin(endpoint.id, endpoint.centre_id, endpoint.platform)
    arrival = receiving.read_push(
        adapter, origin=origin, raw=raw, plaintext=plaintext, headers=headers, now=now
    )
    stored = await desk.receive(arrival)
    if stored.new:
        return Fate.NEW
    return Fate.KNOWN if stored.known else Fate.REJECTED
