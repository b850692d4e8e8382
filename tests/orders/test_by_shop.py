"""Class D: the only broadcast on an account of the order's shop, however late that becomes known."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.models import Role
from livehub.inbox import queue
from livehub.kit import clock, outbox
from livehub.orders import intake, reattribution
from livehub.platforms.models import Shop
from livehub.settings import Settings
from rooms import onair, shop_accounts
from rooms.facts import ShopAccountChanged
from rooms.models import Broadcast, ShopAccount
from tests.contention import kinds, meet
from tests.factories.accounts import an_actor
from tests.factories.facts import record_own
from tests.factories.platforms import a_shop
from tests.factories.rooms import House, a_broadcast, a_house, a_room, local
from tests.factories.streamers import a_streamer
from tests.orders.test_races import hand_out, order_fact, overtaking
from tests.orders.test_reattribution import ROOM_REF, a_show, booked, sell, sound

DURING = clock.to_ms(local(2, 20, 30))


async def a_selling_house() -> tuple[House, Shop, Actor]:
    """A house whose shop sells on its streamer's account."""
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    await bind(shop, await account_of(house.streamer.id), by=house.manager)
    return house, shop, an_actor(Role.STAFF, centre_id=house.centre.id)


async def account_of(streamer_id: int) -> str:
    rows = await database.fetch(
        "SELECT account_ref FROM streamer_account WHERE streamer_id = $1", streamer_id
    )
    return rows[0]["account_ref"]


async def bind(shop: Shop, account: str, *, by: Actor) -> None:
    await database.unit(
        lambda: shop_accounts.bind(
            shop.public_id, platform="doudian", account_ref=account, actor=by, now=clock.now()
        )
    )


async def unbind(shop: Shop, account: str, *, by: Actor) -> None:
    await database.unit(
        lambda: shop_accounts.unbind(
            shop.public_id, platform="doudian", account_ref=account, actor=by, now=clock.now()
        )
    )


async def start(public_id: str, *, by: Actor, at: datetime) -> None:
    await database.unit(lambda: onair.start(public_id, actor=by, now=at))
    await hand_out()


async def end(public_id: str, *, by: Actor, at: datetime) -> None:
    await database.unit(lambda: onair.end(public_id, actor=by, now=at))
    await hand_out()


async def test_an_order_that_says_nothing_belongs_to_the_only_show_of_its_shops_account(db: Settings) -> None:
    house, shop, staff = await a_selling_house()
    other = await a_shop(house.bureaus[1])
    show, public_id, account = await a_show(house)
    await sell(shop, "during", DURING)
    await sell(shop, "before", clock.to_ms(local(2, 19, 59)))
    await sell(shop, "elsewhere", DURING, room="a-room-nobody-knows")
    await sell(shop, "somebody", DURING, author="an-author-nobody-knows")
    await sell(shop, "by-author", DURING, author=account)
    await sell(other, "not-its-shop", DURING)
    await end(public_id, by=staff, at=local(2, 21))

    await sell(shop, "at-the-end", clock.to_ms(local(2, 21)))
    await sell(shop, "after", clock.to_ms(local(2, 21)) + 1)

    assert await booked() == [(0, "U", 25_000), (show, "A", 5000), (show, "D", 10_000)]
    await sound()


async def test_a_shops_year_is_judged_anew_some_at_a_time_and_goes_on_where_it_was(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reattribution, "BATCH", 2)
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, _, account = await a_show(house)
    for n in range(5):
        await sell(shop, f"o{n}", DURING)
    await hand_out()

    await bind(shop, account, by=house.manager)
    told = []
    while progress := await shop_accounts.judging(shop.id):
        told.append((progress[0].orders, await booked()))
        if len(told) == 2:  # killed after it booked, before it was noted: the same is judged once more
            (again,) = await outbox.waiting(ShopAccountChanged)
            await reattribution.on_shop_account_changed(again, clock.now())
            await database.execute(
                "DELETE FROM outbox_message WHERE id = (SELECT max(id) FROM outbox_message)"
            )
        await outbox.hand_out(now=clock.now(), limit=1)

    assert told == [
        (0, [(0, "U", 25_000)]),
        (2, [(0, "U", 15_000), (show, "D", 10_000)]),
        (4, [(0, "U", 5_000), (show, "D", 20_000)]),
    ]
    assert await booked() == [(show, "D", 25_000)]
    await sound()


async def test_pauses_belong_to_the_show_once_it_goes_on(db: Settings) -> None:
    house, shop, staff = await a_selling_house()
    show, public_id, _ = await a_show(house)
    await end(public_id, by=staff, at=local(2, 20, 20))
    await sell(shop, "in-the-pause", DURING)
    assert await booked() == [(0, "U", 5000)]

    await start(public_id, by=staff, at=local(2, 20, 40))

    assert await booked() == [(show, "D", 5000)]
    await sound()


