"""微信小店 from its push to the number: encrypted, fetched, booked, refunded, and equal to the platform's books."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from livehub import database, sandbox
from livehub.accounts.actors import system
from livehub.kit import clock, outbox
from livehub.orders import intake
from livehub.orders.fetching import Fetcher
from livehub.orders.invariants import buckets, contributions, folds
from livehub.platforms import shops
from livehub.sandbox import catalogue, wechat_store
from livehub.sandbox.spec import (
    OrderSpec,
    OrdersRequest,
    PushRequest,
    RefundSpec,
    ShopSpec,
    StepSpec,
    StepsRequest,
)
from livehub.settings import Settings
from tests.factories.accounts import a_bureau
from tests.factories.platforms import a_shop, an_endpoint
from tests.platforms.doors import WECHAT_SECRET, compact, wechat_message
from tests.site import Site, running
from tests.web.test_key_rotation import livehub

APP, SHOP = "wx0000000000000001", "gh_0000000000aa"
NEWER = "anotherToken:" + "B" * 43


class Stage:
    """A hub with an endpoint, and the imitated platform that pushes to it."""

    def __init__(self, site: Site, box: sandbox.Box, *, bureau: Any, endpoint: Any) -> None:
        self.site = site
        self.box = box
        self.bureau = bureau
        self.endpoint = endpoint
        self.fetcher = Fetcher()
        self.actor = system("tests", centre_id=bureau.centre_id)

    def shop(self, *, secret: str = WECHAT_SECRET) -> ShopSpec:
        shop = ShopSpec(
            platform="wechat_store",
            shop_ref=SHOP,
            hook_url=str(self.site.url.with_path(f"/hooks/wechat_store/{self.endpoint.endpoint_key}")),
            secret=secret,
            app_key=APP,
            access_token="access-token-of-tests",
            products=catalogue.products("wechat_store"),
            room_ref="2000000000000000042",
            author_ref="sphMadeUp",
            author_name="阿海",
        )
        self.box.store.declare(shop)
        return shop

    async def sell(self, *orders: OrderSpec, seed: int = 0) -> list[str]:
        made, _ = self.box.create(OrdersRequest(orders=list(orders), seed=seed))
        return [order.order_ref for order in made]

    async def push(self, **how: Any) -> None:
        await self.box.runs.start(PushRequest(seed=1, **how)).task

    async def settle(self) -> None:
        """Intake and fetching until nothing is left to do."""
        for _ in range(20):
            while await intake.run_once(now=clock.now(), lease_seconds=30):
                pass
            await database.execute("UPDATE fetch_job SET due_at = 0 WHERE status = 'waiting'")
            if not await self.fetcher.run_once():
                return

    async def figures(self) -> dict[str, int]:
        row = await database.fetch_one(
            "SELECT sum(orders) AS orders, sum(buyer_paid) AS g1, sum(buyer_paid + platform_disc + other_disc"
            " + voucher_subsidy) AS g2, sum(refund_done) AS refunded, sum(pending) AS pending FROM rollup_bucket"
        )
        assert row is not None
        return {name: int(value or 0) for name, value in row.items()}

    def books(self) -> dict[str, int]:
        total: Any = self.box.store.books()["totals"]
        return {
            "orders": total["orders"],
            "g1": total["g1_fen"],
            "g2": total["g2_fen"],
            "refunded": total["refund_g2_fen"],
            "pending": 0,
        }


@pytest.fixture
async def stage(db: Settings) -> AsyncIterator[Stage]:
    async with running(db) as site, sandbox.running() as box:
        bureau = await a_bureau()
        endpoint = await an_endpoint(
            bureau,
            platform="wechat_store",
            app_key=APP,
            secret=WECHAT_SECRET,
            api_base_url=f"{box.base_url}/wechat_store",
        )
        made = Stage(site, box, bureau=bureau, endpoint=endpoint)
        made.shop()
        yield made
        await made.fetcher.close()


def paid(*, ago: int = 9000, **more: Any) -> OrderSpec:
    now = clock.to_ms(clock.now())
    return OrderSpec(shop=SHOP, created_at_ms=now - ago - 5000, paid_at_ms=now - ago, **more)


async def parked() -> list[tuple[str, str]]:
    rows = await database.fetch("SELECT status, reason FROM inbox_message WHERE source = 'push' ORDER BY id")
    return [(row["status"], row["reason"]) for row in rows]


async def test_from_the_push_to_the_number_and_back(stage: Stage) -> None:
    await a_shop(stage.bureau, endpoint=stage.endpoint, shop_ref=SHOP)
    refund = RefundSpec(line=0, kind="return_refund", applied_at_ms=clock.to_ms(clock.now()) - 5000)
    refs = await stage.sell(*[paid(ago=9000 + n) for n in range(12)], paid(refunds=[refund]), seed=3)
    await stage.push(duplicates=0.5, shuffle=True)
    await stage.settle()

    assert await stage.figures() == stage.books()
    assert stage.books()["refunded"] == 0
    kinds = await database.fetch("SELECT DISTINCT source, verdict FROM inbox_delivery ORDER BY source")
    assert [(row["source"], row["verdict"]) for row in kinds] == [("pull", "fetched"), ("push", "signed")]

    order = stage.box.store.order(refs[-1])
    now = clock.to_ms(clock.now())
    steps = [StepSpec(order_ref=refs[-1], succeed={order.refunds[0].refund_ref: now}, shipped_at_ms=now)]
    steps += [StepSpec(order_ref=ref, shipped_at_ms=now) for ref in refs[:3]]
    stage.box.take_steps(StepsRequest(steps=steps))
    await stage.push(shuffle=True)
    await stage.settle()

    assert await stage.figures() == stage.books()
    assert stage.books()["refunded"] > 0
    lines = await database.fetch("SELECT count(*) AS n FROM fetch_job WHERE status <> 'done'")
    assert lines == [{"n": 0}]
    assert await buckets.check() == await contributions.check() == await folds.check() == []


async def test_a_push_alone_books_no_money(stage: Stage) -> None:
    await a_shop(stage.bureau, endpoint=stage.endpoint, shop_ref=SHOP)
    await stage.sell(paid())
    await stage.push()
    while await intake.run_once(now=clock.now(), lease_seconds=30):
        pass

    assert await stage.figures() == {"orders": 0, "g1": 0, "g2": 0, "refunded": 0, "pending": 1}


async def test_the_address_is_tried_and_answered(stage: Stage) -> None:
    query = wechat_store.address_check(stage.shop(), now_ms=clock.to_ms(clock.now()))

    path = f"/hooks/wechat_store/{stage.endpoint.endpoint_key}"
    assert await stage.site.text(path, params=query) == query["echostr"]


async def test_what_waits_is_opened_by_a_secret_that_ended_since(stage: Stage) -> None:
    """Both values are changed while messages wait for intake: the kept bytes are still read."""
    await a_shop(stage.bureau, endpoint=stage.endpoint, shop_ref=SHOP)
    await stage.sell(paid(), paid())
    await stage.push()
    now = clock.now()
    await database.unit(
        lambda: shops.rotate_secret(
            stage.endpoint.id,
            secret=NEWER,
            overlap_until=now + timedelta(hours=1),
            actor=stage.actor,
            now=now,
        )
    )
    await database.unit(lambda: shops.end_old_secrets(stage.endpoint.id, actor=stage.actor, now=now))
    stage.site.app.ctx.endpoints._read_at = float("-inf")  # what takes three seconds otherwise
    stage.shop(secret=NEWER)
    await stage.sell(paid())
    await stage.push()
    await stage.settle()

    assert await stage.figures() == stage.books()
    assert stage.books()["orders"] == 3


async def test_messages_of_a_shop_nobody_registered_are_booked_when_it_is(stage: Stage) -> None:
    await stage.sell(paid(), paid())
    await stage.push()
    await stage.settle()
    assert set(await parked()) == {("parked", "shop")}

    await a_shop(stage.bureau, endpoint=stage.endpoint, shop_ref=SHOP)
    await outbox.hand_out(now=clock.now())
    await stage.settle()

    assert await stage.figures() == stage.books()
    assert stage.books()["orders"] == 2


async def test_the_signature_is_kept_beside_the_bytes(stage: Stage) -> None:
    await stage.sell(paid())
    await stage.push()

    rows = await database.fetch("SELECT headers FROM inbox_delivery")
    assert len(rows) == 2
    for row in rows:
        assert all(f'"?{name}":"' in row["headers"] for name in ("timestamp", "nonce", "msg_signature"))


async def test_a_broken_message_harms_no_other(stage: Stage) -> None:
    await a_shop(stage.bureau, endpoint=stage.endpoint, shop_ref=SHOP)
    shop = stage.shop()
    broken = [
        b"",
        b"{",
        b"<xml><ToUserName>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><xml><ToUserName>&a;</ToUserName></xml>',
        compact(wechat_message(ToUserName=SHOP, order_info={"order_id": []})),
        compact(wechat_message(ToUserName=SHOP, CreateTime=1)),
    ]
    await stage.sell(paid())
    for message in broken:
        query, body, headers = wechat_store.delivery(message, shop=shop, now_ms=clock.to_ms(clock.now()))
        async with stage.site.post(stage.shop().hook_url, params=query, data=body, headers=headers) as answer:
            assert (answer.status, await answer.text()) == (200, "success")
    await stage.push()
    await stage.settle()

    assert await stage.figures() == stage.books()
    assert stage.books()["orders"] == 1
    rows = await database.fetch("SELECT count(*) AS n FROM inbox_delivery WHERE status = 'rejected'")
    assert rows == [{"n": 4}]
    assert sorted(await parked())[-2:] == [("parked", "schema"), ("parked", "time")]


async def test_a_reply_that_does_not_add_up_books_nothing(stage: Stage) -> None:
    """The platform gives a benefit that is not in our table."""
    await a_shop(stage.bureau, endpoint=stage.endpoint, shop_ref=SHOP)
    (ref,) = await stage.sell(paid())
    stage.box.store.order(ref).lines[0].buyer_paid_fen -= 1
    await stage.push()
    while await intake.run_once(now=clock.now(), lease_seconds=30):
        pass
    await stage.fetcher.run_once()

    assert (await stage.figures())["g1"] == 0
    rows = await database.fetch("SELECT status, error FROM inbox_delivery WHERE source = 'pull'")
    assert [(row["status"], row["error"].partition(":")[0]) for row in rows] == [("rejected", "identity")]


async def test_a_token_that_ended_is_replaced_by_the_command(stage: Stage, db: Settings) -> None:
    await a_shop(stage.bureau, endpoint=stage.endpoint, shop_ref=SHOP)
    stage.box.store.declare(msgspec.structs.replace(stage.shop(), access_token="the-next-one"))
    await stage.sell(paid())
    await stage.push()
    while await intake.run_once(now=clock.now(), lease_seconds=30):
        pass
    await stage.fetcher.run_once()
    waiting = await database.fetch_one("SELECT status, last_error FROM fetch_job")
    assert waiting is not None
    assert (waiting["status"], "40001" in waiting["last_error"]) == ("waiting", True)

    await database.execute("UPDATE fetch_job SET status = 'dead'")  # twelve refusals later
    door = ("wechat_store", "--endpoint", stage.endpoint.endpoint_key)
    told = await livehub(db, "shop", "set-access-token", *door, "--token", "the-next-one")
    await stage.settle()

    assert told.status == 0
    assert await stage.figures() == stage.books()
    assert "the-next-one" not in str(await database.fetch("SELECT detail FROM audit_entry"))
