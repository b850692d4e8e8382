"""A clerk's word on lines (class M): it beats everything, is kept for ever, and can be taken back."""

from __future__ import annotations

import pytest

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.errors import PermissionMissing
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.kit.errors import Invalid, NotFound
from livehub.orders import assigning, reattribution
from livehub.orders.assigning import Named
from livehub.orders.models import LineAssignment, SalesOrder
from livehub.platforms.models import Shop
from livehub.settings import Settings
from rooms.models import Broadcast, BroadcastState
from tests.contention import kinds, meet
from tests.factories.accounts import an_actor
from tests.factories.platforms import a_shop
from tests.factories.rooms import a_broadcast, a_house, local
from tests.orders.test_races import hand_out
from tests.orders.test_reattribution import a_show, booked, sell, sound

DURING = clock.to_ms(local(2, 20, 30))
WHY = "主播核对了小票"


async def give(shop: Shop, *order_refs: str, to: str, by: Actor, reason: str = WHY) -> int:
    lines = [Named(shop.public_id, each, "1") for each in order_refs]
    return await database.unit(
        lambda: assigning.give(lines, broadcast=to, reason=reason, actor=by, now=clock.now())
    )


async def take_back(shop: Shop, *order_refs: str, by: Actor) -> int:
    lines = [Named(shop.public_id, each, "1") for each in order_refs]
    return await database.unit(lambda: assigning.take_back(lines, reason="认错了", actor=by, now=clock.now()))


async def test_a_clerk_gives_lines_to_a_show_and_takes_them_back(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    clerk = an_actor(Role.STAFF, centre_id=house.centre.id)
    show, _, account = await a_show(house)
    other = await a_broadcast(house, local(4, 20))
    await hand_out()
    await sell(shop, "told", DURING, author=account)
    await sell(shop, "loose", clock.to_ms(local(3, 10)))
    assert await booked() == [(0, "U", 5000), (show, "A", 5000)]

    assert await give(shop, "told", "loose", to=other.public_id, by=clerk) == 2
    assert await give(shop, "told", to=other.public_id, by=clerk) == 0
    assert await booked() == [(other.id, "M", 10_000)]
    await sell(shop, "told", DURING, author=account, name="again", updated=DURING + 1, fen=6000)
    assert await booked() == [(other.id, "M", 11_000)]

    assert await take_back(shop, "told", "loose", by=clerk) == 2
    assert await take_back(shop, "told", by=clerk) == 0
    assert await booked() == [(0, "U", 5000), (show, "A", 6000)]
    order = await SalesOrder.get(order_ref="told")
    words = [(word.title, word.reason, word.by, word.counts) for word in await assigning.words_on(order.id)]
    assert words == [("", "认错了", clerk.name, True), (other.title, WHY, clerk.name, False)]
    trail = await database.fetch(
        "SELECT action, actor_name, object_id FROM audit_entry WHERE action LIKE 'line.%' ORDER BY id"
    )
    assert [each["action"] for each in trail] == [
        "line.given",
        "line.given",
        "line.taken_back",
        "line.taken_back",
    ]
    assert {each["actor_name"] for each in trail} == {clerk.name}
    reasons = await database.fetch("SELECT DISTINCT reason FROM contribution_entry ORDER BY reason")
    assert [each["reason"] for each in reasons] == ["clerk", "message"]
    await sound()


async def test_only_a_show_of_the_same_centre_and_only_who_may(db: Settings) -> None:
    house, elsewhere = await a_house(), await a_house()
    shop = await a_shop(house.bureaus[1])
    clerk = an_actor(Role.STAFF, centre_id=house.centre.id)
    show = await a_broadcast(house, local(2, 20))
    theirs = await a_broadcast(elsewhere, local(2, 20))
    called_off = await a_broadcast(house, local(4, 20))
    await Broadcast.filter(id=called_off.id).update(state=BroadcastState.ABORTED)
    await sell(shop, "o1", DURING)

    refused = [
        (Invalid, {"to": theirs.public_id}),
        (Invalid, {"to": called_off.public_id}),
        (Invalid, {"to": show.public_id, "reason": " "}),
        (Invalid, {"to": show.public_id, "reason": "长" * 201}),
        (PermissionMissing, {"to": show.public_id, "by": house.officers[0]}),
        (Invalid, {"to": show.public_id, "by": an_actor(Role.STAFF, centre_id=elsewhere.centre.id)}),
    ]
    for refusal, given in refused:
        with pytest.raises(refusal):
            await give(shop, "o1", **{"by": clerk, **given})
    with pytest.raises(NotFound):
        await give(shop, "nothing", to=show.public_id, by=clerk)
    with pytest.raises(NotFound):
        await give(shop, "o1", to=theirs.public_id, by=an_actor(Role.STAFF, centre_id=elsewhere.centre.id))
    with pytest.raises(Invalid):
        await give(shop, *(f"o{n}" for n in range(assigning.MOST + 1)), to=show.public_id, by=clerk)

    assert await booked() == [(0, "U", 5000)]
    assert await LineAssignment.all().count() == 0


async def test_a_clerks_word_stands_against_a_voucher_whichever_came_first(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    clerk = an_actor(Role.STAFF, centre_id=house.centre.id)
    show = await a_broadcast(house, local(2, 20))
    for ref in ("o1", "o2"):
        await sell(shop, ref, DURING)
    first, second = await SalesOrder.all().order_by("id")

    async def by_voucher(order_id: int) -> None:
        async with database.transaction():
            await reattribution.assign(
                order_id, broadcast_id=show.id + 9, streamer_id=0, source="v", now=clock.now()
            )

    await by_voucher(first.id)
    await give(shop, "o1", "o2", to=show.public_id, by=clerk)
    await by_voucher(second.id)

    assert await booked() == [(show.id, "M", 10_000)]
    await take_back(shop, "o1", by=clerk)
    assert await booked() == [(show.id, "M", 5000), (show.id + 9, "B", 5000)]
    await sound()


async def test_two_clerks_at_the_same_moment_are_both_kept_and_the_later_counts(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    clerk = an_actor(Role.STAFF, centre_id=house.centre.id)
    shows = [await a_broadcast(house, local(day, 20)) for day in (2, 3)]
    await sell(shop, "o1", DURING)

    answers = await meet(
        db,
        "LOCK TABLE rollup_bucket IN EXCLUSIVE MODE",
        *(lambda show=show: give(shop, "o1", to=show.public_id, by=clerk) for show in shows),
    )

    assert kinds(answers) == ["int", "int"]
    newest = (await LineAssignment.all().order_by("-id"))[0]
    assert (await LineAssignment.all().count(), await booked()) == (2, [(newest.broadcast_id, "M", 5000)])
    await sound()
