"""快手 from an encrypted push over HTTP to booked orders and refunds, beside the imitated platform's own books."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from msgspec import Struct

from livehub import database, sandbox
from livehub.accounts.actors import Actor, Grant, system
from livehub.accounts.models import Role
from livehub.inbox import queue
from livehub.kit import clock
from livehub.orders import fetching, intake
from livehub.orders.fetching import Fetcher
from livehub.orders.invariants import buckets, contributions, folds
from livehub.platforms import shops
from livehub.platforms.models import Endpoint
from livehub.reports import evidence
from livehub.sandbox import signatures
from livehub.settings import Settings
from tests.factories.accounts import a_bureau
from tests.factories.platforms import a_shop, an_endpoint
from tests.platforms.doors import compact, kuaishou_message, kuaishou_sealed
from tests.site import Site, running

APP, SHOP = "ks700000000000000001", "2100000001"
KEY = b"0123456789abcdef"
SECRET = "signsecret01:MDEyMzQ1Njc4OWFiY2RlZg=="
NEWER = "signsecret02:" + "QUJDREVGR0hJSktMTU5PUA=="


class Hub(Struct):
    """The hub with one 快手 shop, and the platform that pushes to it."""

    site: Site
    box: sandbox.Box
    endpoint: Endpoint
    fetcher: Fetcher

    async def control(self, path: str, body: Any) -> Any:
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.box.base_url}{path}", json=body) as answer,
        ):
            assert answer.status < 400, await answer.text()
            return await answer.json()

    async def send(self, body: bytes) -> tuple[int, bytes]:
        headers = {"content-type": "text/plain;charset=utf-8"}
        path = f"/hooks/kuaishou/{self.endpoint.endpoint_key}"
        async with self.site.post(path, data=body, headers=headers) as answer:
            return answer.status, await answer.read()

    async def order(self, **more: Any) -> str:
        now = clock.to_ms(clock.now())
        line = {
            "product_ref": "21000000000001", "quantity": 2, "price_fen": 10_000, "merchant_disc_fen": 1_000,
            "platform_disc_fen": 500, "talent_disc_fen": 300, "pay_disc_fen": 200, "freight_fen": 800,
        }  # fmt: skip
        spec = {
            "shop": SHOP,
            "created_at_ms": now - 9_000,
            "paid_at_ms": now - 8_000,
            "lines": [line],
            **more,
        }
        made = await self.control("/control/orders", {"orders": [spec]})
        return str(made["orders"][0]["order_ref"])

    async def push(self, **how: Any) -> None:
        done = await self.control("/control/push", how)
        assert done["done"]
        await self.work()

    async def work(self) -> None:
        while await intake.run_once(now=clock.now(), lease_seconds=30):
            pass

    async def fetch(self) -> None:
        """Ask until nothing is asked any more."""
        taken = 1
        while taken:
            await database.execute("UPDATE fetch_job SET due_at = 0 WHERE status = 'waiting'")
            taken = await self.fetcher.run_once()
            await self.work()

    def declare(self, **changes: Any) -> dict[str, Any]:
        return {
            "platform": "kuaishou", "shop_ref": SHOP, "app_key": APP, "secret": SECRET,
            "hook_url": str(self.site.url / f"hooks/kuaishou/{self.endpoint.endpoint_key}"),
            "access_token": "access-token-of-tests",
            "products": [{"product_ref": "21000000000001", "title": "沙虫干", "price_fen": 10_000}],
        } | changes  # fmt: skip


@pytest.fixture
async def hub(db: Settings) -> AsyncIterator[Hub]:
    bureau = await a_bureau()
    async with sandbox.running() as box, running(db) as site:
        endpoint = await an_endpoint(
            bureau, platform="kuaishou", app_key=APP, secret=SECRET, api_base_url=f"{box.base_url}/kuaishou"
        )
        await database.execute("UPDATE endpoint SET calls_per_second = 500")
        await a_shop(bureau, endpoint=endpoint, shop_ref=SHOP)
        made = Hub(site, box, endpoint, Fetcher())
        await made.control("/control/shops", made.declare())
        yield made
        await made.fetcher.close()


async def booked() -> dict[str, int]:
    """In the words of the sandbox's books."""
    row = await database.fetch_one(
        "SELECT sum(orders) AS orders, sum(units) AS units, sum(buyer_paid) AS g1,"
        " sum(buyer_paid + platform_disc + other_disc + voucher_subsidy) AS g2, sum(refund_done) AS back,"
        " sum(refund_cash) AS cash, sum(pending) AS pending FROM rollup_bucket"
    )
    assert row is not None
    return {name: int(value or 0) for name, value in row.items()}


def truth(hub: Hub) -> dict[str, int]:
    totals: Any = hub.box.store.books()["totals"]
    names = {"orders": "orders", "units": "units", "g1": "g1_fen", "g2": "g2_fen", "back": "refund_g2_fen"}
    return {ours: totals[theirs] for ours, theirs in names.items()} | {
        "cash": totals["refund_cash_fen"],
        "pending": 0,
    }


