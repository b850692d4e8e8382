"""A mapping, a rebuild and intake at the same moment: nothing is missed, and nobody waits for each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.models import Role
from livehub.inbox import queue
from livehub.inbox.recording import OwnFact
from livehub.kit import clock, outbox
from livehub.merchants import registry as merchants
from livehub.orders import intake, ledger, reattribution, rollup
from livehub.orders.contribution import MEASURES
from livehub.orders.models import OrderAssignment, RollupBucket, SalesOrder
from livehub.platforms import shops
from livehub.platforms.contract import Event, EventType, Line, OrderSnapshot, OrderStatus
from livehub.platforms.models import Shop
from livehub.settings import Settings
from rooms import onair
from tests.contention import held, kinds, meet
from tests.factories.accounts import an_actor
from tests.factories.facts import record_own
from tests.factories.merchants import a_product
from tests.factories.platforms import a_shop, an_endpoint
from tests.factories.rooms import a_broadcast, a_house, local
from tests.orders.test_reattribution import a_show, booked, sell, sound

ROOM = "7300000000000000001"
OTHER_ROOM = "7300000000000000002"
PAID = clock.to_ms(local(2, 20, 30))
MINUTE, DAY = 60_000, 86_400_000


def order_fact(
    centre_id: int,
    shop_ref: str,
    order_ref: str,
    *,
    platform: str,
    room: str = "",
    author: str = "",
    product: str = "",
    paid: int = PAID,
) -> OwnFact:
    line = Line(
        line_ref="1", quantity=1, list_fen=5000, buyer_paid_fen=5000,
        room_ref=room, author_ref=author, product_ref=product,
    )  # fmt: skip
    order = OrderSnapshot(status=OrderStatus.PAID, lines=(line,), paid_at=paid, updated_at=paid)
    event = Event(
        type=EventType.ORDER_PAID, shop_ref=shop_ref, order_ref=order_ref, status_at=paid, order=order
    )
    return OwnFact(
        centre_id=centre_id, platform=platform, shop_ref=shop_ref, order_ref=order_ref,
        native_type="order.paid", native_id=order_ref, event=event,
    )  # fmt: skip


@asynccontextmanager
async def booking(facts: list[OwnFact]) -> AsyncIterator[None]:
    """Intake that has booked facts and not committed yet; it commits at the end."""
    async with database.transaction():
        await record_own(facts, now=clock.now())
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


async def overtaking(db: Settings, facts: list[OwnFact], work: Callable[[], Awaitable[object]]) -> object:
    """How a work ends that begins while facts are booked, which are committed when it waits or has ended."""
    working: asyncio.Future[object] | None = None
    try:
        async with booking(facts), held(db) as others:
            working = asyncio.ensure_future(work())
            await others.until_waiting(1, tasks=[working])
    finally:  # whatever comes of the race, nobody works on after it
        ended = await asyncio.gather(*([working] if working else []), return_exceptions=True)
    return ended[0]


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

    await hand_out()  # that it is on air is known

    async def become_known() -> None:
        await bind(public_id, account, ROOM, staff=staff, at=local(2, 21))
        await hand_out()

    fact = order_fact(shop.centre_id, shop.shop_ref, "o1", platform=shop.platform, room=ROOM)
    await overtaking(db, [fact], become_known)

    assert await booked() == [(show, "A", 5000)]
    await sound()


async def test_an_order_booked_while_its_show_goes_on_air_still_finds_it(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show = await a_broadcast(house, local(2, 20))
    await hand_out()
    account = (await database.fetch("SELECT account_ref FROM streamer_account"))[0]["account_ref"]
    staff = an_actor(Role.STAFF, centre_id=house.centre.id)

    async def start() -> None:
        await database.unit(lambda: onair.start(show.public_id, actor=staff, now=local(2, 20)))
        await hand_out()

    fact = order_fact(shop.centre_id, shop.shop_ref, "o1", platform=shop.platform, author=account)
    await overtaking(db, [fact], start)

    assert await booked() == [(show.id, "A", 5000)]
    await sound()


async def test_an_order_booked_while_the_shows_end_becomes_known_is_not_its(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, public_id, account = await a_show(house)
    await onair.pulse({show: local(2, 20, 40)})  # else the order's own sign of life lets the end wait
    await hand_out()
    staff = an_actor(Role.STAFF, centre_id=house.centre.id)

    async def end() -> None:
        await database.unit(lambda: onair.end(public_id, actor=staff, now=local(2, 20, 20)))
        await hand_out()

    fact = order_fact(shop.centre_id, shop.shop_ref, "o1", platform=shop.platform, author=account)
    await overtaking(db, [fact], end)

    assert await booked() == [(0, "U", 5000)]
    await sound()


async def test_an_order_booked_while_its_product_is_mapped_still_finds_it(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    product = await a_product(house.centre)
    manager = an_actor(Role.MANAGER, centre_id=house.centre.id)
    await hand_out()

    async def map_it() -> None:
        await merchants.map_product(
            shop.id, product_ref="p1", product=product.public_id, actor=manager, now=clock.now()
        )
        await hand_out()

    fact = order_fact(shop.centre_id, shop.shop_ref, "o1", platform=shop.platform, product="p1")
    await overtaking(db, [fact], map_it)

    rows = await database.fetch("SELECT product_id FROM rollup_bucket WHERE buyer_paid > 0")
    assert rows == [{"product_id": product.id}]
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

    await overtaking(db, [order_fact(house.centre.id, "new", "o1", platform=endpoint.platform)], be_added)
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


async def many_orders(shop: Shop, numbers: range) -> None:
    facts = [
        order_fact(shop.centre_id, shop.shop_ref, f"o{n:04}", platform=shop.platform, room=ROOM)
        for n in numbers
    ]
    async with booking(facts):
        pass


async def test_orders_are_locked_before_buckets_when_many_move(db: Settings) -> None:
    if db.is_sqlite:
        pytest.skip("one writer at a time: there is no order of locks")
    house = await a_house()
    show = await a_broadcast(house, local(2, 20))
    await many_orders(await a_shop(house.bureaus[1]), range(250))
    staff = an_actor(Role.STAFF, centre_id=house.centre.id)
    await database.unit(lambda: onair.start(show.public_id, actor=staff, now=local(2, 20)))
    account = (await database.fetch("SELECT account_ref FROM streamer_account"))[0]["account_ref"]
    await bind(show.public_id, account, ROOM, staff=staff, at=local(2, 21))

    last = "SELECT id FROM sales_order WHERE order_ref = 'o0249' FOR UPDATE"
    async with held(db, last) as intake_:  # it holds the last order and wants the bucket of all
        moving = asyncio.create_task(hand_out())
        await intake_.until_waiting(1)
        assert await intake_.gets("UPDATE rollup_bucket SET revision = revision + 1")
    await moving

    assert await database.fetch("SELECT last_error FROM outbox_message WHERE last_error <> ''") == []
    assert await booked() == [(show.id, "A", 250 * 5000)]
    await sound()


async def test_orders_are_locked_by_their_keys_when_many_move(db: Settings) -> None:
    """The first two hundred have the later keys: intake, which wants them after the others, gets them."""
    house = await a_house()
    show = await a_broadcast(house, local(2, 20))
    shop = await a_shop(house.bureaus[1])
    await many_orders(shop, range(100, 100 + ledger.CHUNK))
    await many_orders(shop, range(9))
    staff = an_actor(Role.STAFF, centre_id=house.centre.id)
    await database.unit(lambda: onair.start(show.public_id, actor=staff, now=local(2, 20)))
    await hand_out()
    account = (await database.fetch("SELECT account_ref FROM streamer_account"))[0]["account_ref"]
    await bind(show.public_id, account, ROOM, staff=staff, at=local(2, 21))

    async with held(db, "SELECT id FROM sales_order WHERE order_ref = 'o0000' FOR UPDATE") as intake_:
        moving = asyncio.create_task(hand_out())
        await intake_.until_waiting(1)
        assert await intake_.gets("SELECT id FROM sales_order WHERE order_ref = 'o0100' FOR UPDATE")
    await moving

    assert await booked() == [(show.id, "A", (ledger.CHUNK + 9) * 5000)]
    await sound()


async def test_a_rebuild_locks_minutes_before_buckets_as_intake_does(db: Settings) -> None:
    if db.is_sqlite:
        pytest.skip("one writer at a time: there is no order of locks")
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    await sell(shop, "o1", clock.to_ms(clock.now() - timedelta(minutes=5)))

    async with held(db, "UPDATE rollup_minute SET orders = orders") as intake_:
        rebuilding = asyncio.create_task(rollup.rebuild(now=clock.now()))
        await intake_.until_waiting(1)
        assert await intake_.gets("UPDATE rollup_bucket SET revision = revision + 1")

    assert (await rebuilding)["differed"] == 0
    await sound()


def a_version(
    shop: Shop, order_ref: str, *, number: int = 1, paid_at: int = PAID, voucher: str = ""
) -> OwnFact:
    """What one order said at one time; a later version has other money."""
    fen = 5000 + 1000 * number
    line = Line(line_ref="1", quantity=1, list_fen=fen, buyer_paid_fen=fen)
    order = OrderSnapshot(
        status=OrderStatus.PAID,
        lines=(line,),
        paid_at=paid_at,
        updated_at=paid_at + number,
        voucher_code=voucher,
    )
    event = Event(
        type=EventType.ORDER_PAID,
        shop_ref=shop.shop_ref,
        order_ref=order_ref,
        status_at=paid_at + number,
        order=order,
    )
    return OwnFact(
        centre_id=shop.centre_id, platform=shop.platform, shop_ref=shop.shop_ref, order_ref=order_ref,
        native_type="order.paid", native_id=f"{order_ref}:{number}", event=event,
    )  # fmt: skip


async def batches(*batches_: list[OwnFact]) -> list[list[intake.Understood]]:
    """Each batch leased and understood by a worker of its own."""
    understood = []
    for facts in batches_:
        async with database.transaction():
            await record_own(facts, now=clock.now())
        understood.append(
            await intake.understand(await queue.lease(limit=len(facts), seconds=30), now=clock.now())
        )
    return understood


async def applied(understood: list[intake.Understood]) -> None:
    """Once, without another try."""
    async with database.transaction():
        await intake.apply(understood, now=clock.now())


@pytest.mark.parametrize("known", [False, True])
async def test_two_facts_of_one_order_at_once_are_both_kept_and_counted_once(
    db: Settings, known: bool
) -> None:
    shop = await a_shop((await a_house()).bureaus[1])
    if known:
        await sell(shop, "o1", PAID)
    one, other = await batches([a_version(shop, "o1", number=1)], [a_version(shop, "o1", number=2)])

    meeting = (
        "SELECT 1 FROM sales_order FOR UPDATE" if known else "LOCK TABLE rollup_bucket IN EXCLUSIVE MODE"
    )
    answers = await meet(db, meeting, lambda: applied(one), lambda: applied(other))

    assert kinds(answers) == ["NoneType", "NoneType"]
    assert await booked() == [(0, "U", 7000)]
    assert await SalesOrder.all().count() == 1
    await sound()


async def test_the_voucher_of_an_order_is_told_once(db: Settings) -> None:
    shop = await a_shop((await a_house()).bureaus[1])
    one, other = await batches(
        *([a_version(shop, "o1", number=number, voucher="ab" * 16)] for number in (1, 2))
    )

    meeting = "LOCK TABLE rollup_bucket IN EXCLUSIVE MODE"
    await meet(db, meeting, lambda: applied(one), lambda: applied(other))

    told = await database.fetch("SELECT 1 AS one FROM outbox_message WHERE kind = 'OrderVoucherSeen'")
    assert len(told) == 1


async def test_two_orders_of_one_bucket_and_minute_at_once_are_both_counted(db: Settings) -> None:
    shop = await a_shop((await a_house()).bureaus[1])
    now = clock.to_ms(clock.now()) - 5 * MINUTE
    one, other = await batches(*([a_version(shop, order_ref, paid_at=now)] for order_ref in ("o1", "o2")))

    await meet(
        db,
        "LOCK TABLE rollup_bucket, rollup_minute IN EXCLUSIVE MODE",
        lambda: applied(one),
        lambda: applied(other),
    )

    assert await booked() == [(0, "U", 12_000)]
    assert await database.fetch("SELECT g2, orders FROM rollup_minute") == [{"g2": 12_000, "orders": 2}]
    await sound()


@pytest.mark.parametrize("what", ["orders", "days", "minutes"])
async def test_two_batches_in_opposite_sequence_do_not_wait_in_a_ring(db: Settings, what: str) -> None:
    """The middle is held until both want it: one has what comes before it, the other what comes after."""
    shop = await a_shop((await a_house()).bureaus[1])
    now = clock.to_ms(clock.now())
    paid = {
        "orders": [PAID] * 9,
        "days": [PAID - n * DAY for n in range(9)],
        "minutes": [now // MINUTE * MINUTE - (n + 5) * MINUTE for n in range(9)],
    }[what]
    middle = {
        "orders": "UPDATE sales_order SET order_ref = 'elsewhere' WHERE order_ref = 'o4'",
        "days": "UPDATE rollup_bucket SET revision = revision"
        " WHERE day = (SELECT day FROM rollup_bucket ORDER BY day OFFSET 4 LIMIT 1)",
        "minutes": "UPDATE rollup_minute SET orders = orders"
        " WHERE minute = (SELECT minute FROM rollup_minute ORDER BY minute OFFSET 4 LIMIT 1)",
    }[what]
    there = [(4, PAID)] if what == "orders" else list(enumerate(paid))
    (first,) = await batches([a_version(shop, f"o{n}", paid_at=at) for n, at in there])
    await applied(first)
    forth = [a_version(shop, f"o{n}", number=2, paid_at=at) for n, at in enumerate(paid)]
    back = [
        a_version(shop, f"o{n}" if what == "orders" else f"p{n}", number=3, paid_at=at)
        for n, at in enumerate(paid)
    ]
    one, other = await batches(forth, back)

    answers = await meet(db, middle, lambda: applied(one), lambda: applied(other[::-1]))

    assert kinds(answers) == ["NoneType", "NoneType"]
    await sound()


async def test_a_rebuild_waits_for_what_is_being_booked(db: Settings) -> None:
    """A bucket that nothing speaks for is not dropped with what was just booked into it."""
    shop = await a_shop((await a_house()).bureaus[1])
    await RollupBucket.create(
        centre_id=shop.centre_id, day=20260302, broadcast_id=0, shop_id=shop.id, streamer_id=0, product_id=0,
        attribution="U", revision=1, **dict.fromkeys(MEASURES, 7),
    )  # fmt: skip
    rebuilt = await overtaking(db, [a_version(shop, "o1")], lambda: rollup.rebuild(now=clock.now()))

    assert rebuilt == {"buckets": 1, "differed": 1}
    await sound()


async def test_two_vouchers_of_one_order_at_the_same_moment_give_it_to_one_show(db: Settings) -> None:
    shop = await a_shop((await a_house()).bureaus[1])
    await sell(shop, "o1", PAID)
    order = await SalesOrder.get()

    def assign(show: int) -> Awaitable[None]:
        return database.unit(
            lambda: reattribution.assign(
                order.id, broadcast_id=show, streamer_id=0, source="voucher", now=clock.now()
            )
        )

    answers = await meet(
        db, "LOCK TABLE order_assignment IN EXCLUSIVE MODE", lambda: assign(1), lambda: assign(2)
    )

    assert kinds(answers) == ["NoneType", "NoneType"]
    assert await booked() == [(each.broadcast_id, "B", 5000) for each in await OrderAssignment.all()]
    await sound()
