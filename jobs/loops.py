"""The loops of the jobs process: each polls, is started again when it fails, and shows how it fares.

One failing loop never stops the others, and none of them ends because the database went away: a loop
waits and tries again until it is told to stop, and then finishes the batch it has in hand.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import structlog
from msgspec import Struct
from prometheus_client import Counter

from livehub import database
from livehub.accounts import chain
from livehub.database import DatabaseUnavailable
from livehub.inbox import queue
from livehub.kit import clock, leases, outbox
from livehub.kit.heads import LOOKING_SHARE, Head
from livehub.notices import sending
from livehub.orders import cursors, fetching, intake
from livehub.orders.fetching import Fetcher
from livehub.orders.pulling import Puller
from livehub.reports import packing

log = structlog.get_logger(__name__)

IDLE_SECONDS = 0.03
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0
LONGEST_OUTAGE_WAIT_SECONDS = 2.0  # a database that comes back is noticed soon
BEAT_SECONDS = 1.0
PACK_SECONDS = 1.0  # somebody looks on while her report's pack is made
PULL_SECONDS = 0.5  # a window is hours late before anybody notices half a second
TAKE_BACK_SECONDS = 5.0  # and oftener where leases are short
NOTE_LENGTH = 500

DONE = Counter("livehub_loop_items_total", "What the loops have done", ["loop"])
FAILURES = Counter("livehub_loop_failures_total", "Rounds of a loop that failed", ["loop"])


class Loop(Struct, frozen=True):
    """Work that never ends: ``step`` does a batch and says how much it did, 0 when nothing waited."""

    name: str
    step: Callable[[], Awaitable[int]]
    idle_seconds: float = IDLE_SECONDS


class Health(Struct):
    """How a loop fares in this process."""

    name: str
    rounds: int = 0
    failures: int = 0  # in a row
    note: str = ""


class Loops:
    """Runs loops side by side until told to stop."""

    def __init__(self, loops: Sequence[Loop], *, first_wait_seconds: float = FIRST_WAIT_SECONDS) -> None:
        self.health = {loop.name: Health(loop.name) for loop in loops}
        self._loops = loops
        self._first_wait_seconds = first_wait_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Run every loop until ``stop`` is set and each has finished what it has in hand."""
        works = [self._supervise(loop, stop) for loop in self._loops]
        await asyncio.gather(self._beat_on(stop), *works)

    async def _supervise(self, loop: Loop, stop: asyncio.Event) -> None:
        structlog.contextvars.bind_contextvars(loop=loop.name)  # this task's alone: gather makes one of each
        health = self.health[loop.name]
        while not stop.is_set():
            try:
                await self._go_on(loop, health, stop)
            except Exception as error:
                health.failures += 1
                health.note = f"{type(error).__name__}: {error}"[:NOTE_LENGTH]
                FAILURES.labels(loop.name).inc()
                wait = self._wait(error, health.failures)
                if isinstance(error, DatabaseUnavailable):
                    log.warning("loop.database_away", wait=wait)
                else:
                    log.exception("loop.failed", failures=health.failures, wait=wait)
                await told_within(stop, seconds=wait)

    async def _go_on(self, loop: Loop, health: Health, stop: asyncio.Event) -> None:
        while not stop.is_set():
            done = await loop.step()
            health.rounds += 1
            health.failures, health.note = 0, ""
            if done:
                DONE.labels(loop.name).inc(done)
                await asyncio.sleep(0)  # a loop that always has work leaves the others their turn
            else:
                await told_within(stop, seconds=loop.idle_seconds)

    def _wait(self, error: Exception, failures: int) -> float:
        is_outage = isinstance(error, DatabaseUnavailable)
        longest = LONGEST_OUTAGE_WAIT_SECONDS if is_outage else LONGEST_WAIT_SECONDS
        return min(longest, self._first_wait_seconds * float(2 ** min(failures - 1, 20)))

    async def _beat_on(self, stop: asyncio.Event) -> None:
        """Write the signs of life of those loops that had one, in one statement a second."""
        seen: dict[str, tuple[int, int]] = {}
        while not await told_within(stop, seconds=BEAT_SECONDS):
            signs = {each.name: (each.rounds, each.failures) for each in self.health.values()}
            alive = [self.health[name] for name, sign in signs.items() if seen.get(name) != sign]
            try:
                await beat(alive)
            except DatabaseUnavailable:
                continue  # the loops themselves tell
            except Exception:
                log.exception("loop.beat_failed")
                continue
            seen = signs


