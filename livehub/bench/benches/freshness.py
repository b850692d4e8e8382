"""From a webhook's arrival to the number on the wall: steady load with a burst, read by a probe."""

from __future__ import annotations

import asyncio
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter

import aiohttp
from msgspec import Struct

from livehub import database
from livehub.accounts import logins, users
from livehub.accounts.actors import Grant, system
from livehub.accounts.models import Role
from livehub.bench import sales, started, thin, wire
from livehub.bench.contract import Plan, Report, percentile
from livehub.bench.places import Places, inside, places
from livehub.bench.shows import Show
from livehub.kit import clock, ids
from livehub.orders.invariants import buckets
from livehub.sandbox import erp
from livehub.web.wall import EVERY_SECONDS

RATE, BURST = 300, 5  # messages a second; how many times as many in the burst
BURST_SHARE = 1 / 12  # of the time
THIN_RATE, THIN_SHARE = 30, 1 / 4  # orders a second of thin messages, afterwards; for how much of the time
POLL_SECONDS = 0.03  # of intake
SETTLE_SECONDS = 30
WARM_SECONDS = 3  # until the jobs process has begun
_ORDERS = re.compile(r'data-live="orders".*?<div class="v">([\d,]+)', re.DOTALL)


class Screen(Struct):
    """What a manager's wall showed: when, and how many orders."""

    at_ms: array[float]
    orders: array[int]


class World(Struct, frozen=True):
    """Where to push, whose wall to watch, what is on air."""

    endpoint_key: str
    token: str
    on_air: list[Show]
    platform: thin.Platform


class Freshness:
    """See docs/performance.md."""

    summary = "from a webhook's arrival to the number on the wall"

    async def run(self, plan: Plan) -> Report:
        """As often as the plan repeats, each time on a database of its own."""
        report = Report(correct=True)
        told: dict[str, list[float]] = {}
        for number in range(plan.repetitions):
            async with places(plan) as made:
                for name, value in (await _once(made, plan, plan.seed + 3 * number, report)).items():
                    told.setdefault(name, []).append(value)
        report.value = {name: median(values) for name, values in told.items()}
        report.value["repetitions"] = told
        report.ratio = {"limit": round(report.value["p50_ms"] / report.value["limit_ms"], 2)}
        return report


async def _once(made: Places, plan: Plan, seed: int, report: Report) -> dict[str, float]:
    """One stretch of full messages with a burst in the middle, then one of thin messages."""
    burst_seconds = plan.seconds * BURST_SHARE
    settings = await made.empty("livehub")
    async with started.sandbox(settings) as platforms:
        world = await inside(settings, partial(_seeded, platforms.url))
        commit_ms = await inside(settings, _commit_ms)
        steady, burst = (made.folder / name for name in ("steady", "burst"))
        wanted = (int(RATE * plan.seconds), int(RATE * (BURST - 1) * burst_seconds))
        for file, first, count in ((steady, 0, wanted[0]), (burst, 10**6, wanted[1])):
            write_paid(
                file, world.endpoint_key, first=first, count=count, seed=seed + first, on_air=world.on_air
            )
        screen = Screen(array("d"), array("q"))
        async with started.livehub(settings) as service, started.jobs(settings):
            watching = asyncio.create_task(_watch(f"{service.url}/wall/events", world.token, screen))
            await asyncio.sleep(WARM_SECONDS)
            send = partial(started.send, service, connections=plan.connections, seed=seed)
            sending = asyncio.create_task(send(file=steady, count=wanted[0], rate=RATE))
            await asyncio.sleep(plan.seconds / 2)
            more = await send(file=burst, count=wanted[1], rate=RATE * (BURST - 1))
            burst_ended_ms = clock.to_ms(clock.now())
            sent = await sending
            answers = [*sent.statuses, *more.statuses]
            await _until(screen, len(answers))
            sold = await thin.sell(
                world.platform, service, rate=THIN_RATE, seconds=plan.seconds * THIN_SHARE, seed=seed
            )
            await _until(screen, len(answers) + sold)
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
    report.correct &= set(answers) == {200} and bool(screen.orders)
    told = await inside(settings, partial(_judge, report, screen, len(answers), sold, burst_ended_ms))
    limit_ms = 2 * commit_ms + 1000 * (POLL_SECONDS + EVERY_SECONDS) / 2
    return told | {"commit_ms": round(commit_ms, 2), "limit_ms": round(limit_ms, 1)}


