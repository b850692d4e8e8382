"""Which broadcasts an order may belong to, by what the platform says of its room or account."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

from livehub import database


class Match(Struct, frozen=True, kw_only=True):
    """A broadcast an order may belong to; before the start its planned time stands in."""

    broadcast_id: int
    streamer_id: int
    started_at_ms: int
    ended_at_ms: int | None
    business_day: int  # YYYYMMDD


_MATCH = (
    "x.id AS broadcast_id, x.streamer_id, COALESCE(x.started_at, x.planned_start_at) AS started_at_ms,"
    " x.ended_at AS ended_at_ms, x.business_day"
)


async def by_room(pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[Match]]:
    """The broadcasts bound to platform rooms, by (platform, room_ref)."""
    rows = await database.with_rows(
        {"platform": "text", "ref": "text"},
        sorted(set(pairs)),
        f"SELECT v.platform, v.ref, {_MATCH} FROM v"
        " JOIN broadcast_account c ON c.platform = v.platform AND c.room_ref = v.ref AND c.room_ref <> ''"
        " JOIN broadcast x ON x.id = c.broadcast_id ORDER BY x.id",
    )
    return _matches(rows)


async def by_account(pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[Match]]:
    """The broadcasts that went on air on platform accounts, by (platform, account_ref)."""
    rows = await database.with_rows(
        {"platform": "text", "ref": "text"},
        sorted(set(pairs)),
        f"SELECT v.platform, v.ref, {_MATCH} FROM v"
        " JOIN broadcast_account c ON c.platform = v.platform AND c.account_ref = v.ref"
        " JOIN broadcast x ON x.id = c.broadcast_id AND x.started_at IS NOT NULL ORDER BY x.id",
    )
    return _matches(rows)


def _matches(rows: Collection[Mapping[str, Any]]) -> dict[tuple[str, str], list[Match]]:
    found: dict[tuple[str, str], list[Match]] = {}
    for row in rows:
        match = Match(**{name: row[name] for name in Match.__struct_fields__})
        found.setdefault((row["platform"], row["ref"]), []).append(match)
    return found
