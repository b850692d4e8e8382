"""Differences between a platform's list and ours: found, and closed with their reason when they are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from prometheus_client import Counter

from livehub import database
from livehub.kit import clock, ids
from livehub.orders import state
from livehub.orders.pull_models import DifferenceKind
from livehub.orders.state import ORDER, OrderState
from livehub.platforms.contract import FetchKind
from livehub.platforms.queries import ShopView

CHUNK = 500
# Why a difference is gone: stable codes, named in the templates.
PULLED = "pulled"  # the fetched reply is in the numbers
AGREES = "agrees"  # the amounts are alike now
MOVED = "moved"  # it was updated since: a later window is asked about it
LISTED = "listed"  # a later list has it

DRIFT = Counter("livehub_reconciliation_found_total", "Differences found", ["platform", "kind"])


class Found(Struct, frozen=True, kw_only=True):
    """A difference as a list shows it; ``day`` is YYYYMMDD, by the platform's time of update."""

    kind: DifferenceKind
    about: FetchKind
    ref: str
    order_ref: str
    day: int
    updated_at: int | None
    ours_fen: int | None
    theirs_fen: int | None
    window_id: int


async def open_found(found: Sequence[Found], *, shop: ShopView, now: datetime) -> None:
    """Write what was found, in the current transaction; what was explained stays so until it changes."""
    at = clock.to_ms(now)
    rows = {
        (str(each.about), each.ref, str(each.kind), each.day): (
            ids.public_id(),
            shop.centre_id,
            shop.id,
            each.day,
            str(each.kind),
            str(each.about),
            each.ref,
            each.order_ref,
            each.ours_fen,
            each.theirs_fen,
            each.updated_at,
            each.window_id,
            at,
        )
        for each in found
    }
    opened = await database.with_rows(_FOUND, [rows[key] for key in sorted(rows)], _OPEN)
    for row in opened:
        DRIFT.labels(shop.platform, row["kind"]).inc()


_FOUND = {
    "public_id": "text",
    "centre_id": "bigint",
    "shop_id": "bigint",
    "day": "int",
    "kind": "text",
    "about": "text",
    "ref": "text",
    "order_ref": "text",
    "ours_fen": "bigint",
    "theirs_fen": "bigint",
    "updated_at": "bigint",
    "window_id": "bigint",
    "found_at": "bigint",
}
_SEEN = ("order_ref", "ours_fen", "theirs_fen", "updated_at", "window_id", "found_at")
_CHANGED = " OR ".join(
    f"coalesce(excluded.{name}, -1) <> coalesce(sync_difference.{name}, -1)"
    for name in ("ours_fen", "theirs_fen", "updated_at")
)
_OPEN = (
    f"INSERT INTO sync_difference ({', '.join(_FOUND)}, status, outcome, reason, note, explained_by)"
    f" SELECT {', '.join(_FOUND)}, 'open', '', '', '', '' FROM v WHERE true"
    " ON CONFLICT (shop_id, about, ref, kind, day) DO UPDATE SET status = 'open', closed_at = NULL,"
    " outcome = '', reason = '', note = '', explained_by = '', "
    + ", ".join(f"{name} = excluded.{name}" for name in _SEEN)
    + f" WHERE sync_difference.status = 'closed' OR {_CHANGED} RETURNING kind"
)


async def settle(*, now: datetime) -> int:
    """Close what is gone by itself, with the reason; how many."""
    closed, last = 0, 0
    while True:
        rows = await database.fetch(
            "SELECT d.id, d.shop_id, d.kind, d.about, d.ref, d.updated_at, d.theirs_fen, d.found_at,"
            " coalesce(nullif(d.order_ref, ''), j.order_ref, '') AS order_ref, l.last_at AS last_at,"
            " l.amount_fen AS listed_fen"
            " FROM sync_difference d"
            " LEFT JOIN fetch_job j ON j.shop_id = d.shop_id AND j.kind = d.about AND j.ref = d.ref"
            " LEFT JOIN listed_item l ON l.shop_id = d.shop_id AND l.kind = d.about AND l.ref = d.ref"
            f" WHERE d.status = 'open' AND d.id > $1 ORDER BY d.id LIMIT {CHUNK}",
            last,
        )
        if not rows:
            return closed
        last = rows[-1]["id"]
        states = await _states(rows)
        gone = [
            (row["id"], reason, row["order_ref"], clock.to_ms(now), row["found_at"])
            for row in rows
            if (reason := _gone(row, states.get((row["shop_id"], row["order_ref"]))))
        ]
        closed += await database.write_rows(
            {"id": "bigint", "outcome": "text", "order_ref": "text", "at": "bigint", "found_at": "bigint"},
            gone,
            "UPDATE sync_difference SET status = 'closed', closed_at = v.at, outcome = v.outcome,"
            " order_ref = v.order_ref FROM v WHERE sync_difference.id = v.id"
            " AND sync_difference.status = 'open' AND sync_difference.found_at = v.found_at",
        )  # one that was found anew meanwhile is another


def _gone(row: Mapping[str, Any], known: OrderState | None) -> str:
    """Why a difference is none any more, '' while it is one."""
    if known is None:
        return ""
    key = ORDER if row["about"] == FetchKind.ORDER else row["ref"]
    version, ours = known.amount_of(key)
    if row["kind"] == DifferenceKind.EXTRA:
        if known.told_at > row["updated_at"]:
            return MOVED
        return LISTED if (row["last_at"] or 0) > row["found_at"] else ""
    if version is None:
        return ""
    covered = known.covered.get(key, -1)
    if row["kind"] == DifferenceKind.MISSING:
        return PULLED if covered >= (row["updated_at"] or 0) else ""
    if ours is not None and ours == row["listed_fen"]:
        return AGREES
    return MOVED if version > row["updated_at"] else ""


async def _states(rows: Sequence[Mapping[str, Any]]) -> Mapping[tuple[int, str], OrderState]:
    found = await database.with_rows(
        {"shop_id": "bigint", "order_ref": "text"},
        sorted({(row["shop_id"], row["order_ref"]) for row in rows if row["order_ref"]}),
        "SELECT o.shop_id AS shop_id, o.order_ref AS order_ref, o.state AS state FROM v JOIN sales_order o"
        " ON o.shop_id = v.shop_id AND o.order_ref = v.order_ref",
    )
    return {(row["shop_id"], row["order_ref"]): state.decode(row["state"]) for row in found}
