"""Many requests, one transaction: nothing is acknowledged before it is on the disk.

A request puts its item into this worker's bounded queue and awaits a future. One flusher task takes
whatever waits (what arrived while the last batch was committing, or a millisecond later), settles it in one
transaction, commits, then resolves the futures. A client that goes away cannot cut a transaction.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from typing import Generic, NamedTuple, TypeVar

import structlog
from prometheus_client import Counter, Gauge, Histogram

from livehub import database
from livehub.kit.errors import Unavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)

BATCH_SIZE = Histogram(
    "livehub_group_commit_batch_size",
    "Items settled in one transaction",
    ["queue"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
SECONDS = Histogram(
    "livehub_group_commit_seconds",
    "Time to settle and commit a batch",
    ["queue"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 15),
)
DEPTH = Gauge(
    "livehub_group_commit_depth", "Items that wait, of all workers", ["queue"], multiprocess_mode="livesum"
)
REFUSED = Counter("livehub_group_commit_refused_total", "Items refused because the queue was full", ["queue"])
FALLBACKS = Counter(
    "livehub_group_commit_fallback_total", "Batches that failed and were settled item by item", ["queue"]
)

ATTEMPTS = 5
# A small batch costs almost as much as a large one. Where the last one was small, the next waits a moment;
# whoever comes alone, and a crowd that fills its batches anyway, is settled at once.
SMALL = 16
LINGER_SECONDS = 0.001
LONG_OUTAGE_SECONDS = 1.0


class Waiting(NamedTuple, Generic[Item, Answer]):
    """An item, who waits for its answer, and on whose behalf: the log bears that request's number."""

    item: Item
    future: asyncio.Future[Answer]
    context: Context


class QueueFull(Unavailable):
    """现在人太多了，请稍后再试。"""

    code = "QUEUE_FULL"


class GroupCommit(Generic[Item, Answer]):
    """A queue of one worker; ``settle`` gets the batch inside a transaction.

    One with ``own_transaction`` gets it outside any, and returns only when it has committed by itself.
    ``settle`` answers one value per item, in order. An exception as a value refuses that item alone; an
    exception raised fails the batch, which is then settled item by item, each in its own transaction.
    """

    def __init__(
        self,
        name: str,
        settle: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]],
        *,
        queue_limit: int,
        batch_limit: int,
        own_transaction: bool = False,
        takes_turns: bool = False,
    ) -> None:
        self.name = name
        self.fallbacks = 0
        self._given = settle
        self._settle = self._whole if own_transaction else database.atomic(self._whole)
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._takes_turns = takes_turns
        self._waiting: deque[Waiting[Item, Answer]] = deque()
        self._arrived = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None
        self._stopping = False
        self._sizes = BATCH_SIZE.labels(name)
        self._seconds = SECONDS.labels(name)
        self._depth = DEPTH.labels(name)

    def start(self) -> None:
        """Start the flusher in the running loop."""
        self._stopping = False
        self._flusher = asyncio.create_task(self._flush_forever(), name=f"group-commit-{self.name}")

    async def stop(self) -> None:
        """Settle what waits, then end; later items are refused. Harmless when called twice."""
        self._stopping = True
        self._arrived.set()
        if self._flusher is not None:
            flusher, self._flusher = self._flusher, None
            await flusher

    async def submit(self, item: Item) -> Answer:
        """Wait until the item is committed; QueueFull when too many wait, DatabaseUnavailable on outage."""
        if self._stopping or self._flusher is None or len(self._waiting) >= self._queue_limit:
            REFUSED.labels(self.name).inc()
            raise QueueFull(retry_after=1)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(item, future, copy_context()))
        self._arrived.set()
        return await future

    @property
    def depth(self) -> int:
        """How many items wait."""
        return len(self._waiting)

    async def _flush_forever(self) -> None:
        size = 0
        most = self._batch_limit
        while True:
            await self._arrived.wait()
            if not self._waiting:
                if self._stopping:
                    return
                self._arrived.clear()
                continue
            if 1 < size < SMALL:
                await asyncio.sleep(LINGER_SECONDS)
            size = min(len(self._waiting), most)
            batch = [self._waiting.popleft() for _ in range(size)]
            self._sizes.observe(size)
            self._depth.set(len(self._waiting))
            began = time.monotonic()
            await self._flush(batch)
            self._seconds.observe(time.monotonic() - began)
            most = self._most(size, came=len(self._waiting))

    def _most(self, size: int, *, came: int) -> int:
        """How many the next batch may have: half, where a server commits and fewer came than were served.

        With ``takes_turns`` also where more came: for a crowd of people, who wait for their answers, and
        not for machines, of which the next come whatever was answered.

        A crowd whose next requests come when its answers went stands in one batch for ever, and we and the
        server take turns at idling. SQLite commits in this process, so that nothing is gained by turns.
        """
        if (came >= size and not self._takes_turns) or database.dialect() == "sqlite":
            return self._batch_limit
        return min(self._batch_limit, max(SMALL, (size + came + 1) // 2))

    async def _flush(self, batch: list[Waiting[Item, Answer]]) -> None:
        began = time.monotonic()
        try:
            answers = await self._commit([each.item for each in batch])
        except Unavailable as error:
            if time.monotonic() - began >= LONG_OUTAGE_SECONDS:  # who waits would wait as long for the same
                batch = [*batch, *self._waiting]
                self._waiting.clear()
            log.warning("group_commit.unavailable", queue=self.name, size=len(batch), error=repr(error))
            for each in batch:
                _resolve(each.future, error)
        except Exception as error:  # noqa: BLE001 -- told in the item's own name
            if len(batch) == 1:
                batch[0].context.run(_tell, self.name, error)
                _resolve(batch[0].future, error)
                return
            self.fallbacks += 1
            FALLBACKS.labels(self.name).inc()
            log.warning("group_commit.batch_failed", queue=self.name, size=len(batch), error=repr(error))
            for each in batch:
                await self._flush([each])
        else:
            for each, answer in zip(batch, answers, strict=True):
                _resolve(each.future, answer)

    async def _whole(self, items: list[Item]) -> Sequence[Answer | Exception]:
        answers = await self._given(items)
        if len(answers) != len(items):  # else the flusher would die of it
            raise RuntimeError(f"{len(answers)} answers to {len(items)} items")
        return answers

    async def _commit(self, items: list[Item]) -> Sequence[Answer | Exception]:
        for attempt in range(ATTEMPTS):
            try:
                return await self._settle(items)
            except database.Contention:
                if attempt == ATTEMPTS - 1:
                    raise
                await asyncio.sleep(0.005 * 2**attempt)
        raise AssertionError


def _tell(queue: str, error: Exception) -> None:
    log.error("group_commit.item_failed", queue=queue, exc_info=error)


def _resolve(future: asyncio.Future[Answer], answer: Answer | Exception) -> None:
    if future.done():  # the client went away; what was committed stays committed
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
