"""Push messages until each is acknowledged: batches, copies, back-off, and the count of it all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random

import aiohttp

from livehub.kit import clock
from livehub.sandbox import doudian, erp, kuaishou, wechat_store
from livehub.sandbox.messages import Message
from livehub.sandbox.spec import PushRequest, ShopSpec

MAX_RETRY_AFTER = 60.0  # seconds; whoever asks for more gets another attempt anyway


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How patiently a delivery is repeated."""

    first_delay: float = 0.2  # seconds, doubled after each failure
    longest_delay: float = 5.0
    timeout: float = 5.0  # 抖店 waits five seconds for its answer


class Pusher:
    """Sends deliveries and keeps count; one for the whole sandbox."""

    def __init__(self, shop_of: Callable[[str], ShopSpec], *, pace: Pace, connections: int = 256) -> None:
        self._shop_of = shop_of
        self._pace = pace
        self._jitter = Random(0)
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=pace.timeout),
            connector=aiohttp.TCPConnector(limit=connections),
        )
        self.counts: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()  # HTTP status, or what went wrong
        self.log: list[Message] = []  # in the order of their first acknowledgement

    async def deliver(self, messages: list[Message]) -> None:
        """Send one delivery and repeat it until it is acknowledged."""
        failures = 0
        while True:
            wait = await self._attempt(messages)
            if wait is None:
                return
            delay = min(self._pace.longest_delay, self._pace.first_delay * 2 ** min(failures, 16))
            failures += 1
            await asyncio.sleep(max(wait, delay * self._jitter.uniform(0.5, 1.0)))

    async def deliver_all(
        self, deliveries: Iterable[list[Message]], *, asked: PushRequest, rng: Random
    ) -> None:
        """Send many deliveries, so many at a time."""
        waiting = iter(deliveries)

        async def work() -> None:
            for messages in waiting:
                if asked.delay_ms[1]:
                    await asyncio.sleep(rng.uniform(*asked.delay_ms) / 1000)
                await self.deliver(messages)

        async with asyncio.TaskGroup() as group:
            for _ in range(asked.concurrency):
                group.create_task(work())

    def latencies(self) -> dict[str, float | None]:
        """How long the first acknowledged attempt of a message took, in milliseconds."""
        sorted_ms = sorted(message.latency_ms for message in self.log if message.latency_ms is not None)
        if not sorted_ms:
            return {"p50": None, "p99": None, "max": None}
        picks = {"p50": len(sorted_ms) // 2, "p99": len(sorted_ms) * 99 // 100, "max": len(sorted_ms) - 1}
        return {name: round(sorted_ms[i], 2) for name, i in picks.items()}

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _attempt(self, messages: list[Message]) -> float | None:
        """Try once: None when acknowledged, else the seconds the receiver asked us to wait."""
        shop = self._shop_of(messages[0].shop_ref)
        query, body, headers = _request(messages, shop)
        self.counts["attempts"] += 1
        for message in messages:
            message.attempts += 1
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with self._session.post(
                shop.hook_url, params=query, data=body, headers=headers, allow_redirects=False
            ) as answer:
                text = await answer.read()
                self.answers[str(answer.status)] += 1
                if _is_acknowledged(shop, answer.status, text):
                    self._acknowledge(messages, latency_ms=(loop.time() - started) * 1000)
                    return None
                return _retry_after(answer.headers.get("Retry-After", ""))
        except TimeoutError:
            self.answers["timeout"] += 1
        except aiohttp.ClientError:
            self.answers["unreachable"] += 1
        return 0.0

    def _acknowledge(self, messages: list[Message], *, latency_ms: float) -> None:
        now_ms = clock.to_ms(clock.now())
        self.counts["deliveries"] += 1
        for message in messages:
            message.copies += 1
            if message.acknowledged_at is None:
                message.acknowledged_at = now_ms
                message.latency_ms = latency_ms
                self.log.append(message)
            else:
                self.counts["duplicates"] += 1


def arrange(
    messages: list[Message], *, asked: PushRequest, shop_of: Callable[[str], ShopSpec], rng: Random
) -> list[list[Message]]:
    """Lose some, copy some, order them and pack them into deliveries."""
    for message in messages:
        message.lost = rng.random() < asked.loss
    kept = sorted((message for message in messages if not message.lost), key=lambda message: message.at)
    copies = [message for message in kept if rng.random() < asked.duplicates]
    if asked.shuffle:
        kept += copies
        rng.shuffle(kept)
    else:
        for message in copies:
            kept.insert(rng.randrange(len(kept) + 1), message)
    return list(_packed(kept, asked=asked, shop_of=shop_of, rng=rng))


def _packed(
    messages: list[Message], *, asked: PushRequest, shop_of: Callable[[str], ShopSpec], rng: Random
) -> Iterator[list[Message]]:
    smallest, largest = asked.batch
    open_packs: dict[tuple[str, str, str], tuple[int, list[Message]]] = {}
    for message in messages:
        shop = shop_of(message.shop_ref)
        if shop.platform != "doudian":
            yield [message]
            continue
        app = (shop.hook_url, shop.app_key, shop.secret)
        size, pack = open_packs.setdefault(app, (rng.randint(smallest, largest), []))
        pack.append(message)
        if len(pack) >= size:
            yield pack
            del open_packs[app]
    yield from (pack for _, pack in open_packs.values())


def _request(messages: list[Message], shop: ShopSpec) -> tuple[dict[str, str], bytes, dict[str, str]]:
    """Query, body and headers of one attempt."""
    if shop.platform == "doudian":
        body = doudian.envelope([message.body for message in messages])
        return {}, body, doudian.headers(body, app_key=shop.app_key, app_secret=shop.secret)
    (message,) = messages
    if shop.platform == "kuaishou":
        body = kuaishou.body(message.body, app_key=shop.app_key, secret=shop.secret)
        return {}, body, {"content-type": "text/plain;charset=utf-8"}
    now_ms = clock.to_ms(clock.now())
    if shop.platform == "wechat_store":
        return wechat_store.delivery(message.body, shop=shop, now_ms=now_ms)
    headers = erp.headers(message.body, message_id=message.message_id, secret=shop.secret, now_ms=now_ms)
    return {}, message.body, headers


def _is_acknowledged(shop: ShopSpec, status: int, body: bytes) -> bool:
    if shop.platform == "doudian":
        return doudian.is_acknowledged(status, body)
    if shop.platform == "wechat_store":
        return wechat_store.is_acknowledged(status, body)
    if shop.platform == "kuaishou":
        return kuaishou.is_acknowledged(status, body)
    return erp.is_acknowledged(status)


def _retry_after(header: str) -> float:
    try:
        return min(max(float(header), 0.0), MAX_RETRY_AFTER)
    except ValueError:
        return 0.0
