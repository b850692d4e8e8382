"""Drops: planned within the stock, one open at a time, only while live, closed by hand or time."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.errors import PermissionMissing
from livehub.accounts.models import Bureau
from livehub.kit import outbox
from livehub.kit.errors import Forbidden
from livehub.settings import Settings
from livehub.vouchers import drops, latch, link_pages, links, queries
from livehub.vouchers.claims import ClaimDesk
from livehub.vouchers.errors import (
    DropAlreadyOpen,
    DropTooMany,
    DropWindowTooLong,
    Ended,
    NotLive,
    NotStarted,
    SoldOut,
)
from livehub.vouchers.models import ClaimLink, Drop, Template, Voucher
from rooms.facts import BookingApproved, CueFired
from rooms.models import Broadcast, BroadcastState
from tests.factories.vouchers import NOW, World, a_broadcast, a_claimant, a_crowd, a_kind, a_world, warm


@pytest.fixture(autouse=True)
def _open_latch() -> None:
    latch.clear()


async def a_drop(
    world: World, broadcast: Broadcast, quantity: int = 100, window_s: int = 600, cue_ref: str = ""
) -> Drop:
    return await drops.plan(
        broadcast.id,
        template_id=world.template.id,
        quantity=quantity,
        window_s=window_s,
        actor=world.staff,
        now=NOW,
        cue_ref=cue_ref,
    )


async def the_link(world: World, broadcast: Broadcast) -> ClaimLink:
    fact = BookingApproved(
        booking_id=1,
        broadcast_id=broadcast.id,
        centre_id=broadcast.centre_id,
        bureau_id=world.bureau.id,
        at_ms=0,
    )
    await links.on_booking_approved(fact, NOW)
    return await ClaimLink.get(broadcast_id=broadcast.id, platform="doudian")


async def test_an_approved_booking_gets_one_link_for_each_platform_once(db: Settings) -> None:
    world = await a_world()
    broadcast = await a_broadcast(world, platforms=("doudian", "kuaishou"))

    for _ in range(2):
        await the_link(world, broadcast)

    rows = await queries.links_of(broadcast.id)
    assert [(row.platform, row.streamer_id) for row in rows] == [
        ("doudian", broadcast.streamer_id),
        ("kuaishou", broadcast.streamer_id),
    ]


async def test_a_broadcasts_link_gives_only_while_a_drop_is_open(db: Settings) -> None:
    world = await a_world()
    broadcast = await a_broadcast(world)
    link = await the_link(world, broadcast)
    people = await a_crowd(world, 6)
    desk = ClaimDesk(db)
    desk.start()
    try:
        with pytest.raises(NotStarted):
            await desk.claim(link.slug, claimant=people[0], key="k", now=NOW)
        drop = await a_drop(world, broadcast, quantity=2)
        assert (await link_pages.behind(link.slug, now=NOW)).why == "not_started"
        await drops.open_drop(drop.id, actor=world.staff, now=NOW)
        page = await link_pages.behind(link.slug, now=NOW)
        assert (page.why, page.left, page.quantity, page.title) == ("", 2, 2, "海鸭蛋专场")
        for person in people[:2]:
            await desk.claim(link.slug, claimant=person, key="k", now=NOW)
        with pytest.raises(SoldOut):
            await desk.claim(link.slug, claimant=people[2], key="k", now=NOW)
        assert (await link_pages.behind(link.slug, now=NOW)).why == "sold_out"
        second = await a_drop(world, broadcast, quantity=5)
        await drops.open_drop(second.id, actor=world.staff, now=NOW)  # the spent one gives way
        await desk.claim(link.slug, claimant=people[2], key="k", now=NOW)
        with pytest.raises(Ended):
            await desk.claim(link.slug, claimant=people[3], key="k", now=NOW + timedelta(minutes=10))
        await drops.close_drop(second.id, actor=world.staff, now=NOW)
        with pytest.raises(Ended):
            await desk.claim(link.slug, claimant=people[4], key="k", now=NOW)
        assert (await link_pages.behind(link.slug, now=NOW)).why == "between"
        assert desk.fallbacks == 0
    finally:
        await desk.stop()

    rows = await queries.drops_of(broadcast.id)
    assert [(row.state, row.claimed, row.quantity) for row in rows] == [("closed", 2, 2), ("closed", 1, 5)]
    assert await drops.left_to_plan(world.template.id) == 1000 - 3
    voucher = await Voucher.all().order_by("id").first()
    assert voucher is not None
    assert (voucher.broadcast_id, voucher.streamer_id) == (broadcast.id, broadcast.streamer_id)
    figures = await queries.broadcast_figures(broadcast.id)
    assert (figures.quantity, figures.claimed, figures.left) == (7, 3, 0)


async def test_a_drop_gives_exactly_its_quantity_to_a_crowd_at_two_desks(db: Settings) -> None:
    world = await a_world(a_kind(quantity=500))
    broadcast = await a_broadcast(world)
    link = await the_link(world, broadcast)
    drop = await a_drop(world, broadcast, quantity=100)
    await drops.open_drop(drop.id, actor=world.staff, now=NOW)
    crowd = await a_crowd(world, 400)
    opened = [ClaimDesk(db), ClaimDesk(db)]
    await warm()
    for desk in opened:
        desk.start()
    try:
        answers = await asyncio.gather(
            *(opened[n % 2].claim(link.slug, claimant=who, key="k", now=NOW) for n, who in enumerate(crowd)),
            return_exceptions=True,
        )
        assert sum(desk.fallbacks for desk in opened) == 0
    finally:
        for desk in opened:
            await desk.stop()

    assert Counter(type(each).__name__ for each in answers) == {"Claimed": 100, "SoldOut": 300}
    assert (await Drop.get(id=drop.id)).claimed == (await Template.get(id=world.template.id)).issued == 100


async def test_at_most_one_drop_is_open(db: Settings) -> None:
    world = await a_world()
    broadcast = await a_broadcast(world)
    planned = [await a_drop(world, broadcast) for _ in range(3)]

    answers = await asyncio.gather(
        *(
            database.unit(lambda each=each: drops.open_drop(each.id, actor=world.staff, now=NOW))
            for each in planned
        ),
        return_exceptions=True,
    )

    assert sorted(type(each).__name__ for each in answers) == ["Drop", "DropAlreadyOpen", "DropAlreadyOpen"]
    assert await Drop.filter(state="open").count() == 1


async def test_plans_stay_within_the_stock_and_the_platforms_window(db: Settings) -> None:
    world = await a_world(a_kind(quantity=100))
    broadcast = await a_broadcast(world)

    with pytest.raises(DropWindowTooLong):
        await a_drop(world, broadcast, window_s=1201)
    await a_drop(world, broadcast, quantity=60, window_s=1200)
    with pytest.raises(DropTooMany):
        await a_drop(world, broadcast, quantity=41)
    await a_drop(world, broadcast, quantity=40)


async def test_a_streamer_opens_her_own_live_broadcast_within_the_plan(db: Settings) -> None:
    world = await a_world()
    broadcast = await a_broadcast(world)
    hers = Actor(kind="streamer", id=broadcast.streamer_id, centre_id=broadcast.centre_id)
    drop = await a_drop(world, broadcast, quantity=100)

    with pytest.raises(PermissionMissing):
        await drops.plan(
            broadcast.id, template_id=world.template.id, quantity=1, window_s=60, actor=hers, now=NOW
        )
    with pytest.raises(Forbidden):
        await drops.open_drop(
            drop.id, actor=Actor(kind="streamer", id=hers.id + 1, centre_id=hers.centre_id), now=NOW
        )
    with pytest.raises(DropTooMany):
        await drops.open_drop(drop.id, actor=hers, now=NOW, quantity=101)
    await Broadcast.filter(id=broadcast.id).update(state=BroadcastState.ENDED)
    with pytest.raises(NotLive):
        await drops.open_drop(drop.id, actor=hers, now=NOW)
    await Broadcast.filter(id=broadcast.id).update(state=BroadcastState.LIVE)
    opened = await drops.open_drop(drop.id, actor=hers, now=NOW, quantity=30)
    with pytest.raises(DropAlreadyOpen):
        await drops.open_drop(drop.id, actor=hers, now=NOW)

    assert (opened.quantity, opened.closes_at) == (30, NOW + timedelta(seconds=600))
    assert [(row.state, row.quantity) for row in await queries.drops_of(broadcast.id)] == [
        ("open", 30),
        ("planned", 70),
    ]


async def test_a_voucher_cue_opens_its_drop_once_and_a_refusal_is_recorded(db: Settings) -> None:
    world = await a_world()
    broadcast = await a_broadcast(world)
    fact = CueFired(
        cue_id=1,
        cue_ref="cue1",
        broadcast_id=broadcast.id,
        centre_id=broadcast.centre_id,
        kind="voucher",
        template_ref=world.template.public_id,
        quantity=50,
        window_s=600,
        at_ms=0,
    )
    async with database.transaction():
        await outbox.record(fact, now=NOW)
        await outbox.record(fact, now=NOW)
        await outbox.record(
            CueFired(**{name: getattr(fact, name) for name in fact.__struct_fields__} | {"cue_ref": "cue2"}),
            now=NOW,
        )

    assert await outbox.hand_out(now=NOW) == 3

    assert [(row.state, row.quantity) for row in await queries.drops_of(broadcast.id)] == [("open", 50)]
    refused = await database.fetch("SELECT detail FROM audit_entry WHERE result = 'refused'")
    assert len(refused) == 1
    assert "DROP_ALREADY_OPEN" in refused[0]["detail"]


async def test_a_cue_gives_no_other_bureaus_vouchers_away(db: Settings) -> None:
    world = await a_world()
    broadcast = await a_broadcast(world)
    other = await Bureau.create(
        public_id="otherbureau00000", centre_id=world.bureau.centre_id, name="商务局", kind="commerce"
    )
    await Broadcast.filter(id=broadcast.id).update(bureau_id=other.id)
    fact = CueFired(
        cue_id=1,
        cue_ref="cue1",
        broadcast_id=broadcast.id,
        centre_id=broadcast.centre_id,
        kind="voucher",
        template_ref=world.template.public_id,
        quantity=50,
        window_s=600,
        at_ms=0,
    )

    await drops.on_cue_fired(fact, NOW)
    refused = await database.fetch("SELECT detail FROM audit_entry WHERE result = 'refused'")
    assert await queries.drops_of(broadcast.id) == []
    assert len(refused) == 1

    planned = await a_drop(world, broadcast, cue_ref="cue1")
    await drops.on_cue_fired(fact, NOW)
    assert (await Drop.get(id=planned.id)).state == "open"  # the centre planned it


async def test_due_drops_close_and_clicks_are_counted(db: Settings) -> None:
    world = await a_world()
    broadcast = await a_broadcast(world)
    link = await the_link(world, broadcast)
    drop = await a_drop(world, broadcast)
    await drops.open_drop(drop.id, actor=world.staff, now=NOW)
    clicks = links.clicks()
    clicks.start()
    for _ in range(3):
        clicks.count({link.slug: 1})

    assert await drops.close_due(now=NOW + timedelta(minutes=9)) == 0
    assert await drops.close_due(now=NOW + timedelta(minutes=10)) == 1
    await clicks.stop()
    await clicks.stop()

    assert (await Drop.get(id=drop.id)).state == "closed"
    assert (await ClaimLink.get(id=link.id)).clicks == 3
    assert await a_claimant(world)
