"""Class C: an order that carries the code of a broadcast's link; and which class wins where several could."""

from __future__ import annotations

import pytest

from livehub import database
from livehub.kit import clock
from livehub.orders.attribution import Bindings, Sold
from livehub.orders.contribution import Attributed
from livehub.platforms.contract import Line
from livehub.platforms.models import Shop
from livehub.settings import Settings
from rooms.matching import Coded, Match
from rooms.models import Broadcast
from tests.factories.platforms import a_shop
from tests.factories.rooms import a_house, local
from tests.orders.test_races import hand_out
from tests.orders.test_reattribution import a_show, booked, sell, sound

CENTRE, SHOP, ORDER = 1, 7, 99
SHOW = {"M": 10, "A": 20, "B": 30, "C": 40, "D": 50}


def a_match(broadcast_id: int, *, until: int | None = None) -> Match:
    return Match(
        broadcast_id=broadcast_id, streamer_id=broadcast_id + 1, started_at_ms=1000, ended_at_ms=until,
        business_day=20260302,
    )  # fmt: skip


def known(classes: str) -> Bindings:
    """What there is to know when these classes could each name a show of its own."""
    return Bindings(
        rooms={("p", "room"): [a_match(SHOW["A"])]} if "A" in classes else {},
        accounts={},
        codes={(CENTRE, "code"): Coded(SHOW["C"], SHOW["C"] + 1)} if "C" in classes else {},
        shops={SHOP: [a_match(SHOW["D"])]} if "D" in classes else {},
        words={(ORDER, "1"): Attributed(SHOW["M"], SHOW["M"] + 1, "M")} if "M" in classes else {},
        vouchers={ORDER: Attributed(SHOW["B"], SHOW["B"] + 1, "B")} if "B" in classes else {},
        products={},
    )


def attributed(bindings: Bindings, *, room: str = "", code: str = "code", paid_at: int = 2000) -> Attributed:
    line = Line(line_ref="1", quantity=1, list_fen=1, buyer_paid_fen=1, room_ref=room)
    return bindings.attribute(ORDER, Sold(CENTRE, SHOP, "p", code, line), paid_at)


@pytest.mark.parametrize(
    "classes",
    ["M", "A", "B", "C", "D", "MA", "AB", "AC", "BC", "CD", "BD", "MD", "ABC", "BCD", "MABCD", "ABCD"],
)
def test_the_best_class_wins(classes: str) -> None:
    best = next(each for each in "MABCD" if each in classes)

    found = attributed(known(classes), room="room" if "A" in classes else "")

    assert found == Attributed(SHOW[best], SHOW[best] + 1, best)


def test_a_code_of_another_centre_and_a_room_nobody_knows_prove_nothing() -> None:
    assert attributed(known("C"), code="of-another-centre") == Attributed()
    assert attributed(known("D"), room="unknown") == Attributed()
    assert attributed(known("CD"), room="unknown").attribution == "C"


async def say(code: str, shop: Shop, order_ref: str, at: int) -> None:
    await sell(shop, order_ref, at, code=code)


async def test_an_order_with_the_code_of_a_link_belongs_to_its_broadcast_whenever_it_was_paid(
    db: Settings,
) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, public_id, account = await a_show(house)
    await hand_out()
    slug = (await database.fetch("SELECT slug FROM claim_link"))[0]["slug"]

    for n, (code, day) in enumerate(((slug, 1), (slug, 2), (public_id, 20), ("nobody's", 2), ("", 2))):
        await say(code, shop, f"o{n}", clock.to_ms(local(day, 20, 30)))
    await sell(shop, "by-author", clock.to_ms(local(2, 20, 30)), code=slug, author=account)

    assert await booked() == [(0, "U", 10_000), (show, "A", 5000), (show, "C", 15_000)]
    rows = await database.fetch("SELECT DISTINCT streamer_id FROM rollup_bucket WHERE attribution = 'C'")
    assert [row["streamer_id"] for row in rows] == [house.streamer.id]
    await sound()


async def test_a_code_of_another_centres_broadcast_moves_nothing(db: Settings) -> None:
    house, elsewhere = await a_house(), await a_house()
    shop = await a_shop(house.bureaus[1])
    _, public_id, _ = await a_show(elsewhere)
    await hand_out()
    slug = (await database.fetch("SELECT slug FROM claim_link"))[0]["slug"]
    assert await Broadcast.all().count() == 1

    await say(slug, shop, "o1", clock.to_ms(local(2, 20, 30)))
    await say(public_id, shop, "o2", clock.to_ms(local(2, 20, 30)))

    assert await booked() == [(0, "U", 10_000)]


async def test_a_code_that_comes_with_a_later_message_moves_the_order(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, public_id, _ = await a_show(house)
    at = clock.to_ms(local(2, 20, 30))
    await say("", shop, "o1", at)
    assert await booked() == [(0, "U", 5000)]

    await sell(shop, "o1", at, code=public_id, name="again", updated=at + 1)

    assert await booked() == [(show, "C", 5000)]
    await sound()
