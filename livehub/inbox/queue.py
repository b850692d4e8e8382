"""The inbox row is the queue: leases, outcomes, retries and replays, all by the database's own time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from msgspec import Struct
from prometheus_client import Histogram

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.inbox.layout import BODY_PLACE
from livehub.inbox.models import MessageStatus, ReplayRecord
from livehub.kit import clock, leases, sealing
from livehub.kit.errors import Conflict
from livehub.kit.heads import Head

ALONE_AT = 3  # a message leased so often without an outcome is processed alone ...
POISON_AT = 4  # ... and the next time parked

LEASE_SECONDS = Histogram("livehub_intake_lease_seconds", "Time to take a batch from the inbox")


class LeaseLost(Exception):
    """Another worker took the rows over; everything this one did is rolled back."""


class Leased(Struct, frozen=True):
    """One message in our hands."""

    id: int
    delivery_id: int
    centre_id: int
    platform: str
    endpoint_id: int
    shop_ref: str
    native_type: str
    native_id: str
    digest: bytes
    position: int
    source: str
    fact: str
    received_at: int
    attempts: int
    reason: str  # 'identity' when it is judged anew: what was parked so is among the facts of its order
    token: int


class Outcome(Struct, frozen=True):
    """What became of a leased message."""

    message: Leased
    status: MessageStatus
    reason: str = ""
    error: str = ""
    fact: str = ""
    order_key: str = ""


_FIELDS = (
    "id, delivery_id, centre_id, platform, endpoint_id, shop_ref, native_type, native_id, digest, position,"
    " source, fact, received_at, attempts, reason"
)


database_now = database.now_ms


async def lease(*, limit: int, seconds: int, head: Head | None = None) -> list[Leased]:
    """Take due messages; the attempt is counted before any work, so that a crash leaves its mark.

    Of a message that is to be processed alone ``begin`` counts it: its turn may never come. Whoever takes
    again and again keeps a ``head``.
    """
    with LEASE_SECONDS.time():
        rows = await (head or Head()).read(partial(_take, limit=limit, seconds=seconds))
    for row in rows:
        del row["next_attempt_at"]
    return sorted((Leased(**row) for row in rows), key=lambda each: each.id)


async def _take(start: int, *, limit: int, seconds: int) -> list[dict[str, Any]]:
    token = leases.token()
    async with database.transaction():
        await database.prefer_indexes()
        rows = await database.fetch(
            f"UPDATE inbox_message SET status = '{MessageStatus.PROCESSING}', attempts = attempts + 1,"
            f" lease_token = $1, lease_until = {database_now()} + $2"
            f" WHERE id {database.ids_of(due(limit=limit))}"
            f" RETURNING {_FIELDS}, lease_token AS token, next_attempt_at",
            token,
            seconds * 1000,
            start,
        )
        await database.write_rows(
            {"id": "bigint"},
            [(row["id"],) for row in rows if row["attempts"] >= ALONE_AT],
            "UPDATE inbox_message SET attempts = attempts - 1 FROM v WHERE inbox_message.id = v.id",
        )
    return rows


def due(*, limit: int, start: str = "$3") -> str:
    """SQL for the ids at the head of the queue."""
    skip_locked = "FOR UPDATE SKIP LOCKED" if database.dialect() == "postgres" else ""
    return (
        f"SELECT id FROM inbox_message WHERE status = '{MessageStatus.RECEIVED}'"
        f" AND next_attempt_at >= {start} AND next_attempt_at <= {database_now()}"
        f" ORDER BY next_attempt_at, id LIMIT {int(limit)} {skip_locked}"
    )


async def begin(message: Leased) -> None:
    """Count the attempt of a message that is to be processed alone now; LeaseLost if it is not ours."""
    counted = await database.execute(
        "UPDATE inbox_message SET attempts = attempts + 1 WHERE id = $1 AND lease_token = $2"
        f" AND status = '{MessageStatus.PROCESSING}'",
        message.id,
        message.token,
    )
    if counted != 1:
        raise LeaseLost


async def take_back_expired() -> int:
    """Put messages whose lease ran out back into the queue."""
    return await database.execute(
        f"UPDATE inbox_message SET status = '{MessageStatus.RECEIVED}'"
        f" WHERE status = '{MessageStatus.PROCESSING}' AND lease_until < {database_now()}"
    )


async def inherit() -> int:
    """Put back what a dead process held from this process's seat; only before its own first lease."""
    return await database.execute(
        f"UPDATE inbox_message SET status = '{MessageStatus.RECEIVED}'"
        f" WHERE status = '{MessageStatus.PROCESSING}' AND lease_token BETWEEN $1 AND $2",
        *leases.inherited(),
    )


