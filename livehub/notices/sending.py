"""Write a message to somebody in the current transaction, and pass waiting ones on afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

import structlog
from prometheus_client import Counter

from livehub import database
from livehub.kit import clock, plugins, sealing
from livehub.kit.resealing import Column
from livehub.notices import channels
from livehub.notices.contract import Channel, Message, NotDelivered
from livehub.notices.recipients import mask

log = structlog.get_logger(__name__)

RECIPIENT_PLACE, BODY_PLACE = "notice.recipient", "notice.body"
SEALED = (
    Column("notice", "recipient_sealed", RECIPIENT_PLACE),
    Column("notice", "body_sealed", BODY_PLACE),
)
MAX_ATTEMPTS = 6
LEASE_MS = 30_000

SETTLED = Counter("livehub_notices_total", "Messages to people by how they ended", ["channel", "state"])

_COLUMNS = {
    "centre_id": "bigint",
    "channel": "text",
    "kind": "text",
    "dedupe_key": "text",
    "recipient": "text",
    "recipient_sealed": "bytea",
    "body_sealed": "bytea",
    "at": "bigint",
    "expires_at": "bigint",
}
_INSERT = (
    "INSERT INTO notice (centre_id, channel, kind, dedupe_key, recipient, recipient_sealed, body_sealed,"
    " state, attempts, next_attempt_at, created_at, expires_at)"
    " SELECT centre_id, channel, kind, dedupe_key, recipient, recipient_sealed, body_sealed,"
    " 'waiting', 0, {due}, at, expires_at FROM v WHERE true"
    " ON CONFLICT (dedupe_key) DO NOTHING RETURNING id"
)


@cache
def known() -> Mapping[str, Channel]:
    """The channels there are, by name."""
    return plugins.discover(channels, "CHANNEL")


async def send(
    kind: str,
    *,
    centre_id: int,
    recipient: str,
    body: str,
    dedupe_key: str,
    now: datetime,
    channel: str = "outbox",
    expires_at: datetime | None = None,
) -> bool:
    """Write one message in the current transaction; False when the key has been used before.

    Recipient and body are sealed, the key is stored as a keyed hash. LookupError for a channel we lack.
    """
    if channel not in known():
        raise LookupError(f"no channel {channel!r} among {sorted(known())}")
    ring = sealing.ring()
    row = (
        centre_id,
        channel,
        kind,
        ring.blind(dedupe_key, purpose="notice").hex(),
        mask(recipient),
        ring.seal_text(recipient, place=RECIPIENT_PLACE),
        ring.seal_text(body, place=BODY_PLACE),
        clock.to_ms(now),
        clock.to_ms(expires_at) if expires_at else None,
    )
    return bool(await database.with_rows(_COLUMNS, [row], _INSERT.format(due=database.now_ms())))


async def deliver_waiting(now: datetime, *, limit: int = 50) -> int:
    """Hand waiting messages to their channels, outside any transaction; returns how many were tried.

    What is due, held or expired is decided by the database's clock; ``now`` is only noted.
    """
    taken = await _lease(limit=limit)
    for row in taken:
        state = await _deliver(row)
        await _settle(row, state=state, now=now)
    return len(taken)


async def forget(*, before: datetime) -> int:
    """Delete messages that came to their end before an instant: they are personal data."""
    return await database.execute(
        "DELETE FROM notice WHERE state <> 'waiting' AND created_at < $1", clock.to_ms(before)
    )


async def _lease(*, limit: int) -> list[dict[str, Any]]:
    now = database.now_ms()
    skip_locked = "FOR UPDATE SKIP LOCKED" if database.dialect() == "postgres" else ""
    due = (
        f"SELECT id FROM notice WHERE state = 'waiting' AND next_attempt_at <= {now}"
        f" ORDER BY next_attempt_at, id LIMIT {int(limit)} {skip_locked}"
    )

    async def work() -> list[dict[str, Any]]:
        return await database.fetch(
            f"UPDATE notice SET attempts = attempts + 1, next_attempt_at = {now} + $1"
            f" WHERE id {database.ids_of(due)}"
            " RETURNING id, channel, kind, recipient_sealed, body_sealed, attempts,"
            f" coalesce(expires_at <= {now}, false) AS expired",
            LEASE_MS,
        )

    return await database.unit(work)


async def _deliver(row: Mapping[str, Any]) -> str:
    """How it ended: sent, expired, failed for good, or waiting for the next try."""
    if row["expired"]:
        return "expired"
    channel = known().get(row["channel"])
    ring = sealing.ring()
    try:
        if channel is None:
            raise NotDelivered("no such channel any more")
        await channel.deliver(
            Message(
                kind=row["kind"],
                recipient=ring.open_text(bytes(row["recipient_sealed"]), place=RECIPIENT_PLACE),
                body=ring.open_text(bytes(row["body_sealed"]), place=BODY_PLACE),
            )
        )
    except Exception as error:  # noqa: BLE001 -- one bad channel or key must not stop the others
        # Not the traceback: its frames hold the opened message.
        log.warning("notice.not_delivered", id=row["id"], channel=row["channel"], error=type(error).__name__)
        return "failed" if row["attempts"] >= MAX_ATTEMPTS else "waiting"
    return "sent"


async def _settle(row: Mapping[str, Any], *, state: str, now: datetime) -> None:
    """Write how it ended, unless another process has taken the message over."""
    pause_ms = 1000 * min(5 * 2 ** row["attempts"], 600)

    async def work() -> int:
        return await database.execute(
            f"UPDATE notice SET state = $1, sent_at = $2, next_attempt_at = {database.now_ms()} + $3"
            " WHERE id = $4 AND attempts = $5 AND state = 'waiting'",
            state,
            clock.to_ms(now) if state == "sent" else None,
            pause_ms,
            row["id"],
            row["attempts"],
        )

    if await database.unit(work) and state != "waiting":
        SETTLED.labels(row["channel"], state).inc()