async def fates() -> list[tuple[str, str, str]]:
    rows = await database.fetch("SELECT native_type, status, reason FROM inbox_message ORDER BY id")
    return [(row["native_type"], row["status"], row["reason"]) for row in rows]


async def test_orders_and_refunds_are_booked_as_the_platforms_own_books_have_them(hub: Hub) -> None:
    now = clock.to_ms(clock.now())
    back = {"applied_at_ms": now - 6_000, "succeeded_at_ms": now - 5_000}
    lives: list[dict[str, Any]] = [
        {},
        {"shipped_at_ms": now - 7_000, "finished_at_ms": now - 6_000},
        {"refunds": [back]},
        {"refunds": [{"line": 0, "cash_fen": 7_000, "kind": "return_refund", **back}]},
        {"refunds": [{"line": 0, "kind": "exchange", **back}]},
        {"refunds": [{"line": 0, "applied_at_ms": now - 6_000, "closed_at_ms": now - 5_000}]},
        {"refunds": [{"line": 0, "applied_at_ms": now - 6_000}]},
        {"paid_at_ms": None},
        {"paid_at_ms": None, "cancelled_at_ms": now - 7_000},
    ]
    for life in lives * 2:
        await hub.order(**life)

    await hub.push(shuffle=True, duplicates=0.3)
    waiting = await booked()
    await hub.fetch()

    assert (waiting["pending"], sum(waiting.values())) == (18, 18)  # no push brought any money
    assert await booked() == truth(hub)
    assert truth(hub)["back"] > 0
    assert {status for _, status, _ in await fates()} <= {"applied", "stale"}
    assert await buckets.check() == await contributions.check() == await folds.check() == []


async def test_a_refund_that_succeeds_later_is_booked_when_it_is_told(hub: Hub) -> None:
    now = clock.to_ms(clock.now())
    order = await hub.order(refunds=[{"line": 0, "cash_fen": 7_000, "applied_at_ms": now - 6_000}])
    await hub.push()
    await hub.fetch()
    assert (await booked())["cash"] == 0

    (refund,) = hub.box.store.order(order).refunds
    steps = [{"order_ref": order, "succeed": {refund.refund_ref: now - 5_000}}]
    await hub.control("/control/steps", {"steps": steps})
    await hub.push()
    await hub.fetch()

    assert (await booked())["cash"] == 7_000
    assert await booked() == truth(hub)


async def test_both_replies_are_one_delivery_and_without_both_the_order_stays_incomplete(hub: Hub) -> None:
    (line,) = hub.box.store.order(await hub.order()).lines
    await hub.push()
    line.buyer_paid_fen = -10_000  # stands only in the second reply, and cannot be read
    await hub.fetcher.run_once()
    await hub.work()
    line.buyer_paid_fen = 18_000
    held = await database.fetch("SELECT complete, pending, g2_fen FROM sales_order")
    unread = await database.fetch("SELECT status, error FROM inbox_delivery WHERE source = 'pull'")

    await hub.fetch()

    assert [(bool(row["complete"]), bool(row["pending"]), row["g2_fen"]) for row in held] == [
        (False, True, 0)
    ]
    assert [row["status"] for row in unread] == ["rejected"]
    assert await booked() == truth(hub)
    (kept,) = await database.fetch(
        "SELECT d.id, d.verdict, m.native_type FROM inbox_delivery d JOIN inbox_message m ON m.delivery_id = d.id"
        " WHERE d.source = 'pull' AND d.status = 'split'"
    )
    raw, _ = (await queue.bodies([kept["id"]]))[kept["id"]]
    assert (kept["verdict"], kept["native_type"], raw.count(b"\x1e")) == ("fetched", "fetched.order", 2)
    assert b'"buyerPay":18800' in raw.replace(b" ", b"")
    assert b'"originalPrice":10000' in raw.replace(b" ", b"")


async def test_an_order_whose_money_does_not_add_up_is_parked_and_booked_when_it_does(hub: Hub) -> None:
    order = await hub.order()
    (line,) = hub.box.store.order(order).lines
    await hub.push()
    line.merchant_disc_fen = 999
    await hub.fetch()
    line.merchant_disc_fen = 1_000
    assert ("fetched.order", "parked", "identity") in await fates()
    assert (await booked())["g2"] == 0

    await hub.control(
        "/control/steps", {"steps": [{"order_ref": order, "shipped_at_ms": clock.to_ms(clock.now())}]}
    )
    await hub.push()
    await hub.fetch()

    assert await booked() == truth(hub)


async def test_the_door_answers_the_heartbeat_and_keeps_nothing_of_it(hub: Hub) -> None:
    heartbeat = signatures.kuaishou_body(b'{"test":true}', message_key=SECRET.partition(":")[2])

    assert await hub.send(heartbeat) == (200, b'{"result":1}')
    assert await database.fetch("SELECT id FROM inbox_delivery") == []


