"""A page of a platform's list against what is known: what is asked for, what differs, and what it said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.orders import asking, cursors, differences, state
from livehub.orders.asking import Ask
from livehub.orders.cursors import Held
from livehub.orders.differences import Found
from livehub.orders.pull_models import DifferenceKind
from livehub.orders.state import ORDER, OrderState
from livehub.platforms.contract import FetchKind, Listed, ListPage
from livehub.platforms.queries import ShopView

EDGE_MS = 60_000  # at a window's ends clocks may disagree; its neighbours look there as well
SKEW_MS = 10 * 60_000


class Job(Struct, frozen=True):
    """The last fetch of an order or after-sale."""

    status: str
    fetched_at: int | None


class Judged(Struct, frozen=True):
    """What follows from one row of a list."""

    ask: bool = False
    difference: DifferenceKind | None = None
    ours_fen: int | None = None


async def record(held: Held, page: ListPage, *, shop: ShopView, now: datetime) -> None:
    """Everything that follows from a page, and its window moved on, in the current transaction."""
    kind = FetchKind(held.kind)
    states = await _states(shop.id, {row.order_ref for row in page.rows if row.order_ref})
    jobs = await _jobs(shop.id, kind, {row.ref for row in page.rows})
    judged = {
        row.ref: (
            row,
            judge(
                row,
                states.get(row.order_ref),
                jobs.get(row.ref),
                kind=kind,
                window_end=held.window_end,
                registered_at=shop.created_at,
            ),
        )
        for row in page.rows
    }
    asks = [_ask(shop, kind, row) for row, verdict in judged.values() if verdict.ask]
    found = [
        _found(held, kind, row, verdict.difference, verdict.ours_fen)
        for row, verdict in judged.values()
        if verdict.difference is not None
    ]
    await cursors.move_on(
        held, following=page.following, listed=len(page.rows), asked=len(asks), now=now
    )  # first: whoever lost the window writes nothing
    await _keep(held, kind, page.rows, now=now)
    if not page.following and kind is FetchKind.ORDER:
        extra = await _extra(held, shop)
        asks += [ask for ask, _ in extra]
        found += [each for _, each in extra]
    await asking.ask(asks, now=now)
    await differences.open_found(found, shop=shop, now=now)


def judge(
    row: Listed,
    known: OrderState | None,
    job: Job | None,
    *,
    kind: FetchKind,
    window_end: int,
    registered_at: int,
) -> Judged:
    """Whether a row is news, and whether it should have been; without a time only its fetch can tell.

    Before a shop was registered no push could tell of it.
    """
    key = ORDER if kind is FetchKind.ORDER else row.ref
    if row.updated_at is None:
        asked_since = job is not None and job.fetched_at is not None and job.fetched_at >= window_end
        is_new = job is None and (known is None or kind is FetchKind.REFUND)
        told_late = is_new and window_end > registered_at
        return Judged(ask=not asked_since, difference=DifferenceKind.MISSING if told_late else None)
    covered = -1 if known is None else known.covered.get(key, -1)
    if covered >= row.updated_at:
        return _compared(row, known, job, kind=kind)
    told = max([0, *known.wanted.values(), *known.covered.values()]) if known is not None else 0
    given_up = job is not None and job.status == "dead"
    is_missing = (told < row.updated_at or given_up) and row.updated_at >= registered_at
    return Judged(ask=True, difference=DifferenceKind.MISSING if is_missing else None)


def _compared(row: Listed, known: OrderState | None, job: Job | None, *, kind: FetchKind) -> Judged:
    """The same version on both sides: the same amount, or a difference."""
    if row.amount_fen is None or known is None:
        return Judged()
    version, ours = known.amount_of(ORDER if kind is FetchKind.ORDER else row.ref)
    if ours is None and job is not None and job.status == "waiting":
        return Judged()  # on its way
    if ours == row.amount_fen or (version is not None and version != row.updated_at):
        return Judged()
    return Judged(difference=DifferenceKind.AMOUNT, ours_fen=ours)


def _ask(shop: ShopView, kind: FetchKind, row: Listed) -> Ask:
    return Ask(
        shop_id=shop.id,
        shop_ref=shop.shop_ref,
        kind=kind,
        order_ref=row.order_ref,
        ref=row.ref,
        wanted_at=row.updated_at or 0,
    )


def _found(
    held: Held, kind: FetchKind, row: Listed, difference: DifferenceKind, ours_fen: int | None
) -> Found:
    return Found(
        kind=difference,
        about=kind,
        ref=row.ref,
        order_ref=row.order_ref,
        day=_day(held, row),
        updated_at=row.updated_at,
        ours_fen=ours_fen,
        theirs_fen=row.amount_fen,
        window_id=held.id,
    )


def _day(held: Held, row: Listed) -> int:
    at = held.window_start if row.updated_at is None else row.updated_at
    return clock.day_number(clock.local_day(clock.from_ms(at)))


async def _states(shop_id: int, order_refs: Iterable[str]) -> Mapping[str, OrderState]:
    rows = await database.with_rows(
        {"order_ref": "text", "shop_id": "bigint"},
        [(each, shop_id) for each in sorted(order_refs)],
        "SELECT o.order_ref AS order_ref, o.state AS state FROM v JOIN sales_order o"
        " ON o.shop_id = v.shop_id AND o.order_ref = v.order_ref",
    )
    return {row["order_ref"]: state.decode(row["state"]) for row in rows}


async def _jobs(shop_id: int, kind: FetchKind, refs: Iterable[str]) -> Mapping[str, Job]:
    rows = await database.with_rows(
        {"ref": "text", "kind": "text", "shop_id": "bigint"},
        [(each, str(kind), shop_id) for each in sorted(refs)],
        "SELECT j.ref AS ref, j.status AS status, j.fetched_at AS fetched_at FROM v JOIN fetch_job j"
        " ON j.shop_id = v.shop_id AND j.kind = v.kind AND j.ref = v.ref",
    )
    return {row["ref"]: Job(row["status"], row["fetched_at"]) for row in rows}


async def _keep(held: Held, kind: FetchKind, rows: Sequence[Listed], *, now: datetime) -> None:
    """What the platform listed last of each; an older list does not overwrite a newer one."""
    at = clock.to_ms(now)
    by_ref = {row.ref: row for row in rows}
    await database.write_rows(
        _LISTED,
        [
            (
                held.shop_id, str(kind), row.ref, row.order_ref, row.updated_at, row.amount_fen,
                _day(held, row), held.id, at,
            )
            for _, row in sorted(by_ref.items())
        ],
        f"INSERT INTO listed_item ({', '.join(_LISTED)}) SELECT {', '.join(_LISTED)} FROM v WHERE true"
        " ON CONFLICT (shop_id, kind, ref) DO UPDATE SET order_ref = excluded.order_ref,"
        " updated_at = excluded.updated_at, amount_fen = excluded.amount_fen, day = excluded.day,"
        " window_id = excluded.window_id, last_at = excluded.last_at",
    )  # fmt: skip


_LISTED = {
    "shop_id": "bigint",
    "kind": "text",
    "ref": "text",
    "order_ref": "text",
    "updated_at": "bigint",
    "amount_fen": "bigint",
    "day": "int",
    "window_id": "bigint",
    "last_at": "bigint",
}


async def _extra(held: Held, shop: ShopView) -> list[tuple[Ask, Found]]:
    """Orders that we were told changed in the window, and that no list since its first page has.

    One that changed again belongs to a later window. Each is asked for: the platform has the last word.
    """
    rows = await database.fetch(
        "SELECT o.order_ref, o.state, o.told_at FROM sales_order o WHERE o.centre_id = $1 AND o.shop_id = $2"
        " AND o.changed_at >= $3 AND o.told_at >= $4 AND o.told_at < $5 AND NOT EXISTS"
        " (SELECT 1 FROM listed_item l WHERE l.shop_id = o.shop_id AND l.kind = 'order'"
        " AND l.ref = o.order_ref AND l.last_at >= $6) ORDER BY o.order_ref",
        shop.centre_id,
        shop.id,
        held.window_start - SKEW_MS,
        held.window_start + EDGE_MS,
        held.window_end - EDGE_MS,
        held.opened_at,
    )
    found = []
    for row in rows:
        known, told_at = state.decode(row["state"]), int(row["told_at"])
        if max(known.wanted.values(), default=0) >= held.window_end - EDGE_MS:
            continue  # something of it changed later: its list may have it there
        ours = known.amount_of(ORDER)[1]
        listed = Listed(ref=row["order_ref"], order_ref=row["order_ref"], updated_at=told_at)
        found.append(
            (
                _ask(shop, FetchKind.ORDER, listed),
                _found(held, FetchKind.ORDER, listed, DifferenceKind.EXTRA, ours),
            )
        )
    return found