async def _seeded(platform_url: str) -> World:
    town = await sales.seed()
    now, password = clock.now(), ids.token()
    await users.create_user(
        "manager",
        password,
        name="基准",
        centre_id=town.centre_id,
        actor=system("bench", centre_id=town.centre_id),
        now=now,
        grants=[Grant(Role.MANAGER)],
    )
    token, _ = await logins.log_in("manager", password, ip="127.0.0.1", agent="bench", now=now)
    platform = await thin.seed(town, url=platform_url)
    return World(town.endpoint_key, token, await sales.shows_on_air(town), platform)


async def _commit_ms() -> float:
    await database.execute("CREATE TABLE bench_commit (n int)")
    took = []
    for number in range(50):
        began = perf_counter()
        await database.execute("INSERT INTO bench_commit VALUES ($1)", number)
        took.append((perf_counter() - began) * 1000)
    return median(took)


def write_paid(
    file: Path, endpoint_key: str, *, first: int, count: int, seed: int, on_air: Sequence[Show] = ()
) -> None:
    """Ready-made deliveries, each of a new paid order; a signature is good for five minutes."""
    dice = Random(seed)

    def requests() -> Iterator[bytes]:
        for number in range(first, first + count):
            now = clock.now()
            body = sales.paid_now(number, dice, at=now, on_air=on_air)
            headers = erp.headers(body, message_id=str(number), secret=sales.SECRET, now_ms=clock.to_ms(now))
            yield wire.post(f"/hooks/{sales.PLATFORM}/{endpoint_key}", body, headers)

    wire.write(file, requests())


async def _watch(url: str, token: str, screen: Screen) -> None:
    timeout = aiohttp.ClientTimeout(total=None)
    cookie = {"Cookie": f"__Host-session={token}"}
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url, headers=cookie) as stream:
        event = b""
        async for chunk in stream.content.iter_any():
            event += chunk
            *whole, event = event.split(b"\n\n")
            for each in whole:
                if found := _ORDERS.search(each.decode()):
                    screen.at_ms.append(clock.to_ms(clock.now()))
                    screen.orders.append(int(found[1].replace(",", "")))


async def _until(screen: Screen, orders: int) -> None:
    for _ in range(SETTLE_SECONDS * 20):
        if screen.orders and screen.orders[-1] >= orders:
            return
        await asyncio.sleep(0.05)


async def _judge(
    report: Report, screen: Screen, sent: int, sold: int, burst_ended_ms: float
) -> dict[str, float]:
    """The n-th order to arrive counts as seen when the wall first shows n; then whether all is booked."""
    rows = await database.fetch(
        "SELECT received_at FROM inbox_delivery WHERE platform = $1 ORDER BY received_at", sales.PLATFORM
    )
    arrived = [row["received_at"] for row in rows]
    waits = _waits(screen, arrived, after=0)
    fetched = await thin.fetched()
    thin_waits = _waits(screen, fetched, after=sent)
    due = bisect_left(arrived, burst_ended_ms)
    at = bisect_left(screen.orders, due)
    gone_s = (screen.at_ms[at] - burst_ended_ms) / 1000 if at < len(screen.orders) else -1.0
    report.correct &= len(waits) == len(arrived) == sent and len(thin_waits) == len(fetched) == sold > 0
    report.correct &= await buckets.check() == []
    told = {
        "p50_ms": round(percentile(waits, 0.5), 1),
        "p99_ms": round(percentile(waits, 0.99), 1),
        "backlog_gone_s": round(gone_s, 2),
        "messages": sent,
        "thin_p50_ms": round(percentile(thin_waits, 0.5), 1),
        "thin_p99_ms": round(percentile(thin_waits, 0.99), 1),
        "thin_orders": sold,
    }
    report.notes += [
        f"{sent:,} messages: p50 {told['p50_ms']} ms, p99 {told['p99_ms']} ms",
        f"the burst's backlog gone after {gone_s:.2f} s",
        f"{sold:,} thin ones from the reply: p50 {told['thin_p50_ms']} ms, p99 {told['thin_p99_ms']} ms",
    ]
    return told


def _waits(screen: Screen, arrived: Sequence[int], *, after: int) -> list[float]:
    """How long each took to be seen, where so many had been sold before; the unseen are left out."""
    return [
        screen.at_ms[at] - arrived[n]
        for n in range(len(arrived))
        if (at := bisect_left(screen.orders, after + n + 1)) < len(screen.orders)
    ]


BENCH = Freshness()
