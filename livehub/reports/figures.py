"""Sums over the cube: one question, any grain, now or as of an instant, within a reader's scope."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.reports.basis import G2_SQL, Axis, Basis


class Grain(StrEnum):
    """By what a total can be taken apart."""

    DAY = "day"
    BROADCAST = "broadcast"
    SHOP = "shop"
    PLATFORM = "platform"
    STREAMER = "streamer"
    PRODUCT = "product"
    TOWN = "town"
    ROOM = "room"
    THEME = "theme"
    BUREAU = "bureau"
    ATTRIBUTION = "attribution"


class Scope(Struct, frozen=True, kw_only=True):
    """Which rows a question is about. ``bureaus`` None means all of the centre.

    Public ids name things; '-' stands for "none" (unattributed, unmapped).
    """

    centre_id: int
    bureaus: frozenset[int] | None = None
    day_from: date | None = None  # both days included
    day_to: date | None = None
    axis: Axis = Axis.EVENT
    as_of: datetime | None = None
    booked_after: datetime | None = None  # only what was booked later: what changed since
    paid_from: datetime | None = None  # only sales paid in the minutes from here
    paid_until: datetime | None = None  # to here, both included
    broadcast: str = ""
    shop: str = ""
    platform: str = ""
    streamer: str = ""
    product: str = ""
    town: str = ""
    room: str = ""
    theme: str = ""
    bureau: str = ""
    attribution: str = ""


class Figures(Struct, frozen=True, kw_only=True):
    """One row of sums: integer fen and counts."""

    key: str = ""
    label: str = ""
    g1_fen: int
    g1_freight_fen: int
    g2_fen: int
    g3_fen: int
    refund_fen: int
    refund_on_sale_day_fen: int
    refund_on_apply_day_fen: int
    voucher_subsidy_fen: int
    orders: int
    units: int
    refunds: int
    pending: int

    def amount(self, basis: Basis) -> int:
        """The figure of a basis, in fen."""
        return {Basis.G1: self.g1_fen, Basis.G2: self.g2_fen, Basis.G3: self.g3_fen}[basis]


_NAMED = {
    Grain.DAY: ("CAST({day} AS TEXT)", "CAST({day} AS TEXT)"),
    Grain.BROADCAST: ("coalesce(b.public_id, '-')", "coalesce(b.title, '')"),
    Grain.SHOP: ("s.public_id", "s.name"),
    Grain.PLATFORM: ("s.platform", "s.platform"),
    Grain.STREAMER: ("coalesce(t.public_id, '-')", "coalesce(t.stage_name, '')"),
    Grain.PRODUCT: ("coalesce(p.public_id, '-')", "coalesce(p.name, '')"),
    Grain.TOWN: ("coalesce(nullif(p.town, ''), '-')", "coalesce(p.town, '')"),
    Grain.ROOM: ("coalesce(m.public_id, '-')", "coalesce(m.name, '')"),
    Grain.THEME: ("coalesce(m.theme, '-')", "coalesce(m.theme, '')"),
    Grain.BUREAU: ("u.public_id", "u.name"),
    Grain.ATTRIBUTION: ("r.attribution", "r.attribution"),
}

_SUMS = {
    "g1_fen": "r.buyer_paid",
    "g1_freight_fen": "r.buyer_paid + r.freight",
    "g2_fen": G2_SQL,
    "g3_fen": f"{G2_SQL} - r.refund_done",
    "refund_fen": "r.refund_done",
    "refund_on_sale_day_fen": "r.refund_sale",
    "refund_on_apply_day_fen": "r.refund_apply",
    "voucher_subsidy_fen": "r.voucher_subsidy",
    "orders": "r.orders",
    "units": "r.units",
    "refunds": "r.refunds",
    "pending": "r.pending",
}


async def total(scope: Scope) -> Figures:
    """The sum of everything in scope."""
    source, where, args = question(scope)
    row = await database.fetch_one(f"SELECT {_sums()} FROM {source} WHERE {where}", *args)
    assert row is not None  # noqa: S101 -- an aggregate has one row
    return _figures(row)


async def sums(scope: Scope, wanted: Mapping[str, str]) -> dict[str, int]:
    """Sums of everything in scope by their names; ``wanted`` is name -> amount of one row ``r``."""
    source, where, args = question(scope)
    columns = ", ".join(f'coalesce(sum({sql}), 0) AS "{name}"' for name, sql in wanted.items())
    row = await database.fetch_one(f"SELECT {columns} FROM {source} WHERE {where}", *args)
    assert row is not None  # noqa: S101 -- an aggregate has one row
    return {name: int(row[name]) for name in wanted}


async def by(scope: Scope, grain: Grain, *, basis: Basis = Basis.G3, limit: int = 500) -> list[Figures]:
    """The sums by a grain, largest first (days: newest first). The key of none is '-'."""
    source, where, args = question(scope)
    key, label = (part.format(day=scope.axis.sql()) for part in _NAMED[grain])
    first = "sort_key DESC" if grain is Grain.DAY else f"sum({basis.sql()}) DESC, sort_key"
    rows = await database.fetch(
        f"SELECT {key} AS sort_key, max({label}) AS label, {_sums()} FROM {source} WHERE {where}"
        f" GROUP BY {key} ORDER BY {first} LIMIT {int(limit)}",
        *args,
    )
    return [_figures(row) for row in rows]


def _figures(row: dict[str, Any]) -> Figures:
    sums = {name: int(row[name]) for name in _SUMS}
    return msgspec.convert({"key": row.get("sort_key", ""), "label": row.get("label", ""), **sums}, Figures)


def question(scope: Scope) -> tuple[str, str, list[Any]]:
    """(FROM, WHERE, arguments) of a scope: over the buckets, or as of an instant over the entries."""
    args: list[Any] = [scope.centre_id]
    where = ["r.centre_id = $1"]

    def add(condition: str, value: Any) -> None:
        args.append(value)
        where.append(condition.format(f"${len(args)}"))

    if scope.as_of is not None:
        add("r.applied_at <= {}", clock.to_ms(scope.as_of))
    if scope.booked_after is not None:
        add("r.applied_at > {}", clock.to_ms(scope.booked_after))
    if scope.paid_from is not None:
        add("r.minute >= {}", clock.to_ms(scope.paid_from) // 60_000)
    if scope.paid_until is not None:
        add("r.minute > 0 AND r.minute <= {}", clock.to_ms(scope.paid_until) // 60_000)
    day = scope.axis.sql()
    if scope.day_from is not None:
        add(f"{day} >= {{}}", clock.day_number(scope.day_from))
    if scope.day_to is not None:
        add(f"{day} <= {{}}", clock.day_number(scope.day_to))
    if scope.bureaus is not None:
        numbers = ", ".join(str(int(each)) for each in sorted(scope.bureaus)) or "0"
        where.append(f"coalesce(b.bureau_id, s.bureau_id) IN ({numbers})")
    for name, column in _FILTERS.items():
        wanted = getattr(scope, name)
        if wanted:
            add(f"{column} = {{}}", wanted)
    by_entry = (scope.as_of, scope.booked_after, scope.paid_from, scope.paid_until)
    return source(as_of=any(each is not None for each in by_entry)), " AND ".join(where), args


_FILTERS = {
    "broadcast": "coalesce(b.public_id, '-')",
    "shop": "s.public_id",
    "platform": "s.platform",
    "streamer": "coalesce(t.public_id, '-')",
    "product": "coalesce(p.public_id, '-')",
    "town": "coalesce(nullif(p.town, ''), '-')",
    "room": "coalesce(m.public_id, '-')",
    "theme": "coalesce(m.theme, '-')",
    "bureau": "u.public_id",
    "attribution": "r.attribution",
}


def source(*, as_of: bool) -> str:
    """The rows ``r`` with everything they can be named and filtered by."""
    table = "contribution_entry" if as_of else "rollup_bucket"
    return (
        f"{table} r JOIN shop s ON s.id = r.shop_id"
        " LEFT JOIN broadcast b ON b.id = r.broadcast_id AND r.broadcast_id <> 0"
        " LEFT JOIN room m ON m.id = b.room_id"
        " LEFT JOIN streamer t ON t.id = r.streamer_id AND r.streamer_id <> 0"
        " LEFT JOIN product p ON p.id = r.product_id AND r.product_id <> 0"
        " JOIN bureau u ON u.id = coalesce(b.bureau_id, s.bureau_id)"
    )


def _sums() -> str:
    return ", ".join(f"coalesce(sum({sql}), 0) AS {name}" for name, sql in _SUMS.items())
