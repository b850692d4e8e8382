"""How far shops are reconciled: up to when, what differs on which day, and which windows hang."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.kit.paging import Page, window
from livehub.orders.cursors import TOO_OLD
from livehub.platforms import registry

LATE = timedelta(days=1)  # since when a figure says that its shop was not reconciled
KEPT_RECENT = timedelta(days=14)
KEPT = timedelta(days=100)  # longer than any platform lists


class ShopState(Struct, frozen=True, kw_only=True):
    """How one shop fares."""

    shop: str  # public id
    name: str
    platform: str
    why_not: str  # '' | no_list | shared | no_api | disabled: why it is not reconciled at all
    reconciled_until: datetime | None  # None: not yet, or never
    waiting: int  # windows
    dead: int
    open: int  # differences
    found: int  # differences of the last thirty days

    def is_late(self, now: datetime) -> bool:
        """Whether it is reconciled at all, and not for over a day."""
        return not self.why_not and self.reconciled_until is not None and now - self.reconciled_until > LATE


class DayState(Struct, frozen=True, kw_only=True):
    """One shop on one day, by the platform's time of update."""

    day: date
    orders: int  # that the platform listed last with an update of that day
    refunds: int
    missing: int
    amount: int
    extra: int
    open: int  # of those three, what is neither explained nor gone
    is_reconciled: bool  # all of the day was read


class WindowView(Struct, frozen=True, kw_only=True):
    """A window that is not done."""

    id: int
    kind: str
    cadence: str
    start: datetime
    end: datetime
    status: str
    pages: int
    attempts: int
    due_at: datetime
    error: str
    is_too_old: bool  # the platform lists it no more: it can only be dropped


class DifferenceView(Struct, frozen=True, kw_only=True):
    """One difference."""

    id: str
    shop: str
    shop_name: str
    platform: str
    day: date
    kind: str
    about: str
    ref: str
    order_ref: str
    is_known: bool  # there is an order to be opened
    ours_fen: int | None
    theirs_fen: int | None
    updated_at: datetime | None
    found_at: datetime
    status: str
    closed_at: datetime | None
    outcome: str
    reason: str
    note: str
    explained_by: str


class Search(Struct, frozen=True, kw_only=True):
    """Which differences; what is empty leaves everything in, both days are included."""

    q: str = ""  # an order's or an after-sale's number
    shop: str = ""
    kind: str = ""
    status: str = ""
    day_from: date | None = None
    day_to: date | None = None


async def shops(*, actor: Actor, now: datetime, shop: str = "") -> list[ShopState]:
    """The shops whose sales the actor may see."""
    require(actor, Permission.SALES_READ)
    where, args = _scope(actor)
    args += [clock.day_number(clock.local_day(now - timedelta(days=30))), shop]
    rows = await database.fetch(
        "SELECT s.public_id, s.name, s.platform, e.disabled, e.api_base_url,"
        " (SELECT count(*) FROM shop o WHERE o.endpoint_id = s.endpoint_id) AS sharers,"
        " (SELECT min(m.reconciled_until) FROM sync_mark m WHERE m.shop_id = s.id) AS until,"
        f" {_count('sync_cursor', 'waiting')} AS waiting, {_count('sync_cursor', 'dead')} AS dead,"
        f" {_count('sync_difference', 'open')} AS open,"
        f" (SELECT count(*) FROM sync_difference d WHERE d.shop_id = s.id AND d.day >= ${len(args) - 1})"
        " AS found FROM shop s JOIN endpoint e ON e.id = s.endpoint_id"
        f" WHERE {where} AND (${len(args)} = '' OR s.public_id = ${len(args)})"
        " ORDER BY s.platform, s.name, s.id",
        *args,
    )
    return [_shop(row) for row in rows]


def _count(table: str, status: str) -> str:
    return f"(SELECT count(*) FROM {table} t WHERE t.shop_id = s.id AND t.status = '{status}')"


def _shop(row: Mapping[str, Any]) -> ShopState:
    return ShopState(
        shop=row["public_id"],
        name=row["name"],
        platform=row["platform"],
        why_not=_why_not(row),
        reconciled_until=clock.from_ms_or_none(row["until"]),
        waiting=int(row["waiting"]),
        dead=int(row["dead"]),
        open=int(row["open"]),
        found=int(row["found"]),
    )


