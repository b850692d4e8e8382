"""Repair under the locks what the books say wrong: by recorded entries, and by replacing the buckets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.orders import contribution, ledger, reattribution, rollup
from livehub.orders.contribution import MEASURES, ZERO, Contribution, Key, Vector
from livehub.orders.held import Held

ENTRIES = "entries"  # an order's entries did not add up to what its state says
BOOKED = "booked"  # what was noted as booked for it did not either
BUCKET = "bucket"  # a bucket was not the sum of its entries

_COLUMNS = {
    "at": "bigint",
    "why": "text",
    "order_id": "bigint",
    "line_ref": "text",
    "centre_id": "bigint",
    "day": "int",
    "broadcast_id": "bigint",
    "shop_id": "bigint",
    "streamer_id": "bigint",
    "product_id": "bigint",
    "attribution": "text",
    "was": "text",
    "became": "text",
}


class Repair(Struct, frozen=True, kw_only=True):
    """One bucket, or what one line adds to one, that was wrong."""

    why: str
    order_id: int = 0  # 0 for a bucket
    line_ref: str = ""
    key: tuple[Any, ...]  # as rollup.BUCKET
    was: Vector
    became: Vector


class Settled(Struct, frozen=True):
    """What was repaired, and whether the orders could be judged."""

    repairs: list[Repair]
    all_told: bool
    days: Collection[tuple[int, int]] = ()  # of centres, whose buckets the repairs concern


class Judged(Struct, frozen=True):
    """What is wrong with orders, and the entries that mend it."""

    repairs: list[Repair]
    changes: list[rollup.Change]


@database.atomic
async def mend(order_ids: Sequence[int], *, days: Collection[tuple[int, int]], now: datetime) -> Settled:
    """Look once more under the locks; repair and record what is wrong there, and touch nothing else."""
    wanted = sorted(set(order_ids))
    await ledger.hold(wanted)
    chunks = [wanted[start : start + ledger.CHUNK] for start in range(0, len(wanted), ledger.CHUNK)]
    orders = [order for chunk in chunks for order in await ledger.lock_ids(chunk)]
    return await settle(orders, days=days, now=now)


async def settle(orders: Sequence[Held], *, days: Collection[tuple[int, int]], now: datetime) -> Settled:
    """Book what locked orders' states say, and correct the buckets of it and of these days.

    While mappings are not told to their listeners yet nothing is judged: what these have to move is no fault,
    and buckets must not follow entries that may be wrong. States that changed are written all the same.
    """
    settled = await settle_orders(orders, now=now)
    if not settled.all_told:
        return settled
    wrong = {*days, *settled.days}
    corrected = await correct(wrong, now=now) if wrong else []
    return Settled([*settled.repairs, *corrected], all_told=True, days=wrong)


async def settle_orders(orders: Sequence[Held], *, now: datetime) -> Settled:
    """The same without the buckets: these are wrong until ``correct`` has been told of the days."""
    judged = await judge(orders)
    await ledger.store([order for order in orders if order.changed], now=now)
    if judged is None:
        return Settled([], all_told=False)
    await rollup.append(judged.changes, now=now)
    await _record(judged.repairs, now=now)
    touched = {(key.centre_id, key.day) for change in judged.changes for key in change.delta}
    return Settled(judged.repairs, all_told=True, days=touched)


async def judge(orders: Sequence[Held]) -> Judged | None:
    """What is wrong with orders, which are booked as they should be; None while nobody can say.

    Nothing is written.
    """
    fresh = await ledger.recomputed(orders)
    entries = await entries_of([order.id for order in orders])
    if orders and not await reattribution.all_told():
        return None
    repairs: list[Repair] = []
    changes: list[rollup.Change] = []
    for order in orders:
        want, summed = fresh[order.id], entries.get(order.id, {})
        repairs += _of_order(ENTRIES, order.id, was=summed, want=want)
        repairs += _of_order(BOOKED, order.id, was=order.booked, want=want)
        order.changed |= bool(order.book(want))
        if delta := contribution.difference(want, summed):
            changes.append(rollup.Change(order.id, delta, reason="repair"))
    return Judged(repairs, changes)


@database.atomic
async def correct(days: Collection[tuple[int, int]], *, now: datetime) -> list[Repair]:
    """Bring the buckets of days to the sums of their entries, and record which were not; nobody books now."""
    repairs = [
        Repair(why=BUCKET, key=each.key, was=each.was, became=each.became)
        for each in await rollup.correct(days, now=now)
    ]
    await _record(repairs, now=now)
    return repairs


async def entries_of(order_ids: Sequence[int]) -> dict[int, Contribution]:
    """The sums of orders' entries."""
    sums = ", ".join(f"sum(e.{m}) AS {m}" for m in MEASURES)
    keys = ", ".join(f"e.{name}" for name in Key.__struct_fields__)
    rows = await database.with_rows(
        {"id": "bigint"},
        [(each,) for each in order_ids],
        f"SELECT e.order_id, {keys}, {sums} FROM v JOIN contribution_entry e ON e.order_id = v.id"
        f" GROUP BY e.order_id, {keys}",
    )
    found: dict[int, Contribution] = {}
    for row in rows:
        vector = tuple(int(row[m]) for m in MEASURES)
        if any(vector):
            key = Key(**{name: row[name] for name in Key.__struct_fields__})
            found.setdefault(row["order_id"], {})[key] = vector
    return found


def _of_order(why: str, order_id: int, *, was: Contribution, want: Contribution) -> list[Repair]:
    return [
        Repair(
            why=why,
            order_id=order_id,
            line_ref=key.line_ref,
            key=tuple(getattr(key, name) for name in rollup.BUCKET),
            was=was.get(key, ZERO),
            became=want.get(key, ZERO),
        )
        for key in contribution.difference(want, was)
    ]


async def _record(repairs: Sequence[Repair], *, now: datetime) -> None:
    at = clock.to_ms(now)
    await database.write_rows(
        _COLUMNS,
        [
            (at, each.why, each.order_id, each.line_ref, *each.key, _told(each.was), _told(each.became))
            for each in repairs
        ],
        f"INSERT INTO rollup_repair ({', '.join(_COLUMNS)}) SELECT {', '.join(_COLUMNS)} FROM v",
    )


def _told(vector: Vector) -> str:
    """The measures that are not zero, as JSON."""
    told: Mapping[str, int] = {name: value for name, value in zip(MEASURES, vector, strict=True) if value}
    return msgspec.json.encode(told).decode()
