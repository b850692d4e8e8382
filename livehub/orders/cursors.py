"""Windows as rows: planned once, leased by one process, moved on page by page, and closed at their last page.

Each page moves its window in the transaction that records what it lists, under the lease's token: a process
that dies resumes at its page, and one that only slept writes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import structlog
from msgspec import Struct

from livehub import database
from livehub.kit import clock, leases
from livehub.kit.errors import Conflict
from livehub.orders import windows
from livehub.orders.pull_models import Cadence, WindowStatus
from livehub.orders.windows import Planned
from livehub.platforms import registry
from livehub.platforms.contract import FetchKind, Reach, Window

log = structlog.get_logger(__name__)

LEASE_MS = 60_000  # longer than a page takes, waiting for its turn included
MAX_ATTEMPTS = 12  # at one page
TOO_OLD = "平台不再提供这么早的清单"

JOINING = (Cadence.RECENT,)  # what moves the mark
COVERED = (WindowStatus.DONE, WindowStatus.DROPPED)


class NotListable(Conflict):
    """这个店铺的平台没有可对账的清单接口，或它与别的店铺共用一个凭证。"""

    code = "SHOP_NOT_LISTABLE"


class LeaseLost(Exception):
    """Somebody else has the window now: nothing may be written for it."""


class Listable(Struct, frozen=True):
    """A shop whose platform lists its orders to us."""

    id: int
    endpoint_id: int
    platform: str
    created_at: int


class Held(Struct, frozen=True):
    """A leased window."""

    id: int
    shop_id: int
    endpoint_id: int
    kind: str
    cadence: str
    window_start: int
    window_end: int
    page: str
    pages: int  # recorded
    attempts: int
    opened_at: int
    token: int

    def window(self, shop_ref: str) -> Window:
        """As the adapter knows it."""
        return Window(FetchKind(self.kind), shop_ref, self.window_start, self.window_end)


async def plan(*, now: datetime) -> int:
    """Open the windows that are due at every shop; how many there were. Doing it twice opens none twice."""
    opened = 0
    for shop in await listable():
        planned = await _planned(shop.id)
        wanted = [
            window
            for kind, reach in _reaches(shop).items()
            for window in windows.due(
                kind,
                reach,
                planned={cadence: end for (name, cadence), end in planned.items() if name == kind},
                since=shop.created_at,
                now=now,
            )
        ]
        if wanted:
            opened += await _opened(shop, wanted, now=now)
    return opened


async def _opened(shop: Listable, planned: Sequence[Planned], *, now: datetime) -> int:
    return await database.unit(lambda: open_windows(shop, planned, now=now))


def _reaches(shop: Listable) -> Mapping[FetchKind, Reach]:
    lister = registry.get(shop.platform).lister
    return {} if lister is None else lister.reaches


async def backfill(shop_id: int, *, since: datetime, now: datetime) -> int:
    """Open windows for all since an instant, in the current transaction; NotListable where none can be."""
    for shop in await listable(shop_id):
        planned = [
            window
            for kind, reach in _reaches(shop).items()
            for window in windows.backfill(kind, reach, since=since, now=now)
        ]
        if _reaches(shop):
            return await open_windows(shop, planned, now=now)
    raise NotListable


async def listable(shop_id: int = 0) -> list[Listable]:
    """Shops whose endpoint is theirs alone and has an API; a token lists one shop's orders."""
    rows = await database.fetch(
        "SELECT s.id, s.endpoint_id, s.platform, s.created_at FROM shop s JOIN endpoint e"
        " ON e.id = s.endpoint_id WHERE NOT e.disabled AND e.api_base_url <> '' AND ($1 = 0 OR s.id = $1)"
        " AND NOT EXISTS (SELECT 1 FROM shop o WHERE o.endpoint_id = e.id AND o.id <> s.id) ORDER BY s.id",
        shop_id,
    )
    return [Listable(**row) for row in rows]


async def _planned(shop_id: int) -> dict[tuple[str, Cadence], int]:
    rows = await database.fetch(
        "SELECT kind, cadence, max(window_end) AS until FROM sync_cursor WHERE shop_id = $1"
        " GROUP BY kind, cadence",
        shop_id,
    )
    return {(row["kind"], Cadence(row["cadence"])): int(row["until"]) for row in rows}


