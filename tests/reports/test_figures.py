"""Sums over the cube: every grain adds up to the total, the past stays as it was known, bureaus see their own."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from livehub import database
from livehub.kit import clock
from livehub.reports import drill, figures
from livehub.reports.basis import Axis, Basis
from livehub.reports.figures import Grain, Scope
from livehub.settings import Settings
from rooms import onair
from rooms.models import Broadcast
from tests.factories.platforms import a_shop
from tests.factories.rooms import House, a_broadcast, a_house, local
from tests.orders.test_reattribution import sell


async def a_night(house: House) -> Broadcast:
    """A studio show from 23:00 to 01:00, on air."""
    show = await a_broadcast(house, local(2, 23), minutes=120)
    await database.unit(lambda: onair.start(show.public_id, actor=house.manager, now=local(2, 23)))
    return show


async def test_every_grain_adds_up_and_a_line_list_is_its_number(db: Settings) -> None:
    house = await a_house()
    shop, other = await a_shop(house.bureaus[0]), await a_shop(house.bureaus[1])
    await sell(shop, "o1", clock.to_ms(local(2, 12)), fen=5000)
    await sell(shop, "o2", clock.to_ms(local(3, 12)), fen=700)
    await sell(other, "o3", clock.to_ms(local(3, 13)), fen=90)
    scope = Scope(centre_id=house.centre.id)

    total = await figures.total(scope)

    assert (total.g1_fen, total.g2_fen, total.g3_fen, total.orders) == (5790, 5790, 5790, 3)
    for grain in Grain:
        assert sum(row.g3_fen for row in await figures.by(scope, grain)) == 5790, grain
    assert [row.key for row in await figures.by(scope, Grain.DAY)] == ["20260303", "20260302"]
    page = await drill.lines(scope, Basis.G3, size=2)
    assert (page.total, [line.amount_fen for line in page.items]) == (3, [5000, 700])


async def test_a_bureau_sees_its_own_and_the_broadcasts_bureau_goes_before_the_shops(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show = await a_night(house)
    account = (await database.fetch("SELECT account_ref FROM streamer_account"))[0]["account_ref"]
    await sell(shop, "in the show", clock.to_ms(local(2, 23, 10)), fen=5000, author=account)
    await sell(shop, "by itself", clock.to_ms(local(2, 12)), fen=30)

    sums = [
        (await figures.total(Scope(centre_id=house.centre.id, bureaus=frozenset({bureau.id})))).g3_fen
        for bureau in house.bureaus
    ]

    assert sums == [5000, 30, 0]
    assert show.bureau_id == house.bureaus[0].id


async def test_a_show_past_midnight_has_one_session_day_and_two_event_days(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[0])
    await a_night(house)
    account = (await database.fetch("SELECT account_ref FROM streamer_account"))[0]["account_ref"]
    await sell(shop, "before", clock.to_ms(local(2, 23, 30)), fen=100, author=account)
    await sell(shop, "after", clock.to_ms(local(3, 0, 30)), fen=20, author=account)

    def days(axis: Axis) -> Scope:
        return Scope(centre_id=house.centre.id, axis=axis)

    event = {row.key: row.g3_fen for row in await figures.by(days(Axis.EVENT), Grain.DAY)}
    session = {row.key: row.g3_fen for row in await figures.by(days(Axis.SESSION), Grain.DAY)}
    assert event == {"20260302": 100, "20260303": 20}
    assert session == {"20260302": 120}


async def test_the_past_is_shown_as_it_was_known_then(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[0])
    await sell(shop, "o1", clock.to_ms(local(2, 12)), fen=5000)
    await asyncio.sleep(0.01)
    then = clock.now()
    await asyncio.sleep(0.01)
    await sell(shop, "o2", clock.to_ms(local(2, 13)), fen=700)
    scope = Scope(centre_id=house.centre.id)

    known = await figures.total(Scope(centre_id=house.centre.id, as_of=then))

    assert (known.g3_fen, (await figures.total(scope)).g3_fen) == (5000, 5700)
    later = await figures.total(Scope(centre_id=house.centre.id, as_of=clock.now() + timedelta(seconds=1)))
    assert later == await figures.total(scope)
