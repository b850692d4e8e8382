"""Orders in real time: paid as they are placed, some of them refunded a little later."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Any

from livehub.kit import clock
from livehub.sandbox.messages import Message
from livehub.sandbox.orders import Order
from livehub.sandbox.runs import Runs
from livehub.sandbox.spec import LiveRequest, OrderSpec, RefundSpec, StepSpec
from livehub.sandbox.store import Store

MOST_UNDER_WAY = 256  # deliveries; a receiver that is slower than this slows the producer


@dataclass(kw_only=True)
class Producer:
    """One shop's stream of orders."""

    asked: LiveRequest
    store: Store
    runs: Runs
    started_at: int
    orders: int = 0
    refunds: int = 0
    task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Still producing; its deliveries may go on for a while after."""
        return self.task is not None and not self.task.done()

    def start(self) -> None:
        """Begin to produce in the background."""
        self.task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Produce no more; what was produced is still delivered."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    def as_json(self) -> dict[str, Any]:
        """What it did so far, and what broke it if anything did."""
        done = self.task is not None and self.task.done() and not self.task.cancelled()
        error = self.task.exception() if self.task is not None and done else None
        return {
            "shop": self.asked.shop,
            "orders_per_second": self.asked.orders_per_second,
            "running": self.is_running,
            "started_at_ms": self.started_at,
            "orders": self.orders,
            "refunds": self.refunds,
            "error": None if error is None else repr(error),
        }

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._produce(group))

    async def _produce(self, group: asyncio.TaskGroup) -> None:
        rng = Random(self.asked.seed or self.started_at)
        loop = asyncio.get_running_loop()
        ends = loop.time() + self.asked.seconds if self.asked.seconds is not None else None
        due = loop.time()
        while True:
            due += rng.expovariate(self.asked.orders_per_second)
            if ends is not None and due >= ends:
                return
            await asyncio.sleep(max(0.0, due - loop.time()))
            while self.runs.under_way >= MOST_UNDER_WAY:  # noqa: ASYNC110 -- a full house has no event of its own
                await asyncio.sleep(0.01)
            order = self._order(rng)
            if rng.random() < self.asked.refund_rate:
                group.create_task(self._refund(order, rng))

    def _order(self, rng: Random) -> Order:
        asked, now_ms = self.asked, _now_ms()
        spec = OrderSpec(
            shop=asked.shop,
            created_at_ms=now_ms - rng.randint(1_000, 20_000),
            paid_at_ms=now_ms,
            room_ref=asked.room_ref,
            author_ref=asked.author_ref,
            author_name=asked.author_name,
            broadcast_ref=asked.broadcast_ref,
        )
        (order,), messages = self.store.create([spec], rng=rng, now_ms=now_ms)
        self.orders += 1
        self._send(messages, rng)
        return order

    async def _refund(self, order: Order, rng: Random) -> None:
        await asyncio.sleep(rng.uniform(*self.asked.refund_after_ms) / 1000)
        line = rng.randrange(len(order.lines))
        paid = order.lines[line].buyer_paid_fen
        cash = None if rng.random() < 0.7 else rng.randint(0, paid)
        wanted = RefundSpec(line=line, cash_fen=cash, applied_at_ms=_now_ms())
        (order,), messages = self.store.take_steps([StepSpec(order_ref=order.order_ref, refunds=[wanted])])
        self._send(messages, rng)
        await asyncio.sleep(rng.uniform(1.0, 3.0))
        step = StepSpec(order_ref=order.order_ref, succeed={order.refunds[-1].refund_ref: _now_ms()})
        _, messages = self.store.take_steps([step])
        self._send(messages, rng)
        self.refunds += 1

    def _send(self, messages: list[Message], rng: Random) -> None:
        packs = (
            [messages] if self.store.shop(self.asked.shop).platform == "doudian" else [[m] for m in messages]
        )
        for pack in packs:
            if self.asked.loss and rng.random() < self.asked.loss:
                for message in pack:
                    message.lost = True
                continue
            self.runs.send_now(pack)
            if rng.random() < self.asked.duplicates:
                self.runs.send_now(pack)


def _now_ms() -> int:
    return clock.to_ms(clock.now())