async def open_windows(shop: Listable, planned: Iterable[Planned], *, now: datetime) -> int:
    """Write windows that wait from now on, and the mark of a list that is read for the first time."""
    at, wanted = clock.to_ms(now), list(planned)
    begins: dict[str, int] = {}
    for each in wanted:
        if each.cadence in JOINING:
            begins[each.kind] = min(begins.get(each.kind, each.start), each.start)
    await database.write_rows(
        {"shop_id": "bigint", "kind": "text", "start": "bigint"},
        [(shop.id, kind, start) for kind, start in sorted(begins.items())],
        "INSERT INTO sync_mark (shop_id, kind, begun_at, reconciled_until)"
        " SELECT shop_id, kind, start, start FROM v WHERE true ON CONFLICT (shop_id, kind) DO NOTHING",
    )
    now_there = database.now_ms()
    return await database.write_rows(
        _PLANNED,
        [_row(shop, each, at=at) for each in wanted],
        "INSERT INTO sync_cursor (shop_id, endpoint_id, kind, cadence, window_start, window_end, page,"
        " status, pages, listed, asked, attempts, due_at, lease_until, lease_token, last_error, created_at)"
        " SELECT shop_id, endpoint_id, kind, cadence, starts, ends, '', status, 0, 0, 0, 0,"
        f" {now_there}, 0, 0, error, at FROM v WHERE true"
        " ON CONFLICT (shop_id, kind, cadence, window_start, window_end) DO NOTHING",
    )


def _row(shop: Listable, planned: Planned, *, at: int) -> tuple[object, ...]:
    status = WindowStatus.DEAD if planned.is_too_old else WindowStatus.WAITING
    return (
        shop.id,
        shop.endpoint_id,
        str(planned.kind),
        str(planned.cadence),
        planned.start,
        planned.end,
        str(status),
        TOO_OLD if planned.is_too_old else "",
        at,
    )


_PLANNED = {
    "shop_id": "bigint",
    "endpoint_id": "bigint",
    "kind": "text",
    "cadence": "text",
    "starts": "bigint",
    "ends": "bigint",
    "status": "text",
    "error": "text",
    "at": "bigint",
}


async def endpoints_with_work() -> list[int]:
    """Endpoints at which a window waits that nobody holds."""
    now = database.now_ms()
    rows = await database.fetch(
        "SELECT DISTINCT endpoint_id FROM sync_cursor WHERE status = 'waiting'"
        f" AND due_at <= {now} AND lease_until < {now} ORDER BY endpoint_id"
    )
    return [int(row["endpoint_id"]) for row in rows]


async def lease(endpoint_id: int, *, at: datetime) -> Held | None:
    """The next window of an endpoint: recent ones before all others, the oldest first."""
    token, now = leases.token(), database.now_ms()
    skip_locked = "FOR UPDATE SKIP LOCKED" if database.dialect() == "postgres" else ""
    due_first = (
        "SELECT id FROM sync_cursor WHERE status = 'waiting' AND endpoint_id = $2"
        f" AND due_at <= {now} AND lease_until < {now} ORDER BY CASE cadence WHEN 'recent' THEN 0"
        f" WHEN 'daily' THEN 1 ELSE 2 END, window_start, kind, id LIMIT 1 {skip_locked}"
    )
    async with database.transaction():
        rows = await database.fetch(
            f"UPDATE sync_cursor SET lease_token = $1, lease_until = {now} + {LEASE_MS},"
            " attempts = attempts + 1, opened_at = coalesce(opened_at, $3)"
            f" WHERE id {database.ids_of(due_first)} RETURNING id, shop_id, endpoint_id, kind, cadence,"
            " window_start, window_end, page, pages, attempts, opened_at",
            token,
            endpoint_id,
            clock.to_ms(at),
        )
    return Held(**rows[0], token=token) if rows else None


