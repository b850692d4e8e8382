"""Orders drained through intake into their buckets, against the same drain without buckets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from time import perf_counter
from typing import Any

from livehub import database
from livehub.bench import sales, shows, started
from livehub.bench.contract import Plan, Report, ratio
from livehub.bench.places import inside, places
from livehub.inbox import receiving
from livehub.inbox.layout import Origin
from livehub.kit import clock
from livehub.orders import intake, ledger, rollup
from livehub.orders.contribution import MEASURES
from livehub.orders.held import Held
from livehub.platforms import registry

PER_SECOND = 6000  # messages made ready for each second of a round
MESSAGES_OF_AN_ORDER = 4.4
UPSERTED = 60_000  # states, at most, for the bare upsert
KEYS = ", ".join(rollup.BUCKET)
SUMS = ", ".join(f"sum({m}) AS {m}" for m in MEASURES)


class Rollups:
    """See docs/performance.md."""

    summary = "orders drained through intake into the buckets"

    async def run(self, plan: Plan) -> Report:
        """Rounds of both drains over the same inbox; then the buckets are made anew in three other ways."""
        by_seconds = max(50, int(PER_SECOND * plan.seconds * plan.repetitions / MESSAGES_OF_AN_ORDER))
        orders = plan.orders or by_seconds
        report = Report(correct=True, value={"orders": orders})
        async with places(plan) as made:
            full = await made.empty("full")
            waiting = await inside(full, partial(_fill, orders, plan.seed))
            states = await made.copy(full, "states")
            report.value["messages"] = waiting
            share = -(-waiting // plan.repetitions)
            async with AsyncExitStack() as stack:
                drains = {
                    "drain": await stack.enter_async_context(started.drain(full)),
                    "states only": await stack.enter_async_context(started.drain(states, "--states")),
                }
                for _ in range(plan.repetitions):
                    for name, drain in drains.items():
                        taken, seconds = await drain.take(share)
                        report.rates.setdefault(name, []).append(taken / seconds if taken else 0.0)
                    await inside(full, shows.hand_out)  # vouchers are redeemed, and their orders move
            report.ratio = {"states_only": ratio(report, "drain", "states only")}
            await inside(full, partial(_compare, report, waiting, plan.repetitions))
            rate = await inside(states, _bare_upsert)
            report.ratio["bare_upsert"] = round(sum(report.rates["drain"]) / plan.repetitions / rate, 3)
            report.notes.append(f"a bare batched upsert of the same states: {rate:,.0f}/s")
        return report


async def _fill(orders: int, seed: int) -> int:
    """Everything the town's ERP said in thirty days, waiting in the inbox; how many messages."""
    town = await sales.seed()
    adapter = registry.get(sales.PLATFORM)
    origin = Origin(town.endpoint_id, town.centre_id, sales.PLATFORM)
    start = clock.now() - timedelta(days=40)
    held = await sales.past_shows(town, start=start, orders=orders)
    told = sales.history(orders, seed=seed, start=start, held=held)
    for at in range(0, len(told), intake.BATCH):
        now = clock.now()
        arrivals = [
            receiving.read_push(
                adapter, origin=origin, raw=body, plaintext=body, headers={"webhook-id": message_id}, now=now
            )
            for message_id, body in told[at : at + intake.BATCH]
        ]
        await receiving.store(arrivals)
    return len(told)


async def _compare(report: Report, messages: int, rounds: int) -> None:
    """The buckets against GROUP BY of the entries, against pandas over the states and the rebuild."""
    unbooked = await _count("inbox_message WHERE status NOT IN ('applied', 'stale')")
    untold = await _count("outbox_message WHERE status <> 'done'")
    entries = await _count("contribution_entry")
    buckets = await _rows(f"SELECT {KEYS}, {', '.join(MEASURES)} FROM rollup_bucket")
    differing: dict[str, int] = {"rebuilt": 0}
    took: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, work in (("GROUP BY", _group), ("rebuild", _rebuild), ("rebuild of all", _rebuild_all)):
            seconds, wrong = await work(len(_nonzero(buckets)))
            took.setdefault(name, []).append(seconds)
            differing["rebuilt"] += wrong
    grouped = await _rows(f"SELECT {KEYS}, {', '.join(MEASURES)} FROM bench_grouped")
    rebuilt = await _rows(f"SELECT {KEYS}, {', '.join(MEASURES)} FROM rollup_bucket")
    began = perf_counter()
    by_pandas = await _by_pandas()
    pandas = perf_counter() - began
    differing["rebuilt"] += len(_nonzero(buckets) ^ _nonzero(rebuilt))
    differing["grouped"] = len(_nonzero(buckets) ^ _nonzero(grouped))
    differing["pandas"] = len(_nonzero(buckets) ^ by_pandas)
    sold = await _sold_by_class()
    report.correct = (
        not (unbooked or untold or any(differing.values())) and bool(buckets) and {"A", "B", "U"} <= {*sold}
    )
    report.rates |= {name: [entries / each for each in seconds] for name, seconds in took.items()}
    report.ratio["rebuild_to_group_by"] = ratio(report, "GROUP BY", "rebuild")
    report.ratio["rebuild_of_all_to_group_by"] = ratio(report, "GROUP BY", "rebuild of all")
    report.value |= {
        "entries": entries,
        "buckets": len(buckets),
        "sold_by_class": sold,
        "differing": differing,
        "seconds": {name: [round(each, 3) for each in seconds] for name, seconds in took.items()},
        "pandas_s": round(pandas, 3),
    }
    report.notes += [
        f"{messages:,} messages ({unbooked} not booked), {entries:,} entries, {len(buckets):,} buckets",
        f"units sold by class: {sold}",
        f"differing from GROUP BY, pandas and rebuild: {differing}",
        f"pandas over the states {pandas:.2f} s",
    ]


