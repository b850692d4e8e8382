"""Orders drained through intake into their buckets, against the same drain without buckets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from time import perf_counter
from typing import Any

from livehub import database
from livehub.bench import sales, started
from livehub.bench.contract import Plan, Report, ratio
from livehub.bench.places import inside, places
from livehub.inbox import receiving
from livehub.inbox.layout import Origin
from livehub.kit import clock
from livehub.orders import intake, ledger, rollup
from livehub.orders.contribution import MEASURES
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
        orders = max(50, int(PER_SECOND * plan.seconds * plan.repetitions / MESSAGES_OF_AN_ORDER))
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
            report.ratio = {"states_only": ratio(report, "drain", "states only")}
            await inside(full, partial(_compare, report, waiting))
            rate = await inside(states, _bare_upsert)
            report.ratio["bare_upsert"] = round(sum(report.rates["drain"]) / plan.repetitions / rate, 3)
            report.notes.append(f"a bare batched upsert of the same states: {rate:,.0f}/s")
        return report


async def _fill(orders: int, seed: int) -> int:
    """Everything the town's ERP said in thirty days, waiting in the inbox; how many messages."""
    town = await sales.seed()
    adapter = registry.get(sales.PLATFORM)
    origin = Origin(town.endpoint_id, town.centre_id, sales.PLATFORM)
    told = sales.history(orders, seed=seed, start=clock.now() - timedelta(days=40))
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


async def _compare(report: Report, messages: int) -> None:
    """The buckets against one GROUP BY of the entries, against pandas over the states and the rebuild."""
    unbooked = await _count("inbox_message WHERE status NOT IN ('applied', 'stale')")
    buckets = await _rows(f"SELECT {KEYS}, {', '.join(MEASURES)} FROM rollup_bucket")
    began = perf_counter()
    await database.execute(
        f"CREATE TABLE bench_grouped AS SELECT {KEYS}, {SUMS} FROM contribution_entry GROUP BY {KEYS}"
    )
    await database.execute(f"CREATE UNIQUE INDEX bench_grouped_key ON bench_grouped ({KEYS})")
    await database.execute("CREATE INDEX bench_grouped_broadcast ON bench_grouped (broadcast_id)")
    grouping = perf_counter() - began
    grouped = await _rows(f"SELECT {KEYS}, {', '.join(MEASURES)} FROM bench_grouped")
    began = perf_counter()
    rebuilt = await rollup.rebuild(now=clock.now())
    rebuilding = perf_counter() - began
    began = perf_counter()
    by_pandas = await _by_pandas()
    pandas = perf_counter() - began
    differing = {
        "grouped": len(_nonzero(buckets) ^ _nonzero(grouped)),
        "pandas": len(_nonzero(buckets) ^ by_pandas),
        "rebuilt": rebuilt["differed"],
    }
    report.correct = not unbooked and not any(differing.values()) and bool(buckets)
    report.ratio["rebuild_to_group_by"] = round(rebuilding / grouping, 2)
    report.value |= {
        "buckets": len(buckets),
        "differing": differing,
        "group_by_s": round(grouping, 3),
        "rebuild_s": round(rebuilding, 3),
        "pandas_s": round(pandas, 3),
    }
    report.notes += [
        f"{messages:,} messages, {len(buckets):,} buckets, {unbooked} messages not booked",
        f"differing from GROUP BY, pandas and rebuild: {differing}",
        f"GROUP BY {grouping:.2f} s, rebuild {rebuilding:.2f} s, pandas over the states {pandas:.2f} s",
    ]


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


async def _orders() -> AsyncIterator[list[ledger.Held]]:
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
