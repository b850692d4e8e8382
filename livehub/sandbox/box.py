"""One sandbox: its truth, its pushes, its live producers and its count of API calls."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from livehub.kit import clock
from livehub.sandbox.live import Producer
from livehub.sandbox.messages import Message
from livehub.sandbox.orders import Order
from livehub.sandbox.pushing import Pace, Pusher
from livehub.sandbox.runs import Runs
from livehub.sandbox.spec import LiveRequest, OrdersRequest, StepsRequest
from livehub.sandbox.store import Store


class Box:
    """Made inside a running loop; ``base_url`` is known once it is served."""

    def __init__(self, *, pace: Pace) -> None:
        self.base_url = ""
        self.store = Store(now_ms=_now_ms())
        self.pusher = Pusher(self.store.shop, pace=pace)
        self.runs = Runs(store=self.store, pusher=self.pusher)
        self.producers: dict[str, Producer] = {}
        self.api_calls: Counter[str] = Counter()

    def create(self, asked: OrdersRequest) -> tuple[list[Order], list[Message]]:
        """Create orders; what there is to tell waits for the next push."""
        rng = Random(asked.seed)
        orders, messages = self.store.create(asked.orders, rng=rng, now_ms=_now_ms())
        self.runs.waiting.extend(messages)
        return orders, messages

    def take_steps(self, asked: StepsRequest) -> tuple[list[Order], list[Message]]:
        """Let more happen to orders; what there is to tell waits for the next push."""
        orders, messages = self.store.take_steps(asked.steps)
        self.runs.waiting.extend(messages)
        return orders, messages

    async def go_live(self, asked: LiveRequest) -> Producer:
        """Start a producer in the place of the shop's former one."""
        self.store.shop(asked.shop)
        await self.stop_live(asked.shop)
        producer = Producer(asked=asked, store=self.store, runs=self.runs, started_at=_now_ms())
        self.producers[asked.shop] = producer
        producer.start()
        return producer

    async def stop_live(self, shop_ref: str = "") -> None:
        """Stop one shop's producer, or all."""
        for ref, producer in self.producers.items():
            if shop_ref in ("", ref):
                await producer.stop()

    def status(self) -> dict[str, Any]:
        """How far the telling is; idle means that nothing more will be sent by itself."""
        messages = self.store.messages
        live = [producer.as_json() for producer in self.producers.values()]
        return {
            "idle": not (self.runs.waiting or self.runs.under_way or any(one["running"] for one in live)),
            "orders": len(self.store.orders),
            "messages": len(messages),
            "waiting": len(self.runs.waiting),
            "under_way": self.runs.under_way,
            "acknowledged": len(self.pusher.log),
            "lost": sum(message.lost for message in messages),
            "deliveries": self.pusher.counts["deliveries"],
            "attempts": self.pusher.counts["attempts"],
            "duplicates": self.pusher.counts["duplicates"],
            "answers": dict(self.pusher.answers),
            "ack_latency_ms": self.pusher.latencies(),
            "api_calls": dict(self.api_calls),
            "live": live,
        }

    async def close(self) -> None:
        """Stop producing and pushing, and close the connections."""
        await self.stop_live()
        await self.runs.stop()
        await self.pusher.close()


def _now_ms() -> int:
    return clock.to_ms(clock.now())
