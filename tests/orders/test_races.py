"""A mapping, a rebuild and intake at the same moment: nothing is missed, and nobody waits for each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import asyncpg
import pytest

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.models import Role
from livehub.inbox import queue, receiving
from livehub.inbox.receiving import OwnFact
from livehub.kit import clock, outbox
from livehub.orders import intake, rollup
from livehub.platforms import shops
from livehub.platforms.contract import Event, EventType, Line, OrderSnapshot, OrderStatus
from livehub.settings import Settings
from rooms import onair
from tests.factories.accounts import an_actor
from tests.factories.platforms import a_shop, an_endpoint
from tests.factories.rooms import House, a_broadcast, a_house, local
from tests.orders.test_reattribution import a_show, booked, sell, sound

ROOM = "7300000000000000001"
OTHER_ROOM = "7300000000000000002"
PAID = clock.to_ms(local(2, 20, 30))


def order_fact(centre_id: int, shop_ref: str, order_ref: str, *, platform: str, room: str = "") -> OwnFact:
    line = Line(line_ref="1", quantity=1, list_fen=5000, buyer_paid_fen=5000, room_ref=room)
    order = OrderSnapshot(status=OrderStatus.PAID, lines=(line,), paid_at=PAID, updated_at=PAID)
    event = Event(
        type=EventType.ORDER_PAID, shop_ref=shop_ref, order_ref=order_ref, status_at=PAID, order=order
    )
    return OwnFact(
        centre_id=centre_id, platform=platform, shop_ref=shop_ref, order_ref=order_ref,
        native_type="order.paid", native_id=order_ref, event=event,
    )  # fmt: skip


@asynccontextmanager
async def booking(facts: list[OwnFact]) -> AsyncIterator[None]:
    """Intake that has booked facts and not committed yet; it commits at the end."""
    async with database.transaction():
        await receiving.record_own(facts, now=clock.now())
    understood = await intake.understand(await queue.lease(limit=500, seconds=30), now=clock.now())
    booked_, go = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with database.transaction():
            await intake.apply(understood, now=clock.now())
            booked_.set()
            await go.wait()

    working = asyncio.create_task(work())
    try:
        await booked_.wait()
        yield
    finally:
        go.set()
        await working


async def hand_out() -> None:
    while await outbox.hand_out(now=clock.now()):
        pass


async def bind(public_id: str, account: str, room: str, *, staff: Actor, at: datetime) -> None:
    await database.unit(
        lambda: onair.bind_room(
            public_id, platform="doudian", account_ref=account, room_ref=room, actor=staff, now=at
        )
    )


async def test_an_order_booked_while_its_room_becomes_known_still_finds_it(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, public_id, account = await a_show(house)
    staff = an_actor(Role.STAFF, centre_id=house.centre.id)

    async def become_known() -> None:
        await bind(public_id, account, ROOM, staff=staff, at=local(2, 21))
        await hand_out()

    fact = order_fact(shop.centre_id, shop.shop_ref, "o1", platform=shop.platform, room=ROOM)
    async with booking([fact]):
        knowing = asyncio.create_task(become_known())
        await asyncio.sleep(0.5)
    await knowing

    assert await booked() == [(show, "A", 5000)]
    await sound()


async def test_a_message_parked_while_its_shop_is_added_is_opened_again(db: Settings) -> None:
    house = await a_house()
    endpoint = await an_endpoint(house.bureaus[0])

    async def be_added() -> None:
        await shops.add_shop(
            house.bureaus[0].id, endpoint_id=endpoint.id, shop_ref="new", name="新店", actor=house.manager,
            now=clock.now(),
        )  # fmt: skip
        await hand_out()

    async with booking([order_fact(house.centre.id, "new", "o1", platform=endpoint.platform)]):
        adding = asyncio.create_task(be_added())
        await asyncio.sleep(0.5)
    await adding
    while await intake.run_once(now=clock.now(), lease_seconds=30):
        pass

    assert await booked() == [(0, "U", 5000)]
    await sound()


async def test_a_room_that_was_wrong_gives_its_orders_back(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, public_id, account = await a_show(house)
    staff = an_actor(Role.STAFF, centre_id=house.centre.id)
    await bind(public_id, account, ROOM, staff=staff, at=local(2, 20, 10))
    await hand_out()
    await sell(shop, "o1", PAID, room=ROOM)
    await sell(shop, "o2", PAID, room=OTHER_ROOM)
    assert await booked() == [(0, "U", 5000), (show, "A", 5000)]

    await bind(public_id, account, OTHER_ROOM, staff=staff, at=local(2, 20, 40))
    await hand_out()

    rows = await database.fetch(
        "SELECT o.order_ref, e.broadcast_id, sum(e.buyer_paid) AS fen FROM contribution_entry e JOIN sales_order o"
        " ON o.id = e.order_id GROUP BY o.order_ref, e.broadcast_id HAVING sum(e.buyer_paid) <> 0 ORDER BY 1"
    )
    assert [(row["order_ref"], row["broadcast_id"]) for row in rows] == [("o1", 0), ("o2", show)]
    await sound()


async def test_an_account_told_late_brings_its_orders(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, public_id, _ = await a_show(house)
    staff = an_actor(Role.STAFF, centre_id=house.centre.id)
    await hand_out()
    await sell(shop, "o1", PAID, author="another-account")

    await bind(public_id, "another-account", ROOM, staff=staff, at=local(2, 21))
    await hand_out()

    assert await booked() == [(show, "A", 5000)]
    await sound()


async def test_what_was_sold_in_the_gap_before_a_second_start_belongs_to_the_show(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, public_id, account = await a_show(house)
    staff = an_actor(Role.STAFF, centre_id=house.centre.id)
    await database.unit(lambda: onair.end(public_id, actor=staff, now=local(2, 20, 20)))
    await hand_out()
    await sell(shop, "o1", PAID, author=account)
    assert await booked() == [(0, "U", 5000)]

    await database.unit(lambda: onair.start(public_id, actor=staff, now=local(2, 20, 40)))
    await hand_out()

    assert await booked() == [(show, "A", 5000)]
    await sound()


@asynccontextmanager
async def another_session(db: Settings) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(db.database)
    try:
        await connection.execute("SET lock_timeout = '1s'")
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


async def many_orders(house: House, count: int) -> None:
    shop = await a_shop(house.bureaus[1])
    facts = [
        order_fact(shop.centre_id, shop.shop_ref, f"o{n:04}", platform=shop.platform, room=ROOM)
        for n in range(count)
    ]
    async with booking(facts):
        pass


async def test_orders_are_locked_before_buckets_when_many_move(db: Settings) -> None:
    if db.is_sqlite:
        pytest.skip("one writer at a time: there is no order of locks")
    house = await a_house()
    show = await a_broadcast(house, local(2, 20))
    await many_orders(house, 250)
    staff = an_actor(Role.STAFF, centre_id=house.centre.id)
    await database.unit(lambda: onair.start(show.public_id, actor=staff, now=local(2, 20)))
    account = (await database.fetch("SELECT account_ref FROM streamer_account"))[0]["account_ref"]
    await bind(show.public_id, account, ROOM, staff=staff, at=local(2, 21))

    async with another_session(db) as intake_:  # it holds the last order and wants the bucket of all
        await intake_.execute("SELECT id FROM sales_order WHERE order_ref = 'o0249' FOR UPDATE")
        moving = asyncio.create_task(hand_out())
        await asyncio.sleep(1)
        await intake_.execute("UPDATE rollup_bucket SET revision = revision + 1")
    await moving

    assert await database.fetch("SELECT last_error FROM outbox_message WHERE last_error <> ''") == []
    assert await booked() == [(show.id, "A", 250 * 5000)]
    await sound()


async def test_a_rebuild_locks_minutes_before_buckets_as_intake_does(db: Settings) -> None:
    if db.is_sqlite:
        pytest.skip("one writer at a time: there is no order of locks")
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    await sell(shop, "o1", clock.to_ms(clock.now() - timedelta(minutes=5)))

    async with another_session(db) as intake_:
        await intake_.execute("UPDATE rollup_minute SET orders = orders")
        rebuilding = asyncio.create_task(rollup.rebuild(now=clock.now()))
        await asyncio.sleep(0.5)
        await intake_.execute("UPDATE rollup_bucket SET revision = revision + 1")

    assert (await rebuilding)["differed"] == 0
    await sound()
