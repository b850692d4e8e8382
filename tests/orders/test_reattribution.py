"""Mappings that come late: the contribution moves by an entry, nothing is lost and nothing is counted twice."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import timedelta

import pytest

from livehub import database
from livehub import settings as knobs
from livehub.accounts.models import Role
from livehub.inbox.recording import OwnFact
from livehub.kit import clock, outbox
from livehub.merchants import registry as merchants
from livehub.orders import intake, reattribution
from livehub.orders.invariants import buckets, contributions, folds
from livehub.platforms.contract import Event, EventType, Line, OrderSnapshot, OrderStatus
from livehub.platforms.models import Shop
from livehub.settings import Settings
from rooms import onair
from tests.factories.accounts import an_actor
from tests.factories.facts import record_own
from tests.factories.merchants import a_product
from tests.factories.platforms import a_shop
from tests.factories.rooms import House, a_broadcast, a_house, local

ROOM_REF = "7300000000000000001"


async def sell(
    shop: Shop,
    order_ref: str,
    paid_ms: int,
    *,
    fen: int = 5000,
    author: str = "",
    room: str = "",
    code: str = "",
    name: str = "",
    updated: int = 0,
) -> None:
    line = Line(
        line_ref="1",
        product_ref="p1",
        quantity=1,
        list_fen=fen,
        buyer_paid_fen=fen,
        author_ref=author,
        room_ref=room,
    )
    order = OrderSnapshot(
        status=OrderStatus.PAID, lines=(line,), created_at=paid_ms, paid_at=paid_ms,
        updated_at=updated or paid_ms, broadcast_ref=code,
    )  # fmt: skip
    event = Event(
        type=EventType.ORDER_PAID, shop_ref=shop.shop_ref, order_ref=order_ref, status_at=paid_ms, order=order
    )
    fact = OwnFact(
        centre_id=shop.centre_id, platform=shop.platform, shop_ref=shop.shop_ref, order_ref=order_ref,
        native_type="order.paid", native_id=name or order_ref, event=event,
    )  # fmt: skip
    async with database.transaction():
        await record_own([fact], now=clock.now())
    await intake.run_once(now=clock.now(), lease_seconds=30)


async def booked() -> list[tuple[int, str, int]]:
    """(broadcast, class, gross fen) of every bucket that is not empty."""
    rows = await database.fetch(
        "SELECT broadcast_id, attribution, sum(buyer_paid) AS fen FROM rollup_bucket"
        " GROUP BY broadcast_id, attribution HAVING sum(buyer_paid) <> 0 ORDER BY broadcast_id, attribution"
    )
    return [(row["broadcast_id"], row["attribution"], int(row["fen"])) for row in rows]


async def sound() -> None:
    assert await buckets.check() == await contributions.check() == await folds.check() == []


async def a_show(house: House) -> tuple[int, str, str]:
    """A broadcast on air since 20:00: (row id, public id, the author's account)."""
    show = await a_broadcast(house, local(2, 20))
    staff = an_actor(Role.STAFF, centre_id=house.centre.id)
    await database.unit(lambda: onair.start(show.public_id, actor=staff, now=local(2, 20)))
    account = (await database.fetch("SELECT account_ref FROM streamer_account"))[0]["account_ref"]
    return show.id, show.public_id, account


async def test_an_order_finds_its_broadcast_when_the_room_becomes_known(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    await sell(shop, "o1", clock.to_ms(local(2, 20, 30)), room=ROOM_REF)
    assert await booked() == [(0, "U", 5000)]

    show, public_id, account = await a_show(house)
    staff = an_actor(Role.STAFF, centre_id=house.centre.id)
    await database.unit(
        lambda: onair.bind_room(
            public_id,
            platform="doudian",
            account_ref=account,
            room_ref=ROOM_REF,
            actor=staff,
            now=local(2, 21),
        )
    )
    while await outbox.hand_out(now=clock.now()):
        pass

    assert await booked() == [(show, "A", 5000)]
    moves = await database.fetch(
        "SELECT broadcast_id, buyer_paid, reason, message_id FROM contribution_entry ORDER BY id"
    )
    assert [(m["broadcast_id"], m["buyer_paid"], m["reason"]) for m in moves[1:]] == [
        (0, -5000, "attribution"),
        (show, 5000, "attribution"),
    ]
    await sound()


async def test_an_author_counts_only_while_the_show_is_on(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, public_id, account = await a_show(house)
    await sell(shop, "during", clock.to_ms(local(2, 20, 30)), author=account)
    await sell(shop, "late", clock.to_ms(local(2, 20, 50)), author=account)
    assert await booked() == [(show, "A", 10_000)]

    staff = an_actor(Role.STAFF, centre_id=house.centre.id)
    await database.unit(lambda: onair.end(public_id, actor=staff, now=local(2, 20, 40)))
    while await outbox.hand_out(now=clock.now()):
        pass

    assert await booked() == [(0, "U", 5000), (show, "A", 5000)]
    await sound()


async def test_a_voucher_gives_an_order_its_broadcast_but_never_against_the_platform(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, _, account = await a_show(house)
    await sell(shop, "plain", clock.to_ms(local(2, 20, 30)))
    await sell(shop, "told", clock.to_ms(local(2, 20, 31)), author=account)
    ids = {
        row["order_ref"]: row["id"] for row in await database.fetch("SELECT id, order_ref FROM sales_order")
    }

    async with database.transaction():
        for order_ref, elsewhere in (("plain", show), ("told", show + 99)):
            await reattribution.assign(
                ids[order_ref], broadcast_id=elsewhere, streamer_id=1, source="redemption:x", now=clock.now(),
            )  # fmt: skip

    assert await booked() == [(show, "A", 5000), (show, "B", 5000)]
    await sound()


async def test_the_orders_of_a_product_are_walked_without_sorting_them(db: Settings) -> None:
    """Each turn reads its own orders: neither all that follow nor those of other products."""
    await database.execute(
        "WITH RECURSIVE of(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM of WHERE n < 20000)"
        " INSERT INTO order_line (order_id, line_ref, shop_id, platform, product_ref, room_ref, author_ref,"
        " paid_at) SELECT (n * 7919) % 20011, n, 1 + n % 3, 'doudian', 'p' || (n % 7), '', '', 0 FROM of"
    )
    await database.execute("ANALYZE")

    question = reattribution._OF_PRODUCT
    for place, value in {"$1": "1", "$2": "'p1'", "$3": "0", "$4": "500"}.items():
        question = question.replace(place, value)
    explain = "EXPLAIN QUERY PLAN" if db.is_sqlite else "EXPLAIN"
    async with database.transaction():
        await database.prefer_indexes()  # twenty thousand rows are few
        plan = " ".join(str(row) for row in await database.fetch(f"{explain} {question}"))

    assert "order_id>" in plan.replace(" ", "")
    assert "shop_id=" in plan.replace(" ", "")
    for other in ("Filter", "Sort", "TEMP B-TREE"):  # all are conditions of the index, and its order is ours
        assert other not in plan


async def test_a_product_leaves_the_unmapped_when_it_is_mapped(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[0])
    product = await a_product(house.centre)
    await sell(shop, "o1", clock.to_ms(clock.now() - timedelta(hours=1)))

    await merchants.map_product(
        shop.id, product_ref="p1", product=product.public_id, actor=house.manager, now=clock.now()
    )
    while await outbox.hand_out(now=clock.now()):
        pass

    rows = await database.fetch("SELECT product_id, buyer_paid FROM rollup_bucket WHERE buyer_paid <> 0")
    assert rows == [{"product_id": product.id, "buyer_paid": 5000}]
    await sound()


# Books two orders at a time, and is killed with the second two in its hands.
KILLED = """
import asyncio, os, signal
from livehub import process, settings
from livehub.kit import clock, outbox
from livehub.orders import ledger, reattribution

reattribution.BATCH = 2
book, booked = ledger.book_anew, []

async def book_and_die(orders, **more):
    await book(orders, **more)
    booked.append(orders)
    if len(booked) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

ledger.book_anew = book_and_die

async def main():
    await process.start(settings.load())
    while await outbox.hand_out(now=clock.now(), limit=1):
        pass

asyncio.run(main())
"""


async def test_a_mapping_of_many_orders_is_killed_midway_and_goes_on(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[0])
    product = await a_product(house.centre)
    for n in range(5):
        await sell(shop, f"o{n}", clock.to_ms(clock.now() - timedelta(hours=1)))
    while await outbox.hand_out(now=clock.now()):
        pass
    await merchants.map_product(
        shop.id, product_ref="p1", product=product.public_id, actor=house.manager, now=clock.now()
    )

    dead = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, env=knobs.environment(db), stderr=asyncio.subprocess.PIPE
    )
    _, said = await dead.communicate()

    assert dead.returncode == -signal.SIGKILL, said.decode()
    assert await mapped(product.id) == 2 * 5000  # what was committed
    await database.execute("UPDATE outbox_message SET lease_until = 0, next_attempt_at = 0")
    monkeypatch.setattr(reattribution, "BATCH", 2)
    steps = []
    while await outbox.hand_out(now=clock.now(), limit=1):
        steps.append(await mapped(product.id))
    assert steps == [4 * 5000, 5 * 5000]
    await sound()


async def mapped(product_id: int) -> int:
    """The money that stands under a product, in fen."""
    row = await database.fetch_one(
        "SELECT coalesce(sum(buyer_paid), 0) AS fen FROM rollup_bucket WHERE product_id = $1", product_id
    )
    return int(row["fen"]) if row else 0
