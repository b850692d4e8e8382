"""Which broadcasts an order may belong to: by its room or author, a link's code, or its shop's accounts."""

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


class Coded(Struct, frozen=True):
    """The broadcast that a code names, and whose link it is."""

    broadcast_id: int
    streamer_id: int


async def by_code(pairs: Collection[tuple[int, str]]) -> dict[tuple[int, str], Coded]:
    """The broadcasts that codes name, by (centre, code): a claim link's slug, or a broadcast's public id.

    Links belong to the vouchers, higher on the ladder: only the table is asked, no code of it is imported.
    """
    rows = await database.with_rows(
        {"centre_id": "bigint", "code": "text"},
        sorted(set(pairs)),
        "SELECT v.centre_id, v.code, x.id AS broadcast_id, x.streamer_id FROM v"
        " JOIN broadcast x ON x.public_id = v.code AND x.centre_id = v.centre_id"
        " UNION ALL SELECT v.centre_id, v.code, x.id, coalesce(l.streamer_id, x.streamer_id) FROM v"
        " JOIN claim_link l ON l.slug = v.code AND l.centre_id = v.centre_id"
        " JOIN broadcast x ON x.id = l.broadcast_id",
    )
    return {(row["centre_id"], row["code"]): Coded(row["broadcast_id"], row["streamer_id"]) for row in rows}


async def by_shop(spans: Mapping[int, tuple[int, int]]) -> dict[int, list[Match]]:
    """The broadcasts of a centre that were on air on an account of its shops, by shop.

    ``spans`` has the first and last instant asked about, in ms, by shop: an account has years of shows.
    """
    rows = await database.with_rows(
        {"shop_id": "bigint", "since": "bigint", "until": "bigint"},
        [(shop_id, *span) for shop_id, span in sorted(spans.items())],
        f"SELECT DISTINCT v.shop_id AS shop_id, {_MATCH} FROM v"
        " JOIN shop_account a ON a.shop_id = v.shop_id JOIN shop s ON s.id = v.shop_id"
        " JOIN broadcast_account c ON c.platform = a.platform AND c.account_ref = a.account_ref"
        " JOIN broadcast x ON x.id = c.broadcast_id AND x.centre_id = s.centre_id"
        " AND x.started_at <= v.until AND (x.ended_at IS NULL OR x.ended_at >= v.since) ORDER BY 1, 2",
    )
    found: dict[int, list[Match]] = {}
    for row in rows:
        found.setdefault(row["shop_id"], []).append(_match(row))
    return found


def _match(row: Mapping[str, Any]) -> Match:
    return Match(**{name: row[name] for name in Match.__struct_fields__})


def _matches(rows: Collection[Mapping[str, Any]]) -> dict[tuple[str, str], list[Match]]:
    found: dict[tuple[str, str], list[Match]] = {}
    for row in rows:
        found.setdefault((row["platform"], row["ref"]), []).append(_match(row))
    return found
