"""A bounded load over real HTTP that behaves like platforms and people: it repeats what was not answered.

Orders are pushed at a steady pace whether or not they are answered; each delivery is repeated on a 5xx, a
429 or a broken connection until it is acknowledged, a part of them once more for good measure, and orders
already pushed are refunded in part. People claim, look at their voucher and have it redeemed. Everything
acknowledged is noted by the recorder, and nothing else is.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import random
import re
import statistics
import sys
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from time import monotonic
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from livehub.kit import clock
from tests.faults.recorder import Claimed, Delivered, Held, Recorder, Redeemed
from tests.faults.town import FACE_FEN, THRESHOLD_FEN, Shopper, Town

WINDOW_SECONDS = 0.5
# Of the pace before a fault. What shares its cores with other tests is held to less: a timed test is no benchmark.
BACK = 0.95 if os.environ.get("LIVEHUB_FAULTS_LONG") else 0.75
IN_FLIGHT = 64
WAITING = 2000  # as many senders may be waiting for an answer; more would be no outage but a siege
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 1.0
ANSWER_SECONDS = 10.0
GIVE_UP_SECONDS = 90.0
REPEATED, REFUNDED = 0.05, 0.10  # of the deliveries
BY_ORDER, AT_TILL = 0.4, 0.4  # of the vouchers
PAID_AT_MS = clock.to_ms(clock.now())  # one day for all, whenever they are sent

_CODE = re.compile(r'data-code="([^"]+)".*?<p class="mono[^>]*>([^<]+)</p>', re.DOTALL)


def chosen_seed() -> int:
    """The seed of LIVEHUB_FAULTS_SEED, else a new one; printed either way, so that a failure is replayed."""
    seed = int(os.environ.get("LIVEHUB_FAULTS_SEED", "") or random.SystemRandom().randrange(10**9))
    print(f"LIVEHUB_FAULTS_SEED={seed}", file=sys.stderr)
    return seed


class Answer(Struct, frozen=True):
    """What came back of one request."""

    status: int
    text: str
    location: str = ""


class Load:
    """One run of senders; made by ``pushing``."""

    def __init__(
        self,
        urls: Sequence[str],
        town: Town,
        recorder: Recorder,
        session: aiohttp.ClientSession,
        *,
        seed: int,
    ) -> None:
        self.acknowledged_at: list[float] = []
        self.begun_at: list[float] = []
        self.errors: list[str] = []  # answers that no fault excuses
        self.troubles: dict[str, int] = {}  # why requests had to be repeated
        self._urls = urls
        self._town = town
        self._recorder = recorder
        self._session = session
        self._chance = random.Random(seed)
        self._gate = asyncio.Semaphore(IN_FLIGHT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._paid: list[tuple[str, int]] = []
        self._orders = 0
        self._last_ms = 0
        self._paces: list[asyncio.Task[None]] = []

    # The pace

    def start(self, *, per_second: float, claims_per_second: float) -> None:
        """Begin to push, and to claim where wanted, until ``finish``."""
        self._paces.append(asyncio.create_task(self._keep_pace(per_second, self._next_delivery)))
        if claims_per_second:
            self._paces.append(asyncio.create_task(self._claim(per_second=claims_per_second)))

    async def finish(self) -> None:
        """Send nothing new and wait until everything that was sent is acknowledged, or given up."""
        for pace in self._paces:
            pace.cancel()
        await asyncio.gather(*self._paces, return_exceptions=True)
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _claim(self, *, per_second: float) -> None:
        """Let one person after the other claim, and half of them redeem, until all have."""
        waiting = iter(self._town.shoppers)

        def next_person() -> Any:
            person = next(waiting, None)
            return None if person is None else self._visit(person)

        await self._keep_pace(per_second, next_person)

    async def _keep_pace(self, per_second: float, begin: Callable[[], Any]) -> None:
        due = monotonic()
        while True:
            due = max(
                due + 1 / per_second, monotonic() - 0.1
            )  # a sender that was late does not catch up at once
            await asyncio.sleep(max(0.0, due - monotonic()))
            if len(self._tasks) >= WAITING:
                continue
            work = begin()
            if work is None:
                return
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.errors.append(repr(error))

    @property
    def unanswered(self) -> int:
        """How much was sent and is not acknowledged yet."""
        return len(self._tasks)

    # What was reached

    def per_second(self, since: float, until: float | None = None) -> float:
        """The median of acknowledged deliveries a second over windows of half a second."""
        return self._median(self.acknowledged_at, since, until)

    def _median(self, moments: list[float], since: float, until: float | None) -> float:
        until = monotonic() if until is None else until
        count = int((until - since) / WINDOW_SECONDS)
        windows = [0] * count
        for at in moments:
            window = int((at - since) / WINDOW_SECONDS)
            if at >= since and window < count:
                windows[window] += 1
        return statistics.median(windows) / WINDOW_SECONDS if windows else 0.0

    async def steady(self, seconds: float) -> float:
        """Let it run so long; what was acknowledged a second."""
        since = monotonic()
        await asyncio.sleep(seconds)
        return self.per_second(since)

    async def reaches(self, rate: float, *, share: float = BACK, within_seconds: float = 3.0) -> None:
        """The pace is back within so many seconds from now: the median of the windows after them has it.

        More than is begun in that time cannot be acknowledged in it, so a lucky second before the fault does not
        count; but then hardly anything may wait.
        """
        await asyncio.sleep(within_seconds)
        seen = 0.0
        for _ in range(3):  # on a shared machine a neighbour may take a few seconds: look thrice
            since = monotonic()
            seen = await self.steady(2.5)
            begun = self._median(self.begun_at, since, None)
            if seen >= share * (min(rate, begun) if self.unanswered < WAITING / 10 else rate):
                print(f"{seen:.0f} a second after the fault, {rate:.0f} before it", file=sys.stderr)
                return
        raise AssertionError(f"{seen:.0f} a second after the fault, {rate:.0f} before it")

    # Orders

    def _next_delivery(self) -> Any:
        self.begun_at.append(monotonic())
        now_ms = self._now_ms()
        if self._paid and self._chance.random() < REFUNDED:
            order, fen = self._paid.pop(self._chance.randrange(len(self._paid)))
            refunded = self._chance.randrange(1, fen + 1)
            return self._deliver(self._delivery(order, fen, refunded, now_ms=now_ms))
        self._orders += 1
        order, fen = f"O{self._orders:06d}", self._chance.randrange(100, 100_000)
        self._paid.append((order, fen))
        return self._deliver(self._delivery(order, fen, 0, now_ms=now_ms))

    def _now_ms(self) -> int:
        """No two deliveries are of one instant: which is the newer one must be clear."""
        self._last_ms = max(clock.to_ms(clock.now()), self._last_ms + 1)
        return self._last_ms

    def _delivery(self, order: str, fen: int, refunded: int, *, now_ms: int) -> Delivered:
        body = an_order(self._town.shop_ref, order, paid_fen=fen, refunded_fen=refunded, at_ms=now_ms)
        kind = "refund" if refunded else "paid"
        return Delivered(f"{order}-{kind}", order, now_ms, fen, refunded, body)

    async def _deliver(self, what: Delivered) -> None:
        times = 2 if self._chance.random() < REPEATED else 1
        path = f"/hooks/standard_webhooks/{self._town.endpoint_key}"
        for _ in range(times):
            answer = await self._ask(
                "POST", path, headers=lambda: signed(what, self._town), data=what.body.encode()
            )
            if answer is None or answer.status != 200:
                self.errors.append(f"delivery {what.id}: {answer}")
                return
            self._recorder.note(what)
            self.acknowledged_at.append(monotonic())

    # Vouchers

    async def _visit(self, person: Shopper) -> None:
        key = f"k{person.number}"
        path = f"/c/{self._town.slug}"
        form = {"csrf": person.csrf, "key": key}
        answer = await self._ask(
            "POST", f"{path}/claim", headers=lambda: {"cookie": person.cookie}, data=form
        )
        if answer is None or answer.status not in (303, 409):
            self.errors.append(f"claim {key}: {answer}")
            return
        self._recorder.note(Claimed(key, person.number, "given" if answer.status == 303 else "refused"))
        if answer.status != 303:
            return
        seen = await self._ask("GET", f"{path}/mine", headers=lambda: {"cookie": person.cookie})
        found = _CODE.search(seen.text) if seen else None
        if found is None:
            self.errors.append(f"the voucher of {key} is not shown: {seen.status if seen else seen}")
            return
        voucher, code = found[1], re.sub(r"\W", "", found[2])
        self._recorder.note(Held(person.number, voucher))
        where = self._chance.random()
        if where < BY_ORDER:
            await self._deliver(self._order_with(voucher, code, person))
        elif where < BY_ORDER + AT_TILL:
            await self._redeem(person, code)

    def _order_with(self, voucher: str, code: str, person: Shopper) -> Delivered:
        """An order that the code is used on: the platform gives the face, the outbox brings it to the voucher."""
        order, paid_fen, now_ms = f"V{person.number:06d}", THRESHOLD_FEN, self._now_ms()
        body = an_order(
            self._town.shop_ref, order, paid_fen=paid_fen, refunded_fen=0, at_ms=now_ms,
            paid_at_ms=now_ms, voucher_code=code, subsidy_fen=FACE_FEN,
        )  # fmt: skip
        return Delivered(f"{order}-paid", order, now_ms, paid_fen, 0, body, voucher)

    async def _redeem(self, person: Shopper, code: str) -> None:
        key = f"r{person.number}"
        tap = {
            "code": code,
            "order_fen": self._chance.randrange(THRESHOLD_FEN, 2 * THRESHOLD_FEN),
            "receipt_no": f"R{person.number}",
            "phone_tail": person.phone_tail,
        }
        headers = {
            "authorization": f"Bearer {self._town.till_token}",
            "content-type": "application/json",
            "idempotency-key": key,
        }
        answer = await self._ask(
            "POST", "/api/v1/redemptions", headers=lambda: headers, data=msgspec.json.encode(tap)
        )
        if answer is None or answer.status not in (200, 201):
            self.errors.append(f"redemption {key}: {answer}")
            return
        done = msgspec.json.decode(answer.text)
        self._recorder.note(Redeemed(key, done["id"], done["voucher"], done["subsidy_fen"]))

    # One request, until it is answered

    async def _ask(
        self, method: str, path: str, *, headers: Callable[[], dict[str, str]], data: Any = None
    ) -> Answer | None:
        """Repeat on 5xx, 429 and broken connections with growing waits; None when given up."""
        until, wait = monotonic() + GIVE_UP_SECONDS, FIRST_WAIT_SECONDS
        while monotonic() < until:
            trouble = ""
            try:
                async with (
                    self._gate,
                    self._session.request(
                        method,
                        self._chance.choice(self._urls) + path,
                        headers=headers(),
                        data=data,
                        allow_redirects=False,
                    ) as got,
                ):
                    answer = Answer(got.status, await got.text(), got.headers.get("location", ""))
                if answer.status < 500 and answer.status != 429:
                    return answer
                trouble = str(answer.status)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                trouble = type(error).__name__
            self.troubles[trouble] = self.troubles.get(trouble, 0) + 1
            await asyncio.sleep(wait * (0.5 + self._chance.random() / 2))
            wait = min(LONGEST_WAIT_SECONDS, wait * 2)
        return None


def signed(what: Delivered, town: Town) -> dict[str, str]:
    """Signed at every attempt, as the standard wants it: the id stays, the time moves."""
    stamp = str(clock.to_ms(clock.now()) // 1000)
    key = b64decode(town.secret.removeprefix("whsec_"))
    mac = hmac.digest(key, f"{what.id}.{stamp}.{what.body}".encode(), sha256)
    return {
        "content-type": "application/json",
        "webhook-id": what.id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{b64encode(mac).decode()}",
    }


def an_order(
    shop_ref: str,
    order: str,
    *,
    paid_fen: int,
    refunded_fen: int,
    at_ms: int,
    paid_at_ms: int = PAID_AT_MS,
    voucher_code: str = "",
    subsidy_fen: int = 0,
) -> str:
    """A whole order of one line in our canonical form, paid now or refunded in part."""
    at, paid_at = clock.from_ms(at_ms).isoformat(), clock.from_ms(paid_at_ms).isoformat()
    line = {
        "line_ref": "1",
        "quantity": 1,
        "list_fen": paid_fen + subsidy_fen,
        "voucher_subsidy_fen": subsidy_fen,
        "buyer_paid_fen": paid_fen,
    }
    refund = {
        "refund_ref": f"R{order}",
        "line_ref": "1",
        "kind": "refund_only",
        "status": "succeeded",
        "applied_fen": refunded_fen,
        "refunded_fen": refunded_fen,
        "applied_at": at,
        "succeeded_at": at,
        "updated_at": at,
    }
    data = {
        "shop_ref": shop_ref,
        "order_ref": order,
        "status": "paid",
        "currency": "CNY",
        "created_at": paid_at,
        "paid_at": paid_at,
        "updated_at": at,
        "voucher_code": voucher_code,
        "lines": [line],
        "refunds": [refund] if refunded_fen else [],
    }
    kind = "refund.succeeded" if refunded_fen else "order.paid"
    return msgspec.json.encode({"type": kind, "timestamp": at, "data": data}).decode()


@asynccontextmanager
async def pushing(
    urls: Sequence[str],
    town: Town,
    recorder: Recorder,
    *,
    seed: int,
    per_second: float = 100.0,
    claims_per_second: float = 0.0,
) -> AsyncIterator[Load]:
    """Push while the block runs; at its end wait until everything sent is acknowledged."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with aiohttp.ClientSession(
        timeout=timeout, connector=aiohttp.TCPConnector(limit=IN_FLIGHT), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        load = Load(urls, town, recorder, session, seed=seed)
        load.start(per_second=per_second, claims_per_second=claims_per_second)
        try:
            yield load
        finally:
            await load.finish()
            print(f"repeated because of {load.troubles}", file=sys.stderr)