async def release(messages: Sequence[Leased], *, wait_ms: int) -> None:
    """Give messages back untouched after a passing failure; the attempt is not counted."""
    await database.write_rows(
        {"id": "bigint", "token": "bigint", "wait": "bigint"},
        [(message.id, message.token, wait_ms) for message in messages],
        f"UPDATE inbox_message SET status = '{MessageStatus.RECEIVED}', attempts = attempts - 1,"
        f" next_attempt_at = {database_now()} + v.wait FROM v"
        " WHERE inbox_message.id = v.id AND inbox_message.lease_token = v.token"
        f" AND inbox_message.status = '{MessageStatus.PROCESSING}'",
    )


async def settle(outcomes: Sequence[Outcome], *, now: datetime) -> None:
    """Write outcomes in the current transaction; LeaseLost unless every lease is still ours."""
    at = clock.to_ms(now)
    settled = await database.write_rows(
        {
            "id": "bigint",
            "token": "bigint",
            "status": "text",
            "reason": "text",
            "error": "text",
            "fact": "text",
            "order_key": "text",
            "at": "bigint",
        },
        [
            (
                outcome.message.id,
                outcome.message.token,
                str(outcome.status),
                outcome.reason,
                outcome.error[:500],
                outcome.fact or outcome.message.fact,
                outcome.order_key[:128],
                at,
            )
            for outcome in sorted(outcomes, key=lambda each: each.message.id)
        ],
        "UPDATE inbox_message SET status = v.status, reason = v.reason, last_error = v.error, fact = v.fact,"
        " order_key = CASE WHEN v.order_key = '' THEN inbox_message.order_key ELSE v.order_key END,"
        " processed_at = v.at, attempts = 0 FROM v"
        " WHERE inbox_message.id = v.id AND inbox_message.lease_token = v.token"
        f" AND inbox_message.status = '{MessageStatus.PROCESSING}'",
    )
    if settled != len(outcomes):
        raise LeaseLost


async def head_received_at() -> int | None:
    """When the message came that is to be taken next, in milliseconds; None while none waits."""
    row = await database.fetch_one(
        "SELECT received_at FROM inbox_message WHERE status = 'received' ORDER BY next_attempt_at, id LIMIT 1"
    )
    return None if row is None else int(row["received_at"])


async def bodies(delivery_ids: Collection[int]) -> dict[int, tuple[bytes, str]]:
    """Delivery id -> (its bytes, its kept headers as JSON); what was erased is missing."""
    rows = await database.with_rows(
        {"id": "bigint"},
        [(each,) for each in sorted(delivery_ids)],
        "SELECT d.id, d.body_sealed, d.headers FROM v JOIN inbox_delivery d ON d.id = v.id"
        " WHERE d.body_sealed IS NOT NULL",
    )
    ring = sealing.ring()
    return {
        row["id"]: (ring.open(bytes(row["body_sealed"]), place=BODY_PLACE), row["headers"]) for row in rows
    }


async def reopen_shop(*, platform: str, shop_ref: str) -> int:
    """Put what was parked for an unknown shop back into the queue."""
    return await database.execute(
        f"UPDATE inbox_message SET status = '{MessageStatus.RECEIVED}', reason = '', attempts = 0,"
        f" next_attempt_at = {database_now()}"
        f" WHERE status = '{MessageStatus.PARKED}' AND reason = 'shop' AND platform = $1 AND shop_ref = $2",
        platform,
        shop_ref,
    )


async def replay(message_id: int, *, actor: Actor, why: str, now: datetime) -> None:
    """Put one parked or dead message back into the queue; call it inside ``database.unit``.

    One that was parked(identity) keeps its reason until it is settled: it is read anew from its bytes.
    """
    moved = await database.execute(
        f"UPDATE inbox_message SET status = '{MessageStatus.RECEIVED}', attempts = 0,"
        " reason = CASE WHEN reason = 'identity' THEN reason ELSE '' END,"
        f" next_attempt_at = {database_now()}"
        f" WHERE id = $1 AND status IN ('{MessageStatus.PARKED}', '{MessageStatus.DEAD}')",
        message_id,
    )
    if moved != 1:
        raise NotReplayable
    await ReplayRecord.create(message_id=message_id, at=now, actor_name=actor.name, why=why)
    await audit.write(
        "inbox.replayed", actor=actor, now=now, about=("message", str(message_id)), detail={"why": why}
    )


class NotReplayable(Conflict):
    """只有已隔离或已放弃的消息可以重放。"""

    code = "NOT_REPLAYABLE"


def backlog() -> Any:
    """The query of what waits and how long: rows (platform, waiting, oldest received_at)."""
    return database.fetch(
        "SELECT platform, count(*) AS waiting, min(received_at) AS oldest FROM inbox_message"
        f" WHERE status IN ('{MessageStatus.RECEIVED}', '{MessageStatus.PROCESSING}') GROUP BY platform"
    )