def _why_not(row: Mapping[str, Any]) -> str:
    if registry.get(row["platform"]).lister is None:
        return "no_list"
    if not row["api_base_url"]:
        return "no_api"
    if row["disabled"]:
        return "disabled"
    return "shared" if int(row["sharers"]) > 1 else ""


async def late(
    *, centre_id: int, bureaus: frozenset[int] | None, now: datetime
) -> list[tuple[str, datetime]]:
    """(shop's name, reconciled until) of the shops that are reconciled, but not for over a day."""
    marks = await database.fetch(
        "SELECT s.name, s.bureau_id, min(m.reconciled_until) AS until FROM sync_mark m"
        " JOIN shop s ON s.id = m.shop_id JOIN endpoint e ON e.id = s.endpoint_id"
        " WHERE s.centre_id = $1 AND NOT e.disabled GROUP BY s.id, s.name, s.bureau_id"
        " HAVING min(m.reconciled_until) < $2 ORDER BY min(m.reconciled_until), s.name",
        centre_id,
        clock.to_ms(now - LATE),
    )
    return [
        (row["name"], clock.from_ms(row["until"]))
        for row in marks
        if bureaus is None or row["bureau_id"] in bureaus
    ]


async def days(shop: str, *, day_from: date, day_to: date, actor: Actor) -> list[DayState]:
    """A shop's days, the newest first; NotFound where the actor may not see it."""
    number = await _shop_id(shop, actor=actor)
    args = (number, clock.day_number(day_from), clock.day_number(day_to))
    found: dict[int, dict[str, int]] = {}
    for row in await database.fetch(
        "SELECT day, kind AS what, count(*) AS n FROM listed_item"
        " WHERE shop_id = $1 AND day >= $2 AND day <= $3 GROUP BY day, kind",
        *args,
    ):
        found.setdefault(row["day"], {})[f"{row['what']}s"] = int(row["n"])
    for row in await database.fetch(
        "SELECT day, kind AS what, count(*) AS n, sum(CASE WHEN status = 'open' THEN 1 ELSE 0 END) AS open"
        " FROM sync_difference WHERE shop_id = $1 AND day >= $2 AND day <= $3 GROUP BY day, kind",
        *args,
    ):
        counts = found.setdefault(row["day"], {})
        counts[row["what"]] = int(row["n"])
        counts["open"] = counts.get("open", 0) + int(row["open"])
    mark = await database.fetch_one(
        "SELECT min(reconciled_until) AS until FROM sync_mark WHERE shop_id = $1", number
    )
    until = mark["until"] if mark else None
    return [_day(day, found[day], until=until) for day in sorted(found, reverse=True)]


def _day(number: int, counts: Mapping[str, int], *, until: int | None) -> DayState:
    day = clock.day_of_number(number)
    ends = clock.to_ms(clock.at_local(day + timedelta(days=1)))
    return DayState(
        day=day,
        is_reconciled=until is not None and until >= ends,
        **{name: counts.get(name, 0) for name in ("orders", "refunds", "missing", "amount", "extra", "open")},
    )


async def windows(shop: str, *, actor: Actor) -> list[WindowView]:
    """A shop's windows that wait or were given up, the oldest first."""
    number = await _shop_id(shop, actor=actor)
    rows = await database.fetch(
        "SELECT * FROM sync_cursor WHERE shop_id = $1 AND status IN ('waiting', 'dead')"
        " ORDER BY status, window_start, kind LIMIT 200",
        number,
    )
    return [
        WindowView(
            id=row["id"],
            kind=row["kind"],
            cadence=row["cadence"],
            start=clock.from_ms(row["window_start"]),
            end=clock.from_ms(row["window_end"]),
            status=row["status"],
            pages=row["pages"],
            attempts=row["attempts"],
            due_at=clock.from_ms(row["due_at"]),
            error=row["last_error"],
            is_too_old=row["last_error"] == TOO_OLD,
        )
        for row in rows
    ]


