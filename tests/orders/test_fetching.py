"""Thin messages: the order is read from the platform's own API and put into the same inbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
import pytest

from livehub import database, sandbox
from livehub.inbox import queue, receiving
from livehub.inbox.layout import Origin
from livehub.inbox.receiving import Arrival
from livehub.kit import clock
from livehub.orders import fetching, intake
from livehub.orders.fetching import Fetcher
from livehub.orders.invariants import buckets, contributions, folds
from livehub.platforms import registry
from livehub.platforms.contract import Event, EventType
from livehub.platforms.models import Endpoint
from livehub.settings import Settings
from tests.contention import held, meet
from tests.factories.accounts import a_bureau
from tests.factories.platforms import DOUDIAN_SECRET, a_shop, an_endpoint

SHOP = "900001"
APP = "7000000000000000009"


class Wire:
    """An imitated platform, and what it says put into the inbox without a web server between."""

    def __init__(self, box: sandbox.Sandbox, endpoint: Endpoint) -> None:
        self.box = box
        self.endpoint = endpoint
        self.fetcher = Fetcher()

    async def order(self, **more: Any) -> str:
        now = clock.to_ms(clock.now())
        spec = {"shop": SHOP, "created_at_ms": now - 9000, "paid_at_ms": now - 8000, **more}
        lines = [
            {
                "product_ref": "1",
                "quantity": 2,
                "price_fen": 4000,
                "platform_disc_fen": 500,
                "freight_fen": 300,
            }
        ]
        answer = await self.control("/control/orders", {"orders": [{"lines": lines, **spec}]})
        return str(answer["orders"][0]["order_ref"])

    async def control(self, path: str, body: Any) -> Any:
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.box.base_url}{path}", json=body) as answer,
        ):
            assert answer.status < 400, await answer.text()
            return await answer.json()

    async def say(self, tag: str, order_ref: str, **data: Any) -> None:
        """One thin message, as it would have been pushed."""
        fields = {"p_id": int(order_ref), "shop_id": int(SHOP), **data}
        element = {
            "tag": tag,
            "msg_id": f"{order_ref}:{tag}:{clock.now().isoformat()}",
            "data": _json(fields),
        }
        raw = _json([element]).encode()
        origin = Origin(self.endpoint.id, self.endpoint.centre_id, "doudian")
        arrival = receiving.read_push(
            registry.get("doudian"), origin=origin, raw=raw, plaintext=raw, headers={}, now=clock.now()
        )
        await receiving.store([arrival])
        await self.work()

    async def work(self) -> None:
        while await intake.run_once(now=clock.now(), lease_seconds=30):
            pass

    async def fetch(self) -> int:
        tried = await self.fetcher.run_once()
        await self.work()
        return tried


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


@pytest.fixture
async def wire(db: Settings) -> AsyncIterator[Wire]:
    bureau = await a_bureau()
    async with sandbox.running() as box:
        endpoint = await an_endpoint(bureau, app_key=APP, api_base_url=f"{box.base_url}/doudian")
        await a_shop(bureau, endpoint=endpoint, shop_ref=SHOP)
        made = Wire(box, endpoint)
        await made.control(
            "/control/shops",
            {
                "platform": "doudian", "shop_ref": SHOP, "hook_url": "http://127.0.0.1:9/none", "app_key": APP,
                "secret": DOUDIAN_SECRET, "access_token": "access-token-of-tests",
                "products": [{"product_ref": "1", "title": "海鸭蛋", "price_fen": 4000}],
            },
        )  # fmt: skip
        yield made
        await made.fetcher.close()


async def total() -> dict[str, int]:
    row = await database.fetch_one(
        "SELECT sum(buyer_paid) AS paid, sum(platform_disc) AS platform, sum(freight) AS freight, sum(pending) AS pending,"
        " sum(refund_done) AS refunded, sum(orders) AS orders FROM rollup_bucket"
    )
    assert row is not None
    return {name: int(value or 0) for name, value in row.items()}


def seconds_ago(n: int) -> int:
    return clock.to_ms(clock.now()) // 1000 - n


async def test_a_thin_order_is_pending_until_its_reply_is_booked(wire: Wire) -> None:
    order_ref = await wire.order()
    await wire.say("101", order_ref, pay_time=seconds_ago(8), pay_amount=1)
    assert await total() == {"paid": 0, "platform": 0, "freight": 0, "pending": 1, "refunded": 0, "orders": 0}

    assert await wire.fetch() == 1

    assert await total() == {
        "paid": 7500, "platform": 500, "freight": 300, "pending": 0, "refunded": 0, "orders": 1,
    }  # fmt: skip
    kinds = await database.fetch("SELECT source, verdict, host FROM inbox_delivery ORDER BY id")
    assert [(row["source"], row["verdict"], bool(row["host"])) for row in kinds] == [
        ("push", "signed", False),
        ("pull", "fetched", True),
    ]
    assert await wire.fetch() == 0
    assert await buckets.check() == await contributions.check() == await folds.check() == []


async def test_a_refund_is_booked_as_what_came_back_not_as_what_was_asked(wire: Wire) -> None:
    now = clock.to_ms(clock.now())
    refund = {"line": 0, "cash_fen": 3000, "refund_ref": "7100000000000000001", "applied_at_ms": now - 6000,
              "succeeded_at_ms": now - 4000}  # fmt: skip
    order_ref = await wire.order(refunds=[refund])
    await wire.say("206", order_ref, s_id=1, aftersale_id=7100000000000000001, refund_amount=9999,
                   success_time=seconds_ago(4))  # fmt: skip
    assert (await total())["pending"] == 1

    assert await wire.fetch() == 2  # the order and its after-sale

    found = await total()
    assert found["refunded"] == 8000 * 3000 // 7500
    assert found["pending"] == 0


async def test_a_later_thin_message_asks_again_and_the_money_stays(wire: Wire) -> None:
    order_ref = await wire.order()
    await wire.say("101", order_ref, pay_time=seconds_ago(8))
    await wire.fetch()
    await wire.say("103", order_ref, complete_time=seconds_ago(-30))

    found = await total()
    assert (found["paid"], found["pending"]) == (7500, 1)
    jobs = await database.fetch("SELECT status, due_at, fetched_at FROM fetch_job")
    assert [row["status"] for row in jobs] == ["waiting"]
    assert jobs[0]["due_at"] > jobs[0]["fetched_at"]

    await database.execute("UPDATE fetch_job SET due_at = 0")
    await wire.fetch()
    assert (await total())["pending"] == 0


async def test_a_platform_that_is_away_is_asked_again_later(wire: Wire) -> None:
    order_ref = await wire.order()
    await wire.say("101", order_ref, pay_time=seconds_ago(8))
    await database.execute("UPDATE endpoint SET api_base_url = 'http://127.0.0.1:9'")

    assert await wire.fetch() == 1
    job = (await database.fetch("SELECT status, attempts, last_error FROM fetch_job"))[0]
    assert (job["status"], job["attempts"]) == ("waiting", 1)
    assert "unreachable" in job["last_error"]
    assert (await total())["pending"] == 1

    await database.execute("UPDATE endpoint SET api_base_url = $1", f"{wire.box.base_url}/doudian")
    await database.execute("UPDATE fetch_job SET due_at = 0")
    await wire.fetch()
    assert (await total())["paid"] == 7500


async def test_a_wrong_token_is_given_up_and_can_be_asked_again(wire: Wire) -> None:
    order_ref = await wire.order()
    await wire.say("101", order_ref, pay_time=seconds_ago(8))
    await database.execute("UPDATE endpoint SET app_key = 'another'")
    await wire.fetch()
    job = (await database.fetch("SELECT endpoint_id, status FROM fetch_job"))[0]
    assert job["status"] in {"dead", "waiting"}

    await database.execute("UPDATE endpoint SET app_key = $1", APP)
    await database.execute("UPDATE fetch_job SET status = 'dead'")
    assert await fetching.ask_again(job["endpoint_id"]) == 1
    await wire.fetch()
    assert (await total())["paid"] == 7500


async def test_an_endpoint_whose_secret_cannot_be_opened_stops_no_other(wire: Wire, db: Settings) -> None:
    closed = await an_endpoint(await a_bureau(), api_base_url=f"{wire.box.base_url}/doudian")
    await database.execute(
        "UPDATE endpoint_secret SET secret_sealed = $1 WHERE endpoint_id = $2", b"another-key:x", closed.id
    )
    for _ in range(2):
        await wire.say("101", await wire.order(), pay_time=seconds_ago(8))
    await database.execute(
        "UPDATE fetch_job SET endpoint_id = $1 WHERE id = (SELECT min(id) FROM fetch_job)", closed.id
    )

    assert await wire.fetch() == 2

    jobs = await database.fetch("SELECT status, attempts, lease_until, last_error FROM fetch_job ORDER BY id")
    assert [(job["status"], job["attempts"], job["lease_until"]) for job in jobs] == [
        ("waiting", 1, 0), ("done", 0, 0),
    ]  # fmt: skip
    assert "secret" in jobs[0]["last_error"]
    assert (await total())["paid"] == 7500


async def a_job(db: Settings, *refs: str) -> Origin:
    """Thin messages of an imitated shop, taken in: one fetch waits for each order."""
    bureau = await a_bureau()
    endpoint = await an_endpoint(bureau, app_key=APP)
    await a_shop(bureau, endpoint=endpoint, shop_ref=SHOP)
    for ref in refs:
        await asked(endpoint, ref, seconds=8)
    return Origin(endpoint.id, endpoint.centre_id, "doudian")


async def asked(endpoint: Endpoint, ref: str, *, seconds: int) -> None:
    """A thin message of so many seconds ago, taken in."""
    await store(thin(endpoint, ref, seconds=seconds))
    await intake.run_once(now=clock.now(), lease_seconds=30)


async def store(*arrivals: Arrival) -> None:
    await receiving.store(arrivals)


def thin(endpoint: Endpoint, ref: str, *, seconds: int) -> Arrival:
    fields = {"p_id": int(ref), "shop_id": int(SHOP), "pay_time": seconds_ago(seconds)}
    raw = _json([{"tag": "101", "msg_id": f"{ref}:{seconds}", "data": _json(fields)}]).encode()
    return receiving.read_push(
        registry.get("doudian"),
        origin=Origin(endpoint.id, endpoint.centre_id, "doudian"),
        raw=raw,
        plaintext=raw,
        headers={},
        now=clock.now(),
    )


def answered(job: fetching.Job, origin: Origin) -> fetching.Answered:
    event = Event(
        type=EventType.ORDER_UPDATED, shop_ref=SHOP, order_ref=job.order_ref, status_at=job.wanted_at
    )
    return fetching.Answered(job, origin, raw=job.ref.encode(), event=event)


async def test_two_fetchers_hold_different_fetches_and_do_not_wait(db: Settings) -> None:
    origin = await a_job(db, *(f"69000000000000000{n}" for n in range(10, 17)))
    taken: list[set[int]] = []

    async def take() -> None:
        taken.append({job.id for job in await fetching._lease(origin.endpoint_id, limit=3)})

    await meet(db, "SELECT 1 FROM fetch_job ORDER BY due_at, id LIMIT 1 FOR UPDATE", take, take)

    one, other = taken
    assert (len(one), len(other), one & other) == (3, 3, set())


async def waits_at_the_first(db: Settings, refs: list[str], work: Callable[[], Awaitable[object]]) -> None:
    """Somebody has the first fetch and wants the last: whoever comes now waits at the first and has nothing."""
    first, last = (f"SELECT 1 FROM fetch_job WHERE ref = '{ref}' FOR UPDATE" for ref in (refs[0], refs[-1]))
    async with held(db, first) as holder:
        working = asyncio.ensure_future(work())
        await holder.until_waiting(1)
        has_nothing = await holder.gets(last)
    await working
    assert has_nothing


REFS = [f"69000000000000000{n}" for n in range(10, 17)]


@pytest.mark.parametrize("backwards", [False, True])
async def test_answered_fetches_are_closed_in_one_order(db: Settings, backwards: bool) -> None:
    origin = await a_job(db, *REFS)
    jobs = sorted(
        await fetching._lease(origin.endpoint_id, limit=9), key=lambda job: job.ref, reverse=backwards
    )

    answers = [answered(job, origin) for job in jobs]
    await waits_at_the_first(db, REFS, lambda: fetching._record(answers, now=clock.now()))


async def test_fetches_are_wanted_in_one_order(db: Settings) -> None:
    origin = await a_job(db, *REFS)
    endpoint = await Endpoint.get(id=origin.endpoint_id)

    for backwards in (False, True):
        await store(*(thin(endpoint, ref, seconds=2 - backwards) for ref in REFS))
        understood = await intake.understand(await queue.lease(limit=9, seconds=30), now=clock.now())
        understood.sort(key=lambda each: each.message.native_id, reverse=backwards)

        async def work(understood: list[intake.Understood] = understood) -> None:
            await database.unit(lambda: intake.apply(understood, now=clock.now()))

        await waits_at_the_first(db, REFS, work)


async def test_who_lost_its_fetch_neither_closes_nor_postpones_it(db: Settings) -> None:
    origin = await a_job(db, "6900000000000000010")
    (slept,) = await fetching._lease(origin.endpoint_id, limit=1)
    await database.execute("UPDATE fetch_job SET lease_until = 0")
    await fetching._lease(origin.endpoint_id, limit=1)
    before = await database.fetch("SELECT * FROM fetch_job")

    await database.unit(lambda: fetching._close(slept, now=clock.now()))
    failed = msgspec.structs.replace(answered(slept, origin), event=None, error="late")
    await database.unit(lambda: fetching._postpone(failed))

    assert await database.fetch("SELECT * FROM fetch_job") == before


async def test_what_is_asked_while_the_answer_is_on_its_way_is_asked_again(db: Settings) -> None:
    origin = await a_job(db, "6900000000000000010")
    (job,) = await fetching._lease(origin.endpoint_id, limit=1)
    await asked(await Endpoint.get(id=origin.endpoint_id), "6900000000000000010", seconds=2)

    await fetching._record([answered(job, origin)], now=clock.now())

    (row,) = await database.fetch("SELECT status, wanted_at FROM fetch_job")
    assert (row["status"], row["wanted_at"] > job.wanted_at) == ("waiting", True)


async def test_a_reply_that_cannot_be_recorded_harms_no_other(wire: Wire) -> None:
    for _ in range(2):
        await wire.say("101", await wire.order(), pay_time=seconds_ago(8))
    origin = Origin(wire.endpoint.id, wire.endpoint.centre_id, "doudian")
    jobs = await fetching._lease(origin.endpoint_id, limit=9)

    sound, broken = sorted(jobs, key=lambda job: job.id)
    unstorable = msgspec.structs.replace(broken, wanted_at=2**70)
    await fetching._record([answered(unstorable, origin), answered(sound, origin)], now=clock.now())

    rows = await database.fetch("SELECT status, lease_until, last_error FROM fetch_job ORDER BY id")
    assert [(row["status"], row["lease_until"], bool(row["last_error"])) for row in rows] == [
        ("done", 0, False), ("waiting", 0, True),
    ]  # fmt: skip
    pulled = await database.fetch("SELECT order_key FROM inbox_message WHERE source = 'pull'")
    assert [row["order_key"] for row in pulled] == [f"doudian:{SHOP}:{sound.order_ref}"]