async def beat(alive: Sequence[Health]) -> None:
    """Write signs of life at the database's own time."""
    now = queue.database_now()
    await database.with_rows(
        {"name": "text", "pid": "int", "failures": "int", "note": "text"},
        sorted((each.name, os.getpid(), each.failures, each.note) for each in alive),
        "INSERT INTO loop_beat (name, at, pid, failures, note)"
        f" SELECT name, {now}, pid, failures, note FROM v WHERE true ON CONFLICT (name) DO UPDATE"
        " SET at = excluded.at, pid = excluded.pid, failures = excluded.failures, note = excluded.note",
    )


async def told_within(stop: asyncio.Event, *, seconds: float) -> bool:
    """Sleep unless told to stop; whether it was."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    return stop.is_set()


def every_loop(*, fetcher: Fetcher, puller: Puller, lease_seconds: int) -> list[Loop]:
    """The loops of an installation."""
    take_back = _TakeBack(every_seconds=min(TAKE_BACK_SECONDS, lease_seconds / 6))
    once = _Inheritance()
    inbox_head, outbox_head = Head(), Head()

    async def take_in() -> int:
        await once("intake", queue.inherit)
        await take_back.now_and_then()
        return await intake.run_once(now=clock.now(), lease_seconds=lease_seconds, head=inbox_head)

    async def fetch() -> int:
        await once("fetch", fetching.inherit)
        return await fetcher.begin()

    async def pull() -> int:
        await once("pull", cursors.inherit)
        return await puller.begin()

    async def hand_out() -> int:
        await once("outbox", outbox.inherit)
        return await outbox.hand_out(
            now=clock.now(), lease=timedelta(seconds=lease_seconds), head=outbox_head
        )

    async def deliver() -> int:
        return await sending.deliver_waiting(clock.now())

    async def link() -> int:
        return await chain.chain_tail(clock.now())

    async def pack() -> int:
        return await packing.build_next(now=clock.now())

    return [
        Loop("intake", take_in),
        Loop("fetch", fetch),
        Loop("pull", pull, idle_seconds=PULL_SECONDS),
        Loop("outbox", hand_out),
        Loop("notices", deliver),
        Loop("audit chain", link, idle_seconds=1.0),
        Loop("packs", pack, idle_seconds=PACK_SECONDS),
    ]


class _Inheritance:
    """Before a loop takes its first rows: what a dead process held from our seat is free again."""

    def __init__(self) -> None:
        self._open = {"intake", "fetch", "pull", "outbox"} if leases.has_seat() else set()

    async def __call__(self, loop: str, inherit: Callable[[], Awaitable[int]]) -> None:
        if loop in self._open:
            count = await inherit()
            self._open.discard(loop)
            if count:
                log.warning("loop.inherited", rows=count)


class _TakeBack:
    """Messages whose worker died come back every few seconds, more rarely when looking takes long."""

    def __init__(self, *, every_seconds: float) -> None:
        self._every_seconds = every_seconds
        self._next = 0.0

    async def now_and_then(self) -> None:
        began = time.monotonic()
        if began >= self._next:
            self._next = began + self._every_seconds  # even when it fails
            count = await queue.take_back_expired()
            took = time.monotonic() - began
            self._next = began + max(self._every_seconds, took / LOOKING_SHARE)
            if count:
                log.warning("intake.leases_expired", messages=count)
