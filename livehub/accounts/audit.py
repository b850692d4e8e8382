"""The audit trail, written in the transaction of what it records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from livehub import database
from livehub.accounts.actors import Actor
from livehub.kit import clock

_COLUMNS = {
    "at": "bigint",
    "centre_id": "bigint",
    "bureau_id": "bigint",
    "actor_kind": "text",
    "actor_id": "bigint",
    "actor_name": "text",
    "action": "text",
    "object_kind": "text",
    "object_id": "text",
    "result": "text",
    "ip": "text",
    "request_id": "text",
    "detail": "text",
}
_NAMES = ", ".join(_COLUMNS)
_INSERT = f"INSERT INTO audit_entry ({_NAMES}) SELECT {_NAMES} FROM v"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened; ``about`` is (kind, public id). No personal data in ``detail``."""

    action: str  # dotted: booking.approved
    actor: Actor
    about: tuple[str, str] = ("", "")
    bureau_id: int = 0
    result: str = "ok"
    detail: dict[str, Any] = {}


async def write(
    action: str,
    *,
    actor: Actor,
    now: datetime,
    about: tuple[str, str] = ("", ""),
    bureau_id: int = 0,
    result: str = "ok",
    detail: dict[str, Any] | None = None,
) -> None:
    """Record one entry in the current transaction."""
    entry = Entry(
        action=action, actor=actor, about=about, bureau_id=bureau_id, result=result, detail=detail or {}
    )
    await write_many([entry], now=now)


async def write_many(entries: Sequence[Entry], *, now: datetime) -> None:
    """Record many entries in one statement of the current transaction."""
    at = clock.to_ms(now)
    await database.with_rows(_COLUMNS, [_row(entry, at) for entry in entries], _INSERT)


def _row(entry: Entry, at: int) -> tuple[Any, ...]:
    actor = entry.actor
    return (
        at,
        actor.centre_id,
        entry.bureau_id,
        actor.kind,
        actor.id,
        actor.name,
        entry.action,
        *entry.about,
        entry.result,
        actor.ip,
        actor.request_id,
        msgspec.json.encode(entry.detail).decode(),
    )
