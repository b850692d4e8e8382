"""How streamers do: counted by hand, whatever the bureau, and ranked without praising one lucky evening."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livehub.accounts.models import Centre, Role
from livehub.kit import clock
from livehub.kit.errors import Invalid, NotFound
from livehub.reports import drill, performance, ranking
from livehub.reports.basis import Basis
from livehub.reports.figures import Scope
from livehub.reports.performance import Period
from livehub.reports.ranking import Part
from livehub.settings import Settings
from livehub.vouchers import links
from livehub.vouchers.models import Voucher, VoucherState
from rooms.models import Broadcast, CrewAssignment, Room, Theme
from streamers.models import Streamer
from tests.factories import vouchers
from tests.factories.accounts import a_bureau, a_centre, an_actor
from tests.factories.outcomes import aired, sold
from tests.factories.platforms import a_shop
from tests.factories.rooms import House, a_broadcast, a_house, a_room, local
from tests.factories.streamers import a_streamer
from tests.vouchers.test_claim_views import an_open_drop
from tests.vouchers.test_claims import desks

MARCH = Period(date(2026, 3, 1), date(2026, 3, 11))
NOW = local(11, 12)


async def a_show(
    house: House,
    who: Streamer,
    planned: datetime,
    *,
    late: timedelta = timedelta(0),
    minutes: int = 60,
    room: Room | None = None,
    by: int = 0,
) -> Broadcast:
    show = await a_broadcast(
        house, planned, by=by, streamer=who.public_id, room=(room or house.room).public_id, check=False
    )
    return await aired(show, planned + late, minutes=minutes)


async def test_a_period_counted_by_hand(db: Settings) -> None:
    house = await a_house()
    hers, other = house.streamer, await a_streamer(house.centre)
    party = await a_room(house.centre, theme=Theme.PARTY_BUILDING, commerce_allowed=False)
    shop = await a_shop(house.bureaus[0])
    ten = timedelta(minutes=10)
    first = await a_show(house, hers, local(2, 10), late=ten, minutes=90)
    second = await a_show(house, hers, local(3, 10), late=-ten - timedelta(milliseconds=1), minutes=30)
    night = await a_show(house, hers, local(10, 25), minutes=60)  # business day 10, at 01:00 of the 11th
    await a_show(house, hers, local(11, 10))  # the day after the period
    talk = await a_show(house, hers, local(4, 10), minutes=120, room=party)
    theirs = await a_show(house, other, local(5, 10), minutes=60)
    await a_broadcast(house, local(6, 10), streamer=hers.public_id, check=False)  # never went on air
    await sold(shop, first, "o1", fen=90_000, back=10_000)
    await sold(shop, first, "o2", fen=1)
    await sold(shop, night, "o3", fen=29_999)
    await sold(shop, talk, "o4", fen=5_000)  # in a room that is to sell nothing
    await sold(shop, theirs, "o5", fen=40_000)
    await CrewAssignment.create(
        booking_id=second.booking_id, person_id=other.person_id, role="co_anchor", state="accepted"
    )

    found = await performance.of_streamer(hers.public_id, MARCH, actor=house.manager, now=NOW)

    assert [each.broadcast for each in found.shows] == [
        night.public_id, talk.public_id, second.public_id, first.public_id,
    ]  # fmt: skip
    assert (found.live_ms, found.selling_ms) == (5 * 3_600_000, 3 * 3_600_000)
    assert [each.is_on_time for each in found.shows] == [True, True, False, True]
    assert (found.on_time, found.co_hosted) == (3, 1)
    assert (found.g2_fen, found.refund_fen, found.g3_fen) == (120_000, 10_000, 110_000)
    assert found.fen_per_hour == 36_667  # 110,000 / 3 = 36,666.7
    for show in found.shows:
        lines = await drill.lines(Scope(centre_id=house.centre.id, broadcast=show.broadcast), Basis.G3)
        assert sum(each.amount_fen for each in lines.items) == show.g3_fen
    (place,) = found.places
    theme_mean = Fraction(150_000, 4)  # 110,000 and 40,000 in three hours and one
    assert (place.broadcasts, place.of, place.theme_mean) == (3, 2, theme_mean)
    assert place.score == (3 * Fraction(110_000, 3) + 5 * theme_mean) / 8 == Fraction(297_500, 8)
    ranked = await performance.places_of(MARCH, actor=house.manager)  # (40,000 + 187,500) / 6 is more
    assert [(each.streamer_id, each.rank) for each in ranked] == [(other.id, 1), (hers.id, 2)]
    assert found.live_ms_30d == 6 * 3_600_000


async def test_a_bureau_sees_its_own_broadcasts_and_another_centre_nobody(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    mine = await a_show(house, house.streamer, local(2, 10), by=1)
    await sold(shop, mine, "o1", fen=700)
    await sold(shop, await a_show(house, house.streamer, local(3, 10)), "o2", fen=50_000)

    own, none, all_ = [
        await performance.of_streamer(house.streamer.public_id, MARCH, actor=actor, now=NOW)
        for actor in (house.officers[1], house.officers[2], house.manager)
    ]

    assert (own.g3_fen, len(own.shows), own.places[0].theme_mean, own.is_narrowed) == (700, 1, 700, True)
    assert (none.shows, none.places, none.fen_per_hour, none.live_ms_30d) == ((), (), None, 0)
    assert (all_.g3_fen, all_.is_narrowed) == (50_700, False)
    stranger = an_actor(Role.MANAGER, centre_id=(await a_centre()).id)
    with pytest.raises(NotFound):
        await performance.of_streamer(house.streamer.public_id, MARCH, actor=stranger, now=NOW)


async def test_vouchers_are_those_claimed_in_the_period_on_her_own_links(db: Settings) -> None:
    world = await vouchers.a_world()
    drop, on_air = await an_open_drop(world, 10)
    show = await Broadcast.get(id=drop.broadcast_id)
    hers = await Streamer.get(id=show.streamer_id)
    own = await links.create(
        world.round.id, actor=world.officer, now=vouchers.NOW, streamer_id=hers.id, platform="doudian"
    )
    assert world.link is not None
    slugs = [on_air.slug, on_air.slug, own.slug, world.link.slug]
    async with desks(db) as (desk,):
        for number, slug in enumerate(slugs):
            claimant = await vouchers.a_claimant(world)
            await desk.claim(slug, claimant=claimant, key=f"k{number}", now=vouchers.NOW)
    await Voucher.filter(id=(await Voucher.filter(link_id=own.id).get()).id).update(
        state=VoucherState.REDEEMED
    )
    day = clock.local_day(vouchers.NOW)
    around = Period(day, day + timedelta(days=1))

    async def seen(asked: Period, actor=world.officer):
        found = await performance.of_streamer(hers.public_id, asked, actor=actor, now=vouchers.NOW)
        return found.claimed, found.redeemed, [(each.slug, each.claimed) for each in found.links]

    assert await seen(around) == (3, 1, [(on_air.slug, 2), (own.slug, 1)])
    assert await seen(Period(day - timedelta(days=1), day)) == (0, 0, [])
    assert await seen(Period(day + timedelta(days=1), day + timedelta(days=2))) == (0, 0, [])
    elsewhere = await a_bureau(await Centre.get(id=world.bureau.centre_id))
    stranger = an_actor(Role.BUREAU, bureau_id=elsewhere.id, centre_id=elsewhere.centre_id)
    assert await seen(around, stranger) == (0, 0, [])


@pytest.mark.parametrize(
    ("since", "until", "meant"),
    [
        (None, None, Period(date(2026, 2, 10), date(2026, 3, 12))),
        (date(2026, 3, 1), None, Period(date(2026, 3, 1), date(2026, 3, 31))),
        (None, date(2026, 3, 1), Period(date(2026, 1, 30), date(2026, 3, 1))),
    ],
)
def test_a_period_without_an_end_has_thirty_days(since, until, meant) -> None:
    assert performance.period(since, until, today=date(2026, 3, 11)) == meant


@pytest.mark.parametrize("until", [date(2026, 3, 1), date(2026, 2, 1), date(2027, 3, 3)])
def test_a_period_that_is_none_is_refused(until: date) -> None:
    with pytest.raises(Invalid) as refused:
        performance.period(date(2026, 3, 1), until, today=date(2026, 3, 11))
    assert refused.value.details[0].field == "to"


@pytest.mark.parametrize(
    ("since", "until", "field"),
    [(date.min, None, "from"), (None, date.min, "to"), (date.max, None, "from"), (None, date.max, "to")],
)
def test_days_that_no_calendar_of_ours_reaches_are_refused_by_name(since, until, field) -> None:
    with pytest.raises(Invalid) as refused:
        performance.period(since, until, today=date(2026, 3, 11))
    assert refused.value.details[0].field == field


PARTS = st.lists(
    st.builds(
        Part,
        streamer_id=st.integers(1, 40),
        theme=st.sampled_from(["agri", "rural"]),
        broadcasts=st.integers(1, 60),
        live_ms=st.integers(0, 10**9),
        g3_fen=st.integers(-(10**6), 10**9),
    ),
    max_size=30,
    unique_by=lambda each: (each.streamer_id, each.theme),
)


@given(PARTS)
def test_scores_lie_between_the_two_means_and_ranks_follow_them(parts: list[Part]) -> None:
    found = ranking.places(parts)

    assert len(found) == sum(each.live_ms > 0 for each in parts)
    for place in found:
        low, high = sorted((place.mean, place.theme_mean))
        assert low <= place.score <= high
        peers = [each for each in found if each.theme == place.theme]
        assert place.of == len(peers)
        assert place.rank == 1 + sum(each.score > place.score for each in peers)
        hours = sum(each.live_ms for each in peers)
        assert place.theme_mean * hours == sum(each.g3_fen for each in peers) * 3_600_000
    assert ranking.places(reversed(parts)) == found


@given(st.integers(-(10**9), 10**9), st.integers(1, 60), st.fractions(-(10**6), 10**9))
def test_more_broadcasts_of_the_same_pace_move_the_score_toward_her_own(fen, n, mean) -> None:
    few = Part(streamer_id=1, theme="t", broadcasts=n, live_ms=3_600_000, g3_fen=fen)
    many = Part(streamer_id=1, theme="t", broadcasts=n + 1, live_ms=3_600_000, g3_fen=fen)

    assert abs(ranking.score(many, mean) - fen) <= abs(ranking.score(few, mean) - fen)
