"""Pushes under way: what was asked for together, how far it is, and how it is stopped."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random

from livehub.sandbox.messages import Message
from livehub.sandbox.pushing import Pusher, arrange
from livehub.sandbox.spec import PushRequest
from livehub.sandbox.store import Store


@dataclass(kw_only=True)
class Run:
    """One push of everything that waited."""

    messages: list[Message]
    task: asyncio.Task[None]


class Runs:
    """Keeps what waits to be pushed and the pushes that are under way."""

    def __init__(self, *, store: Store, pusher: Pusher) -> None:
        self._store = store
        self._pusher = pusher
        self._runs: list[Run] = []
        self._live: set[asyncio.Task[None]] = set()
        self.waiting: list[Message] = []

    def start(self, asked: PushRequest) -> Run:
        """Push everything that waits, in the background."""
        rng = Random(asked.seed)
        messages, self.waiting = self.waiting, []
        deliveries = arrange(messages, asked=asked, shop_of=self._store.shop, rng=rng)
        task = asyncio.create_task(self._pusher.deliver_all(deliveries, asked=asked, rng=rng))
        run = Run(messages=messages, task=task)
        self._runs.append(run)
        task.add_done_callback(lambda _: self._runs.remove(run))
        return run

    def send_now(self, messages: list[Message]) -> asyncio.Task[None]:
        """Push one delivery at once, in the background."""
        task = asyncio.create_task(self._pusher.deliver(messages))
        self._live.add(task)
        task.add_done_callback(self._live.discard)
        return task

    async def stop(self) -> None:
        """Stop all pushes; what is not acknowledged waits again."""
        runs = list(self._runs)
        tasks = [*(run.task for run in runs), *self._live]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for run in runs:
            self.waiting.extend(m for m in run.messages if m.acknowledged_at is None and not m.lost)

    @property
    def under_way(self) -> int:
        """Pushes and single deliveries that are not acknowledged yet."""
        return len(self._runs) + len(self._live)