async def differences(
    search: Search, *, actor: Actor, number: int = 1, size: int = 50
) -> Page[DifferenceView]:
    """The differences that fit, the newest first."""
    require(actor, Permission.SALES_READ)
    number, size, limit, offset = window(number=number, size=size)
    where, args = _scope(actor)
    wanted: list[tuple[str, object]] = [
        ("(d.order_ref = ? OR d.ref = ?)", search.q.strip()),
        ("s.public_id = ?", search.shop),
        ("d.kind = ?", search.kind),
        ("d.status = ?", search.status),
        ("d.day >= ?", clock.day_number(search.day_from) if search.day_from else ""),
        ("d.day <= ?", clock.day_number(search.day_to) if search.day_to else ""),
    ]
    for condition, value in wanted:
        if value != "":
            args.append(value)
            where += f" AND {condition.replace('?', f'${len(args)}')}"
    counted = await database.fetch_one(f"SELECT count(*) AS n {_FROM} WHERE {where}", *args)
    rows = await database.fetch(
        f"SELECT {_COLUMNS} {_FROM} WHERE {where} ORDER BY d.found_at DESC, d.id DESC"
        f" LIMIT {int(limit)} OFFSET {int(offset)}",
        *args,
    )
    return Page([_difference(row) for row in rows], number, size, int(counted["n"]) if counted else 0)


async def difference(public_id: str, *, actor: Actor) -> DifferenceView:
    """One difference; NotFound where the actor may not see it."""
    require(actor, Permission.SALES_READ)
    where, args = _scope(actor)
    args.append(public_id)
    row = await database.fetch_one(
        f"SELECT {_COLUMNS} {_FROM} WHERE {where} AND d.public_id = ${len(args)}", *args
    )
    if row is None:
        raise NotFound
    return _difference(row)


_FROM = "FROM sync_difference d JOIN shop s ON s.id = d.shop_id"
_COLUMNS = (
    "d.*, s.public_id AS shop, s.name AS shop_name, s.platform AS platform, EXISTS (SELECT 1 FROM sales_order"
    " o WHERE o.shop_id = d.shop_id AND o.order_ref = d.order_ref) AS is_known"
)


def _difference(row: Mapping[str, Any]) -> DifferenceView:
    same = ("shop", "shop_name", "platform", "kind", "about", "ref", "order_ref", "ours_fen", "theirs_fen")
    told = ("status", "outcome", "reason", "note", "explained_by")
    return DifferenceView(
        id=row["public_id"],
        day=clock.day_of_number(row["day"]),
        found_at=clock.from_ms(row["found_at"]),
        is_known=bool(row["is_known"]),
        updated_at=clock.from_ms_or_none(row["updated_at"]),
        closed_at=clock.from_ms_or_none(row["closed_at"]),
        **{name: row[name] for name in (*same, *told)},
    )


def _scope(actor: Actor) -> tuple[str, list[object]]:
    """(condition on the shop s, its arguments) of what the actor may see."""
    bureaus = bureau_scope(actor, Permission.SALES_READ)
    args: list[object] = [actor.centre_id]
    if bureaus is None:
        return "s.centre_id = $1", args
    return f"s.centre_id = $1 AND s.bureau_id IN ({', '.join(map(str, sorted(bureaus))) or '0'})", args


async def _shop_id(shop: str, *, actor: Actor) -> int:
    require(actor, Permission.SALES_READ)
    where, args = _scope(actor)
    row = await database.fetch_one(f"SELECT s.id FROM shop s WHERE {where} AND s.public_id = $2", *args, shop)
    if row is None:
        raise NotFound
    return int(row["id"])


async def prune(*, now: datetime) -> int:
    """Forget done windows and old rows of lists; of each list its newest windows stay, and what differs."""
    recent, old = clock.to_ms(now - KEPT_RECENT), clock.to_ms(now - KEPT)
    gone = await database.execute(
        "DELETE FROM sync_cursor WHERE status IN ('done', 'dropped') AND window_end < CASE cadence"
        " WHEN 'recent' THEN CAST($1 AS bigint) ELSE CAST($2 AS bigint) END"
        " AND window_end < (SELECT max(c.window_end) FROM sync_cursor c"
        " WHERE c.shop_id = sync_cursor.shop_id AND c.kind = sync_cursor.kind"
        " AND c.cadence = sync_cursor.cadence)",
        recent,
        old,
    )
    # A window whose rows go is no proof any more that its platform lists nothing else.
    await database.execute(
        "UPDATE sync_cursor SET opened_at = NULL WHERE status IN ('done', 'dropped') AND opened_at < $1", old
    )
    return gone + await database.execute("DELETE FROM listed_item WHERE last_at < $1", old)
