"""Facts recorded in the current transaction and handed to each listener once, after the commit.

A fact is a msgspec Struct. ``wiring.py`` names its listeners; ``record`` writes one row per listener, so
handing out is a queue of rows. A listener runs in one transaction with the mark that it has run.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import msgspec
import structlog
from tortoise import fields
from tortoise.models import Model

from livehub import database
from livehub.database.fields import InstantField
from livehub.kit import clock, leases
from livehub.kit.heads import Head

log = structlog.get_logger(__name__)

Fact = TypeVar("Fact", bound=msgspec.Struct)
Listener = Callable[[Any, datetime], Awaitable[None]]

MAX_ATTEMPTS = 12
LEASE = timedelta(seconds=30)

_listeners: dict[type[msgspec.Struct], Mapping[str, Listener]] = {}
_kinds: dict[str, type[msgspec.Struct]] = {}


class OutboxMessage(Model):
    """One fact for one listener."""

    id = fields.BigIntField(primary_key=True)
    kind = fields.CharField(max_length=64)
    listener = fields.CharField(max_length=64)
    payload = fields.TextField()
    status = fields.CharField(max_length=8, default="waiting")  # waiting | done | dead
    attempts = fields.IntField(default=0)
    next_attempt_at = InstantField()
    lease_until = InstantField(default=0)
    lease_token = fields.BigIntField(default=0)
    last_error = fields.TextField(default="")
    created_at = InstantField()
    done_at = InstantField(null=True)

    class Meta:
        table = "outbox_message"


def connect(table: Mapping[type[msgspec.Struct], Mapping[str, Listener]]) -> None:
    """Name the listeners of every fact; called once by the process's start."""
    _listeners.clear()
    _kinds.clear()
    _listeners.update(table)
    _kinds.update({fact.__name__: fact for fact in table})


async def record(fact: msgspec.Struct, *, now: datetime) -> None:
    """Write the fact into the current transaction; LookupError when wiring does not name it."""
    kind = type(fact)
    if kind not in _listeners:
        raise LookupError(f"{kind.__name__} is not in wiring")
    payload = msgspec.json.encode(fact).decode()
    at = clock.to_ms(now)
    await database.write_rows(
        {"kind": "text", "listener": "text", "payload": "text", "at": "bigint"},
        [(kind.__name__, name, payload, at) for name in _listeners[kind]],
        "INSERT INTO outbox_message"
        " (kind, listener, payload, status, attempts, next_attempt_at, lease_until, lease_token, last_error,"
        " created_at)"
        f" SELECT kind, listener, payload, 'waiting', 0, {database.now_ms()}, 0, 0, '', at FROM v",
    )


async def waiting(kind: type[Fact]) -> list[Fact]:
    """The facts of a kind that a listener has not had yet, the oldest first."""
    rows = await database.fetch(
        "SELECT payload FROM outbox_message WHERE status = 'waiting' AND kind = $1 ORDER BY id", kind.__name__
    )
    return [msgspec.json.decode(row["payload"], type=kind) for row in rows]


async def hand_out(
    *, now: datetime, limit: int = 50, lease: timedelta = LEASE, head: Head | None = None
) -> int:
    """Give waiting facts to their listeners; returns how many were tried.

    Whoever does it again and again keeps a ``head``.
    """
    taken = await _lease(limit=limit, lease=lease, head=head)
    for row in taken:
        await _deliver(row, now=now)
    return len(taken)


async def _lease(*, limit: int, lease: timedelta = LEASE, head: Head | None = None) -> list[dict[str, Any]]:
    taken = await (head or Head()).read(partial(_take, limit=limit, lease=lease))
    return sorted(taken, key=lambda row: row["id"])  # PostgreSQL returns them in any order


async def _take(start: int, *, limit: int, lease: timedelta) -> list[dict[str, Any]]:
    now = database.now_ms()
    async with database.transaction():
        await database.prefer_indexes()
        return await database.fetch(
            f"UPDATE outbox_message SET lease_until = {now} + $1, lease_token = $2, attempts = attempts + 1"
            f" WHERE id {database.ids_of(due(limit=limit))}"
            " RETURNING id, kind, listener, payload, attempts, lease_token, next_attempt_at",
            lease // timedelta(milliseconds=1),
            leases.token(),
            start,
        )


def due(*, limit: int, start: str = "$3") -> str:
    """SQL for the ids of facts that wait for a listener, from an instant on."""
    now = database.now_ms()
    skip_locked = "FOR UPDATE SKIP LOCKED" if database.dialect() == "postgres" else ""
    return (
        "SELECT id FROM outbox_message WHERE status = 'waiting'"
        f" AND next_attempt_at >= {start} AND next_attempt_at <= {now} AND lease_until < {now}"
        f" ORDER BY next_attempt_at, id LIMIT {int(limit)} {skip_locked}"
    )


async def inherit() -> int:
    """Free what a dead process held from this process's seat; only before its own first lease."""
    return await database.execute(
        "UPDATE outbox_message SET lease_until = 0 WHERE status = 'waiting' AND lease_until <> 0"
        " AND lease_token BETWEEN $1 AND $2",
        *leases.inherited(),
    )


async def _deliver(row: Mapping[str, Any], *, now: datetime) -> None:
    about = {"fact": row["kind"], "fact_id": row["id"], "listener": row["listener"]}
    with structlog.contextvars.bound_contextvars(**about):
        if row["attempts"] > MAX_ATTEMPTS:  # each of them ended its process
            log.error("outbox.poison")
            await _postpone(row, error=RuntimeError("every attempt ended without an outcome"))
            return
        await _hand_over(row, now=now)


async def _hand_over(row: Mapping[str, Any], *, now: datetime) -> None:
    try:
        fact_type = _kinds[row["kind"]]
        listener = _listeners[fact_type][row["listener"]]
        fact = msgspec.json.decode(row["payload"], type=fact_type)
        async with database.transaction():
            await listener(fact, now)
            marked = await database.execute(
                "UPDATE outbox_message SET status = 'done', done_at = $1 WHERE id = $2 AND lease_token = $3",
                clock.to_ms(now),
                row["id"],
                row["lease_token"],
            )
            if marked != 1:
                raise LeaseLost
    except LeaseLost:
        log.warning("outbox.lease_lost")
    except Exception as error:
        log.exception("outbox.listener_failed")
        await _postpone(row, error=error)


async def _postpone(row: Mapping[str, Any], *, error: Exception) -> None:
    dead = row["attempts"] >= MAX_ATTEMPTS
    wait = min(2 ** row["attempts"], 3600) * (500 + secrets.randbelow(500))
    await database.execute(
        f"UPDATE outbox_message SET status = $1, next_attempt_at = {database.now_ms()} + $2,"
        " lease_until = 0, last_error = $3 WHERE id = $4 AND lease_token = $5",
        "dead" if dead else "waiting",
        wait,
        repr(error)[:500],
        row["id"],
        row["lease_token"],
    )


async def prune(*, before: datetime) -> int:
    """Forget what was handed out before an instant."""
    return await database.execute(
        "DELETE FROM outbox_message WHERE status = 'done' AND done_at < $1", clock.to_ms(before)
    )


class LeaseLost(Exception):
    """Another process took the row over; what this one did is rolled back."""
