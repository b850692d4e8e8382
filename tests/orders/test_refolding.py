"""The books made anew from the facts are those that intake kept: whatever came in which order, however often."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from livehub import database
from livehub.accounts.actors import Actor, system
from livehub.inbox.recording import OwnFact
from livehub.kit import clock
from livehub.orders import intake, refolding
from livehub.orders.refolding import Refolded
from livehub.settings import Settings
from tests.factories.facts import record_own
from tests.factories.orders import World
from tests.factories.platforms import a_shop
from tests.factories.rooms import a_house
from tests.orders.test_auditing import unprotected
from tests.orders.test_by_shop import bind
from tests.orders.test_confluence import books, deliveries, receive
from tests.orders.test_races import PAID, a_version, hand_out, order_fact, overtaking
from tests.orders.test_reattribution import a_show, booked, sell, sound


def keeper() -> Actor:
    return system("tests")


async def refolded(*, apply: bool = False) -> Refolded:
    return await refolding.refold(apply=apply, actor=keeper(), now=clock.now())


async def shuffled_in(world: World, seed: int) -> None:
    """Forty orders' messages in any sequence, some again, in batches cut anywhere."""
    chance = random.Random(seed)
    messages = deliveries(seed)[:200]
    told = messages + chance.choices(messages, k=80)
    chance.shuffle(told)
    while told:
        size = chance.choice([1, 7, 60])
        await receive(world, told[:size])
        del told[:size]
        await intake.run_once(now=clock.now(), lease_seconds=30, limit=chance.choice([3, 50]))
    while await intake.run_once(now=clock.now(), lease_seconds=30):
        pass


@pytest.mark.parametrize("seed", range(3))
async def test_from_the_facts_come_the_books_that_intake_kept(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(refolding, "BATCH", 7)
    await shuffled_in(world, seed)
    before = await books()

    assert await refolded() == Refolded(orders=40)
    assert await books() == before

    await unprotected()
    for table in ("sales_order", "order_line", "contribution_entry", "rollup_bucket", "rollup_minute"):
        await database.execute(f"DELETE FROM {table}")
    found = await refolded()
    assert (found.orders, found.missing, len(found.samples)) == (40, 40, refolding.SAMPLES)
    assert await books() == {"orders": [], "buckets": []}

    found = await refolded(apply=True)
    assert (found.missing, found.buckets) == (40, 0)
    assert await books() == before
    assert await refolded() == Refolded(orders=40)
    assert (await database.fetch("SELECT action FROM audit_entry WHERE action LIKE 'books.%'")) == [
        {"action": "books.refolded"}
    ]
    await sound()


DAMAGES = {
    "states": "UPDATE sales_order SET state = '{}' WHERE order_ref = 'o1'",
    "contributions": "UPDATE sales_order SET contribution = '[]' WHERE order_ref = 'o1'",
    "entries": "UPDATE contribution_entry SET buyer_paid = 1 WHERE order_id IN (SELECT id FROM sales_order WHERE"
    " order_ref = 'o1')",
    "missing": "DELETE FROM sales_order WHERE order_ref = 'o1'",
    "buckets": "UPDATE rollup_bucket SET units = units + 1",
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_what_differs_is_told_and_replaced_only_when_asked(db: Settings, damage: str) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, _, account = await a_show(house)
    await bind(shop, account, by=house.manager)
    await sell(shop, "o1", PAID)
    await sell(shop, "o2", PAID, room="unknown")
    await hand_out()
    expected = [(0, "U", 5000), (show, "D", 5000)]
    assert await booked() == expected
    await unprotected()
    await database.execute(DAMAGES[damage])
    damaged = await everything()

    found = await refolded()
    assert (getattr(found, damage), found.differ, found.orders) == (1, True, 2) or damage == "buckets"
    assert found.differ
    assert await everything() == damaged

    assert (await refolded(apply=True)).differ
    assert await booked() == expected
    assert not (await refolded()).differ
    await sound()


async def everything() -> list[list[dict[str, Any]]]:
    tables = (
        "sales_order",
        "order_line",
        "contribution_entry",
        "rollup_bucket",
        "rollup_minute",
        "rollup_repair",
    )
    return [await database.fetch(f"SELECT * FROM {table} ORDER BY id") for table in tables]


async def test_orders_that_wait_for_a_mapping_are_not_judged(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, _, account = await a_show(house)
    await hand_out()
    await sell(shop, "o1", PAID)
    await bind(shop, account, by=house.manager)

    found = await refolded(apply=True)

    assert (found.waiting, found.differ) == (1, False)
    await hand_out()
    assert await booked() == [(show, "D", 5000)]


async def test_an_order_that_no_message_tells_of_is_told_and_left(db: Settings) -> None:
    shop = await a_shop((await a_house()).bureaus[1])
    await sell(shop, "o1", PAID)
    await database.execute("UPDATE inbox_message SET order_key = 'elsewhere'")

    found = await refolded(apply=True)

    assert found.untold == 1
    assert await booked() == [(0, "U", 5000)]


async def test_the_books_are_made_anew_while_intake_books(db: Settings) -> None:
    shop = await a_shop((await a_house()).bureaus[1])
    for n in range(3):
        await sell(shop, f"o{n}", PAID)
    await database.execute("UPDATE sales_order SET contribution = '[]', state = '{}'")
    facts: list[OwnFact] = [
        order_fact(shop.centre_id, shop.shop_ref, f"o{n}", platform=shop.platform, paid=PAID + n)
        for n in range(60)
    ]
    async with database.transaction():
        await record_own(facts, now=clock.now())

    async def take_in() -> None:
        while await intake.run_once(now=clock.now(), lease_seconds=30, limit=5):
            pass

    working = asyncio.create_task(take_in())
    for _ in range(3):
        await refolded(apply=True)
    await working
    await refolded(apply=True)

    assert await booked() == [(0, "U", 60 * 5000)]
    assert not (await refolded()).differ
    await sound()


async def test_an_order_that_is_folded_anew_while_it_is_booked_keeps_what_is_booked(db: Settings) -> None:
    shop = await a_shop((await a_house()).bureaus[1])
    await sell(shop, "o1", PAID)
    await database.execute("UPDATE sales_order SET state = '{}'")

    await overtaking(db, [a_version(shop, "o1", number=2)], lambda: refolded(apply=True))

    assert await booked() == [(0, "U", 7000)]
    await sound()