async def test_two_shows_of_one_account_leave_their_orders_to_nobody(db: Settings) -> None:
    house, shop, staff = await a_selling_house()
    account = await account_of(house.streamer.id)
    show, public_id, _ = await a_show(house)
    await sell(shop, "o1", DURING)
    assert await booked() == [(show, "D", 5000)]

    second = await a_streamer(house.centre)
    room = await a_room(house.centre)
    rival = await a_broadcast(house, local(2, 20), room=room.public_id, streamer=second.public_id)
    await start(rival.public_id, by=staff, at=local(2, 20, 10))
    assert await booked() == [(show, "D", 5000)]  # the other show is on another account

    await bind(shop, await account_of(second.id), by=house.manager)
    await hand_out()
    assert await booked() == [(0, "U", 5000)]

    await end(rival.public_id, by=staff, at=local(2, 20, 20))
    assert await booked() == [(show, "D", 5000)]

    await end(public_id, by=staff, at=local(2, 20, 25))
    assert await booked() == [(0, "U", 5000)]

    async def on_the_same_account() -> None:
        await onair.bind_room(
            rival.public_id, platform="doudian", account_ref=account, room_ref=ROOM_REF, actor=staff,
            now=local(2, 20, 30),
        )  # fmt: skip

    await sell(shop, "o2", clock.to_ms(local(2, 20, 5)))
    await sell(shop, "o3", clock.to_ms(local(2, 20, 15)))
    assert await booked() == [(0, "U", 10_000), (show, "D", 5000)]
    await unbind(shop, await account_of(second.id), by=house.manager)
    await hand_out()
    assert await booked() == [(0, "U", 5000), (show, "D", 10_000)]
    await database.unit(on_the_same_account)
    await hand_out()
    assert await booked() == [(0, "U", 10_000), (show, "D", 5000)]
    await sound()


async def test_binding_a_shop_moves_what_it_sold_and_unbinding_gives_it_back(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, _, account = await a_show(house)
    await sell(shop, "o1", DURING)
    await sell(shop, "told", DURING, room="another-room")
    await hand_out()
    assert await booked() == [(0, "U", 10_000)]

    await bind(shop, account, by=house.manager)
    await bind(shop, account, by=house.manager)
    await hand_out()
    assert await booked() == [(0, "U", 5000), (show, "D", 5000)]
    moves = await database.fetch(
        "SELECT broadcast_id, buyer_paid, reason FROM contribution_entry WHERE reason <> 'message' ORDER BY id"
    )
    assert [tuple(each.values()) for each in moves] == [
        (0, -5000, "attribution"),
        (show, 5000, "attribution"),
    ]

    await unbind(shop, account, by=house.manager)
    await hand_out()
    assert await booked() == [(0, "U", 10_000)]
    assert [each["action"] for each in await database.fetch(
        "SELECT action FROM audit_entry WHERE object_kind = 'shop' AND action <> 'shop.added' ORDER BY id"
    )] == ["shop.account_bound", "shop.account_unbound"]  # fmt: skip
    await sound()


async def test_a_show_that_nobody_ended_is_not_kept_on_air_by_what_its_shop_sells(db: Settings) -> None:
    house, shop, _ = await a_selling_house()
    show, _, _ = await a_show(house)

    await sell(shop, "o1", DURING)

    assert await booked() == [(show, "D", 5000)]
    assert (await Broadcast.get(id=show)).heartbeat_at == local(2, 20)


async def test_an_order_booked_while_its_shop_is_bound_still_finds_the_show(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, _, account = await a_show(house)
    await hand_out()

    async def become_known() -> None:
        await bind(shop, account, by=house.manager)
        await hand_out()

    fact = order_fact(shop.centre_id, shop.shop_ref, "o1", platform=shop.platform)
    await overtaking(db, [fact], become_known)

    assert await booked() == [(show, "D", 5000)]
    await sound()


async def test_two_clerks_who_bind_the_same_account_bind_it_once(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    account = await account_of(house.streamer.id)

    answers = await meet(
        db,
        "LOCK TABLE shop_account IN EXCLUSIVE MODE",
        lambda: bind(shop, account, by=house.manager),
        lambda: bind(shop, account, by=house.manager),
    )

    assert kinds(answers) == ["NoneType", "NoneType"]
    assert await ShopAccount.all().count() == 1
    told = await database.fetch("SELECT 1 AS one FROM outbox_message WHERE kind = 'ShopAccountChanged'")
    assert len(told) == 1


async def test_a_batch_of_many_days_asks_for_its_shows_once(db: Settings) -> None:
    house, shop, staff = await a_selling_house()
    for day in (3, 4):
        show = await a_broadcast(house, local(day, 20))
        await start(show.public_id, by=staff, at=local(day, 20))
        await end(show.public_id, by=staff, at=local(day, 21))
    facts = [
        order_fact(shop.centre_id, shop.shop_ref, f"o{n}", platform=shop.platform, paid=at)
        for n, at in enumerate(clock.to_ms(local(3, 20, 30) + timedelta(hours=12 * n)) for n in range(3))
    ]
    async with database.transaction():
        await record_own(facts, now=clock.now())
    understood = await intake.understand(await queue.lease(limit=500, seconds=30), now=clock.now())
    await database.unit(lambda: intake.apply(understood, now=clock.now()))

    shows = [each.id for each in await Broadcast.all().order_by("id")]
    assert await booked() == [(0, "U", 5000), (shows[0], "D", 5000), (shows[1], "D", 5000)]
    assert not await outbox.hand_out(now=clock.now())
    await sound()
