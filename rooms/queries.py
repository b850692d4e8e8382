"""Questions about rooms, bookings and broadcasts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msgspec import Struct

from livehub import database


class Match(Struct, frozen=True):
    """A broadcast that a platform's room or author may stand for; it has been on air at least once."""

    broadcast_id: int
    streamer_id: int
    started_at_ms: int
    ended_at_ms: int | None  # None while it is on air
    business_day: int  # YYYYMMDD


_MATCH = (
    "SELECT a.platform AS platform, {ref} AS ref, b.id AS broadcast_id, b.streamer_id AS streamer_id,"
    " b.started_at AS started_at_ms, b.ended_at AS ended_at_ms, b.business_day AS business_day"
    " FROM v JOIN broadcast_account a ON a.platform = v.platform AND {ref} = v.ref"
    " JOIN broadcast b ON b.id = a.broadcast_id WHERE b.started_at IS NOT NULL ORDER BY b.id"
)


async def by_room(pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[Match]]:
    """(platform, the platform's room id) -> the broadcasts that streamed there."""
    return await _matches(pairs, _MATCH.format(ref="a.room_ref"))


async def by_account(pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[Match]]:
    """(platform, the author's account id) -> the broadcasts of that account."""
    return await _matches(pairs, _MATCH.format(ref="a.account_ref"))


async def _matches(pairs: Collection[tuple[str, str]], statement: str) -> dict[tuple[str, str], list[Match]]:
    found: dict[tuple[str, str], list[Match]] = {}
    for row in await database.with_rows({"platform": "text", "ref": "text"}, sorted(pairs), statement):
        found.setdefault((row["platform"], row["ref"]), []).append(_match(row))
    return found


def _match(row: dict[str, Any]) -> Match:
    return Match(
        row["broadcast_id"], row["streamer_id"], row["started_at_ms"], row["ended_at_ms"], row["business_day"]
    )


async def accounts_of(broadcast_id: int) -> list[tuple[str, str, str]]:
    """(platform, account id, the platform's room id or '') of one broadcast."""
    rows = await database.fetch(
        "SELECT platform, account_ref, room_ref FROM broadcast_account WHERE broadcast_id = $1 ORDER BY id",
        broadcast_id,
    )
    return [(row["platform"], row["account_ref"], row["room_ref"]) for row in rows]
