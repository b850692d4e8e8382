"""Orders made anew from their facts: nobody waits long for it, and nothing that people said of them is lost."""

from __future__ import annotations

import asyncio

import pytest

from livehub import database
from livehub.accounts.models import Role
from livehub.kit import clock, outbox
from livehub.orders import former
from livehub.orders.facts import OrderRefunded, OrderVoucherSeen
from livehub.orders.invariants import settled
from livehub.orders.models import LineAssignment, SalesOrder
from livehub.orders.statements.models import SettledMark
from livehub.settings import Settings
from rooms.facts import ShopAccountChanged
from tests.contention import held
from tests.factories.accounts import an_actor
from tests.factories.facts import record_own
from tests.factories.platforms import a_shop
from tests.factories.rooms import a_broadcast, a_house, local
from tests.factories.statements import a_file, a_row, imported
from tests.orders.test_assigning import give
from tests.orders.test_auditing import unprotected
from tests.orders.test_races import PAID, a_version, hand_out
from tests.orders.test_reattribution import booked, sell, sound
from tests.orders.test_refolding import refolded
from tests.vouchers.test_matching import settle

SUMS = "LOCK TABLE rollup_bucket IN ROW EXCLUSIVE MODE"  # as somebody who books holds it


async def test_a_comparison_of_what_differs_waits_for_nobody(db: Settings) -> None:
    shop = await a_shop((await a_house()).bureaus[1])
    await sell(shop, "o1", PAID)
    await unprotected()
    await database.execute("UPDATE contribution_entry SET buyer_paid = 1")

    async with held(db, SUMS, "SELECT 1 FROM sales_order FOR UPDATE"), asyncio.timeout(5):
        found = await refolded()

    assert (found.entries, found.buckets) == (1, 1)


async def test_who_waits_for_the_sums_of_a_day_holds_no_order(db: Settings) -> None:
    if db.is_sqlite:
        pytest.skip("one writer at a time")
    shop = await a_shop((await a_house()).bureaus[1])
    await sell(shop, "o1", PAID)
    await unprotected()
    await database.execute("UPDATE contribution_entry SET buyer_paid = 1")

    async with held(db, SUMS) as somebody:
        applying = asyncio.create_task(refolded(apply=True))
        await somebody.until_waiting(1)
        assert await somebody.gets("SELECT 1 FROM sales_order FOR UPDATE NOWAIT")

    assert (await applying).entries == 1
    assert not (await refolded()).differ
    await sound()


async def test_an_order_gets_its_number_back_and_what_was_said_and_settled_of_it(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show = await a_broadcast(house, local(4, 20))
    clerk = an_actor(Role.STAFF, centre_id=house.centre.id)
    await hand_out()
    await sell(shop, "o1", PAID)
    await sell(shop, "o2", PAID)
    await give(shop, "o1", to=show.public_id, by=clerk)
    await imported(a_file([a_row("o1", "50")]), centre_id=house.centre.id, shop=shop.public_id)
    before, expected = await SalesOrder.get(order_ref="o1"), await booked()
    await unprotected()
    await database.execute("DELETE FROM sales_order WHERE order_ref = 'o1'")

    told = await refolded()
    found = await refolded(apply=True)

    assert (told.missing, told.orphans) == (found.missing, found.orphans) == (1, 0)
    assert (await SalesOrder.get(order_ref="o1")).id == before.id
    assert await booked() == expected == [(0, "U", 5000), (show.id, "M", 5000)]
    assert [each.order_id for each in await SettledMark.all()] == [before.id]
    assert await settled.check() == []
    assert not (await refolded()).differ
    await sound()


async def test_words_follow_an_order_that_came_back_under_another_number(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show = await a_broadcast(house, local(4, 20))
    clerk = an_actor(Role.STAFF, centre_id=house.centre.id)
    await hand_out()
    await sell(shop, "o1", PAID)
    await give(shop, "o1", to=show.public_id, by=clerk)
    await unprotected()
    await database.execute("DELETE FROM sales_order")
    await sell(shop, "o1", PAID, name="again", updated=PAID + 1, fen=6000)
    assert [row for row in await booked() if row[1] == "U"] == [(0, "U", 6000)]

    told = await refolded()
    found = await refolded(apply=True)

    assert (told.words, told.orphans) == (found.words, found.orphans) == (1, 1)
    assert await booked() == [(show.id, "M", 6000)]
    order = await SalesOrder.get()
    words = [each.actor_name for each in await LineAssignment.filter(order_id=order.id)]
    assert words == [clerk.name]
    assert await former.words({}) == []
    assert not (await refolded()).differ
    await sound()


async def test_vouchers_of_an_order_that_is_made_anew_are_told_at_once(db: Settings) -> None:
    shop = await a_shop((await a_house()).bureaus[1])
    async with database.transaction():
        await record_own([a_version(shop, "o1", voucher="ab" * 16)], now=clock.now())
    await settle()
    await unprotected()
    await database.execute("DELETE FROM outbox_message")
    await database.execute("DELETE FROM sales_order")

    await refolded()
    assert await outbox.waiting(OrderVoucherSeen) == []
    await refolded(apply=True)

    (seen,) = await outbox.waiting(OrderVoucherSeen)
    order = await SalesOrder.get()
    assert (seen.order_id, seen.order_ref, seen.voucher_index, order.voucher_index) == (
        order.id, "o1", "ab" * 16, "ab" * 16,
    )  # fmt: skip
    assert await outbox.waiting(OrderRefunded) == []
    await refolded(apply=True)
    assert len(await outbox.waiting(OrderVoucherSeen)) == 1
    assert await outbox.waiting(ShopAccountChanged) == []
