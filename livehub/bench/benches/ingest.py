"""Signed 抖店 webhooks through the full public route, against a bare route and one ORM transaction each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random

from msgspec import Struct

from livehub import database
from livehub.accounts import users
from livehub.accounts.actors import system
from livehub.bench import started, wire
from livehub.bench.contract import Plan, Report, percentile, ratio
from livehub.bench.places import Places, inside, places
from livehub.bench.started import Sent, Service
from livehub.kit import clock
from livehub.platforms import shops
from livehub.sandbox import doudian
from livehub.settings import Settings

DUPLICATES = 0.03
SHOP_REF, APP_KEY, APP_SECRET = "900001", "7000000000000000001", "a-secret-of-the-benchmark"
PER_SECOND = 16_000  # requests made ready for each second: more than anybody answers
FIRST_ORDER = 6_900_000_000_000_000_000


class Pushes(Struct, frozen=True):
    """Stored deliveries, and which messages each of them carries."""

    file: Path
    carried: Sequence[tuple[str, ...]]


class Ingest:
    """See docs/performance.md."""

    summary = "signed webhooks through the full public route"

    async def run(self, plan: Plan) -> Report:
        """Rounds of bare, livehub and ORM; then the acknowledgement's latency at 70 % of livehub's rate."""
        async with places(plan) as made, AsyncExitStack() as stack:
            first, endpoint_key = await _seeded(made)
            second = await made.copy(first, "orm")
            contenders = {
                "bare": await stack.enter_async_context(started.peer("bare", second)),
                "livehub": await stack.enter_async_context(started.livehub(first)),
                "orm": await stack.enter_async_context(started.peer("orm", second)),
            }
            wanted = int(PER_SECOND * max(plan.seconds, 1) * (plan.repetitions + 2))
            pushes = _written(
                made.folder / "pushes", endpoint_key, count=min(wanted, 400_000), seed=plan.seed
            )
            report = Report(correct=True)
            acknowledged = {name: set[int]() for name in contenders}
            at = dict.fromkeys(contenders, 0)
            for number in range(plan.repetitions + 1):  # the first warms up
                seconds = plan.seconds if number else min(1.0, plan.seconds)
                for name, service in contenders.items():
                    sent = await _stretch(service, pushes, at, name, plan, seconds=seconds)
                    acknowledged[name] |= _noted(sent, at[name] - sent.outcome.sent, report, name)
                    if number:
                        report.rates.setdefault(name, []).append(sent.rate)
            report.ratio = {"echo": ratio(report, "livehub", "bare"), "orm": ratio(report, "livehub", "orm")}
            await _latency(contenders["livehub"], pushes, at, acknowledged["livehub"], plan, report)
            report.value["ceiling_per_s"] = await _ceiling(second, pushes, plan)
            for name, settings in (("livehub", first), ("orm", second)):
                expected = {each for n in acknowledged[name] for each in pushes.carried[n]}
                report.correct &= await inside(settings, partial(_holds, expected, report))
        return report


async def _seeded(made: Places) -> tuple[Settings, str]:
    settings = await made.empty("livehub")

    async def seed() -> str:
        now = clock.now()
        clerk = system("bench")
        centre = await users.create_centre("基准", city="北海", actor=clerk, now=now)
        clerk = system("bench", centre_id=centre.id)
        bureau = await users.create_bureau(
            "农业", kind="agriculture", centre_id=centre.id, actor=clerk, now=now
        )
        endpoint = await shops.add_endpoint(
            centre.id,
            platform="doudian",
            name="基准",
            app_key=APP_KEY,
            secret=APP_SECRET,
            actor=clerk,
            now=now,
        )
        await shops.add_shop(
            bureau.id, endpoint_id=endpoint.id, shop_ref=SHOP_REF, name="基准", actor=clerk, now=now
        )
        return endpoint.endpoint_key

    return settings, await inside(settings, seed)


def _written(file: Path, endpoint_key: str, *, count: int, seed: int) -> Pushes:
    carried: list[tuple[str, ...]] = []

    def requests() -> Iterator[bytes]:
        for ids, body in _deliveries(count, Random(seed), at=clock.to_ms(clock.now()) // 1000):
            carried.append(ids)
            headers = doudian.headers(body, app_key=APP_KEY, app_secret=APP_SECRET)
            yield wire.post(f"/hooks/doudian/{endpoint_key}", body, headers)

    wire.write(file, requests())
    return Pushes(file, carried)


def _deliveries(count: int, dice: Random, *, at: int) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """1 to 5 messages each, of which 3 % were sent before."""
    recent: list[tuple[str, bytes]] = []
    number = 0
    for _ in range(count):
        pack = []
        for _ in range(dice.randint(1, 5)):
            if recent and dice.random() < DUPLICATES:
                pack.append(dice.choice(recent))
                continue
            number += 1
            message = _message(number, at=at + number // 4000)
            pack.append(message)
            recent.append(message) if len(recent) < 2000 else recent.__setitem__(number % 2000, message)
        ids = tuple(each[0] for each in pack)
        yield ids, doudian.envelope([each[1] for each in pack])


def _message(number: int, *, at: int) -> tuple[str, bytes]:
    order = FIRST_ORDER + number
    message_id = f"{order}:101:{at}:{SHOP_REF}"
    data = {
        "p_id": order,
        "s_ids": [order],
        "shop_id": int(SHOP_REF),
        "order_status": 2,
        "order_type": 0,
        "biz": 2,
        "pay_time": at,
        "pay_amount": 3980,
        "pay_type": 2,
    }
    element = {"tag": "101", "msg_id": message_id, "data": json.dumps(data, separators=(",", ":"))}
    return message_id, json.dumps(element, separators=(",", ":")).encode()


async def _stretch(
    service: Service,
    pushes: Pushes,
    at: dict[str, int],
    name: str,
    plan: Plan,
    *,
    seconds: float,
    rate: float = 0,
) -> Sent:
    left = len(pushes.carried) - at[name]
    sent = await started.send(
        service,
        pushes.file,
        connections=plan.connections,
        first=at[name],
        count=left,
        seconds=seconds,
        rate=rate,
        seed=plan.seed,
    )
    at[name] += sent.outcome.sent
    return sent


def _noted(sent: Sent, first: int, report: Report, name: str) -> set[int]:
    """The numbers of the acknowledged deliveries; any other answer spoils the run."""
    good = {first + i for i, status in enumerate(sent.statuses) if status == 200}
    if len(good) != sent.outcome.sent:
        report.correct = False
        report.notes.append(f"{name} did not acknowledge everything: {sent.outcome.statuses}")
    return good


async def _latency(
    service: Service, pushes: Pushes, at: dict[str, int], acknowledged: set[int], plan: Plan, report: Report
) -> None:
    rates = sorted(report.rates["livehub"])
    rate = 0.7 * rates[len(rates) // 2]
    sent = await _stretch(service, pushes, at, "livehub", plan, seconds=plan.seconds, rate=rate)
    acknowledged |= _noted(sent, at["livehub"] - sent.outcome.sent, report, "livehub")
    for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99)):
        report.value[name] = round(percentile(sent.latencies_ms, share), 2)
    report.value["at_per_s"] = round(sent.rate)
    report.notes.append(
        f"acknowledged at 70 % load ({sent.rate:,.0f}/s):"
        f" p50 {report.value['p50_ms']} ms, p99 {report.value['p99_ms']} ms"
    )


async def _ceiling(settings: Settings, pushes: Pushes, plan: Plan) -> int:
    async with started.peer("ceiling", settings) as nothing:
        sent = await started.send(
            nothing,
            pushes.file,
            connections=plan.connections,
            count=len(pushes.carried),
            seconds=min(plan.seconds, 2.0),
        )
    return round(sent.rate)


async def _holds(expected: set[str], report: Report) -> bool:
    """Whether exactly the acknowledged messages are in the inbox, once each."""
    rows = await database.fetch("SELECT native_id FROM inbox_message")
    found = [row["native_id"] for row in rows]
    right = len(found) == len(set(found)) and set(found) == expected
    if not right:
        missing, more = len(expected - set(found)), len(found) - len(expected)
        report.notes.append(f"acknowledged messages missing: {missing}; rows too many: {more}")
    return right


BENCH = Ingest()