async def test_what_cannot_be_opened_or_is_another_apps_is_refused_without_a_trace(hub: Hub) -> None:
    good = kuaishou_sealed(_message(1))
    foreign = _message(1).replace(APP.encode(), b"ks700000000000000002")
    bodies = [
        b"", b"{}", _message(1), good[:-4], good + b"\n", good[24:],
        kuaishou_sealed(_message(1), key=b"x" * 16), kuaishou_sealed(foreign), kuaishou_sealed(b"no JSON"),
    ]  # fmt: skip

    answers = [await hub.send(body) for body in bodies]

    assert answers == [(401, b'{"result":0}')] * len(bodies)
    assert await database.fetch("SELECT id FROM inbox_delivery") == []
    await hub.site.app.ctx.signature_failures.flush()
    assert await database.fetch("SELECT sum(count) AS n FROM signature_failure") == [{"n": len(bodies)}]


async def test_a_push_is_kept_as_it_came_and_called_unsigned(hub: Hub) -> None:
    body = kuaishou_sealed(_message(1))

    assert [await hub.send(body) for _ in range(3)] == [(200, b'{"result":1}')] * 3

    (kept,) = await database.fetch("SELECT id, centre_id, verdict, status FROM inbox_delivery")
    assert (kept["verdict"], kept["status"]) == ("unsigned", "split")
    auditor = Actor(
        kind="user", id=1, name="审计", centre_id=kept["centre_id"], grants=(Grant(Role.AUDITOR),)
    )
    opened = await database.unit(
        lambda: evidence.open_evidence(kept["id"], actor=auditor, why="核对", now=clock.now())
    )
    assert (opened.raw, opened.plain) == (body, _message(1))


async def test_a_broken_message_harms_no_other(hub: Hub) -> None:
    order = await hub.order()
    broken = [
        _message(2, info="no JSON"),
        _message(3, info='{"oid":1.5}'),
        _message(4, at=1),
        _message(5, event="kwaishop_order_new"),
        _message(6, userId=0),
    ]
    for body in broken:
        assert (await hub.send(kuaishou_sealed(body)))[0] == 200
    await hub.push()
    await hub.fetch()

    found = [
        fate
        for fate in await fates()
        if not fate[0].startswith("fetched") and fate[1] in {"parked", "ignored"}
    ]
    assert found == [
        ("kwaishop_order_paySuccess", "parked", "schema"),
        ("kwaishop_order_paySuccess", "parked", "schema"),
        ("kwaishop_order_paySuccess", "parked", "time"),
        ("kwaishop_order_new", "ignored", ""),
    ]
    rejected = await database.fetch("SELECT error FROM inbox_delivery WHERE status = 'rejected'")
    assert ["userId" in row["error"] for row in rejected] == [True]
    assert (await booked())["orders"] == truth(hub)["orders"] == 1
    assert hub.box.store.order(order).is_sale


async def test_messages_of_an_ended_key_are_still_read_and_those_no_key_opens_are_parked(hub: Hub) -> None:
    actor = system("tests", centre_id=hub.endpoint.centre_id)
    order = await hub.order()
    await hub.control("/control/push", {})
    now = clock.now()
    await database.unit(
        lambda: shops.rotate_secret(hub.endpoint.id, secret=NEWER, overlap_until=now, actor=actor, now=now)
    )
    await database.execute("UPDATE endpoint_secret SET not_after = 1 WHERE not_after IS NOT NULL")

    await hub.work()

    assert {fate[1] for fate in await fates()} == {"applied"}
    asked = await database.fetch("SELECT ref FROM fetch_job")
    assert [row["ref"] for row in asked] == [order]
    await database.execute("DELETE FROM endpoint_secret WHERE not_after IS NOT NULL")
    await database.execute("UPDATE inbox_message SET fact = '', status = 'received', next_attempt_at = 0")
    await hub.work()
    assert {fate[1:] for fate in await fates()} == {("parked", "schema")}


async def test_a_call_takes_its_turn_for_each_of_its_requests(hub: Hub) -> None:
    await hub.order()
    await hub.push()
    await database.execute("UPDATE endpoint SET calls_per_second = 2")
    started = clock.now()

    await hub.fetcher.run_once()

    assert (clock.now() - started).total_seconds() >= 0.5
    assert hub.box.api_calls == {"open.order.detail": 1, "open.seller.order.fee.detail": 1}
    assert fetching.LEASE_MS >= 16 * 2 * 1000 + 2 * 8000  # a full lane of them at one call a second


def _message(number: int, *, at: int = 1_760_000_010_123, **changes: Any) -> bytes:
    known = {"eventId": f"e{number}", "userId": int(SHOP)}
    return compact(kuaishou_message("order_paySuccess", oid=number, updateTime=at) | known | changes)