async def _group(_buckets: int) -> tuple[float, int]:
    """Seconds to sum the entries once into a table with the indexes of the buckets' key and broadcast."""
    await database.execute("DROP TABLE IF EXISTS bench_grouped")
    began = perf_counter()
    await database.execute(
        f"CREATE TABLE bench_grouped AS SELECT {KEYS}, {SUMS} FROM contribution_entry GROUP BY {KEYS}"
    )
    await database.execute(f"CREATE UNIQUE INDEX bench_grouped_key ON bench_grouped ({KEYS})")
    await database.execute("CREATE INDEX bench_grouped_broadcast ON bench_grouped (broadcast_id)")
    return perf_counter() - began, 0


async def _rebuild(_buckets: int) -> tuple[float, int]:
    """Seconds of a rebuild that finds everything right; how many buckets it found wrong all the same."""
    began = perf_counter()
    rebuilt = await rollup.rebuild(now=clock.now())
    return perf_counter() - began, rebuilt["differed"]


async def _rebuild_all(buckets: int) -> tuple[float, int]:
    """Seconds of a rebuild that finds no bucket at all; how many it did not bring back."""
    await database.execute("DELETE FROM rollup_bucket")
    seconds, differed = await _rebuild(buckets)
    return seconds, abs(buckets - differed)


async def _sold_by_class() -> dict[str, int]:
    rows = await database.fetch(
        "SELECT attribution, sum(units) AS units FROM rollup_bucket GROUP BY attribution ORDER BY attribution"
    )
    return {row["attribution"]: int(row["units"]) for row in rows}


async def _by_pandas() -> set[tuple[Any, ...]]:
    """Recomputed from the orders' states, without the entries."""
    import pandas as pd  # a second and 60 MiB, only here

    rows: list[tuple[Any, ...]] = []
    async for orders in _orders():
        for parts in (await ledger.recomputed(orders)).values():
            rows += [
                (*(getattr(key, name) for name in rollup.BUCKET), *vector) for key, vector in parts.items()
            ]
    frame = pd.DataFrame(rows, columns=[*rollup.BUCKET, *MEASURES])
    summed = frame.groupby(list(rollup.BUCKET), as_index=False).sum()
    return {row for row in summed.itertuples(index=False, name=None) if any(row[-len(MEASURES) :])}


async def _orders() -> AsyncIterator[list[Held]]:
    last = 0
    while rows := await database.fetch(
        f"SELECT {ledger.HELD} FROM sales_order o WHERE o.id > $1 ORDER BY o.id LIMIT 2000", last
    ):
        last = rows[-1]["id"]
        yield [ledger.held(row) for row in rows]


async def _bare_upsert() -> float:
    """Rows a second when nothing is done but to upsert encoded states in intake's batches."""
    rows = await database.fetch(
        f"SELECT shop_id, order_ref, state FROM sales_order ORDER BY id DESC LIMIT {UPSERTED}"
    )
    states = [(row["shop_id"], row["order_ref"], row["state"]) for row in rows]
    await database.execute(
        "CREATE TABLE bench_state"
        " (shop_id bigint, order_ref text, state text, PRIMARY KEY (shop_id, order_ref))"
    )
    began, written = perf_counter(), 0
    for _ in range(4):  # an order has as many messages
        for at in range(0, len(states), intake.BATCH):
            batch = states[at : at + intake.BATCH]
            await database.unit(
                partial(
                    database.write_rows,
                    {"shop_id": "bigint", "order_ref": "text", "state": "text"},
                    sorted(batch),
                    "INSERT INTO bench_state SELECT shop_id, order_ref, state FROM v WHERE true"
                    " ON CONFLICT (shop_id, order_ref) DO UPDATE SET state = excluded.state",
                )
            )
            written += len(batch)
    return written / (perf_counter() - began)


async def _count(what: str) -> int:
    row = await database.fetch_one(f"SELECT count(*) AS n FROM {what}")
    return int(row["n"]) if row else 0


async def _rows(sql: str) -> list[tuple[Any, ...]]:
    return [
        tuple(value if isinstance(value, str) else int(value) for value in row.values())
        for row in await database.fetch(sql)
    ]


def _nonzero(rows: list[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    return {row for row in rows if any(row[-len(MEASURES) :])}


BENCH = Rollups()