async def move_on(held: Held, *, following: str, listed: int, asked: int, now: datetime) -> None:
    """One page more is recorded, in the current transaction; LeaseLost when it is not ours to record."""
    moved = await database.execute(
        "UPDATE sync_cursor SET page = $1, pages = pages + 1, listed = listed + $2, asked = asked + $3,"
        f" attempts = 1, last_error = '', lease_until = {database.now_ms()} + {LEASE_MS}"
        " WHERE id = $4 AND lease_token = $5 AND page = $6 AND status = 'waiting'",
        following,
        listed,
        asked,
        held.id,
        held.token,
        held.page,
    )
    if not moved:
        raise LeaseLost
    if not following:
        await _close(held, now=now)


async def _close(held: Held, *, now: datetime) -> None:
    """All pages are recorded: the window is done, and the mark moves as far as windows join."""
    await hold_mark(held.shop_id, held.kind)
    await database.execute(
        "UPDATE sync_cursor SET status = 'done', closed_at = $1, lease_until = 0 WHERE id = $2",
        clock.to_ms(now),
        held.id,
    )
    await join(held.shop_id, held.kind)


async def hold_mark(shop_id: int, kind: str) -> None:
    """Two windows that close at once would each overlook the other: one waits here."""
    if database.dialect() == "postgres":
        await database.fetch(
            "SELECT id FROM sync_mark WHERE shop_id = $1 AND kind = $2 FOR UPDATE", shop_id, kind
        )


async def join(shop_id: int, kind: str) -> None:
    """Move the mark over every window that joins it; under its lock."""
    joins = (
        "FROM sync_cursor c WHERE c.shop_id = sync_mark.shop_id AND c.kind = sync_mark.kind"
        f" AND c.cadence IN ({_listed(JOINING)}) AND c.status IN ({_listed(COVERED)})"
        " AND c.window_start <= sync_mark.reconciled_until AND c.window_end > sync_mark.reconciled_until"
    )
    while await database.execute(
        f"UPDATE sync_mark SET reconciled_until = (SELECT max(c.window_end) {joins})"
        f" WHERE shop_id = $1 AND kind = $2 AND EXISTS (SELECT 1 {joins})",
        shop_id,
        kind,
    ):
        pass


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"'{each}'" for each in values)


async def release(held: Held, *, wait_ms: int) -> None:
    """Give a window back that is not to be read on just now."""
    await database.execute(
        f"UPDATE sync_cursor SET lease_until = 0, attempts = 0, due_at = {database.now_ms()} + $1"
        " WHERE id = $2 AND lease_token = $3",
        wait_ms,
        held.id,
        held.token,
    )


async def postpone(held: Held, error: str, *, give_up: bool = False) -> None:
    """Try the page again later, longer each time; after so many attempts the window is given up."""
    dead = give_up or held.attempts >= MAX_ATTEMPTS
    wait = min(2**held.attempts, 3600) * (500 + secrets.randbelow(500))
    log.warning("pull.failed", window=held.id, kind=held.kind, page=held.page, error=error, dead=dead)
    await database.execute(
        f"UPDATE sync_cursor SET status = $1, due_at = {database.now_ms()} + $2, lease_until = 0,"
        " last_error = $3 WHERE id = $4 AND lease_token = $5",
        str(WindowStatus.DEAD if dead else WindowStatus.WAITING),
        wait,
        error[:500],
        held.id,
        held.token,
    )


async def inherit() -> int:
    """Free what a dead process held from this process's seat; only before its own first lease."""
    return await database.execute(
        "UPDATE sync_cursor SET lease_until = 0 WHERE status = 'waiting' AND lease_until <> 0"
        " AND lease_token BETWEEN $1 AND $2",
        *leases.inherited(),
    )


async def ask_again(endpoint_id: int) -> int:
    """Put an endpoint's given-up windows back into the queue, but those no list has; how many there were."""
    return await database.execute(
        f"UPDATE sync_cursor SET status = 'waiting', attempts = 0, due_at = {database.now_ms()}"
        " WHERE endpoint_id = $1 AND status = 'dead' AND last_error <> $2",
        endpoint_id,
        TOO_OLD,
    )
