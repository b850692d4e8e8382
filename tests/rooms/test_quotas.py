"""Quotas: what counts in which window, and that no two requests get one last place."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from livehub import database
from livehub.accounts.errors import PermissionMissing
from livehub.accounts.models import AuditEntry
from livehub.settings import Settings
from rooms import booking, quotas, sharing_queries
from rooms.errors import QuotaBelowUse, QuotaExceeded, QuotaRefused
from rooms.models import BookingState, Theme
from rooms.quota_counting import Limit, Use, meets_prime, window
from rooms.quotas import Rule
from rooms.sharing_models import QuotaUnit, QuotaWindow
from tests.contention import kinds, meet
from tests.factories.rooms import NOW, House, a_booking, a_house, a_room, local
from tests.factories.streamers import a_streamer
from tests.rooms.told import sound

PRIME = (1140, 1380)


@pytest.mark.parametrize(
    ("day", "kind", "expected"),
    [
        (date(2026, 3, 1), QuotaWindow.DAILY, (date(2026, 3, 1), date(2026, 3, 2))),
        (date(2026, 3, 1), QuotaWindow.WEEKLY, (date(2026, 2, 23), date(2026, 3, 2))),
        (date(2026, 3, 2), QuotaWindow.WEEKLY, (date(2026, 3, 2), date(2026, 3, 9))),
        (date(2025, 12, 30), QuotaWindow.WEEKLY, (date(2025, 12, 29), date(2026, 1, 5))),
        (date(2026, 2, 28), QuotaWindow.MONTHLY, (date(2026, 2, 1), date(2026, 3, 1))),
        (date(2026, 12, 31), QuotaWindow.MONTHLY, (date(2026, 12, 1), date(2027, 1, 1))),
    ],
)
def test_windows_are_of_business_days(day, kind, expected) -> None:
    assert window(day, kind) == expected


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "meets"),
    [
        (local(2, 17), local(2, 19), False),  # touches
        (local(2, 17), local(2, 19, 15), True),
        (local(2, 23), local(2, 25), False),
        (local(2, 22, 45), local(2, 25), True),
        (local(2, 12), local(3, 2), True),  # right through
        (local(2, 25), local(3, 20), True),  # the next evening
    ],
)
def test_prime_time_is_met_or_only_touched(starts_at, ends_at, meets) -> None:
    assert meets_prime(starts_at, ends_at, prime=PRIME) is meets


@tries(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40 * 24), st.integers(1, 8), st.integers(1, 3)), max_size=12))
def test_what_is_used_is_what_counting_one_by_one_says(rows) -> None:
    uses = [
        Use(
            booking_id=number,
            room_id=room,
            theme=Theme.AGRI_SPECIALTY if room < 3 else Theme.PARTY_BUILDING,
            boundary_hour=6 if room < 3 else 0,
            starts_at=local(1, start),
            ends_at=local(1, start + hours),
        )
        for number, (start, hours, room) in enumerate(rows)
    ]
    for kind, unit, prime in itertools.product(QuotaWindow, QuotaUnit, (None, PRIME)):
        limit = Limit(id=1, rooms=frozenset({1, 3}), theme="", window=kind, unit=unit, limit=1, prime=prime)
        day = date(2026, 3, 11)
        expected = 0
        for use in uses:
            begins = use.starts_at + timedelta(hours=8 - use.boundary_hour)
            same = {
                QuotaWindow.DAILY: begins.date() == day,
                QuotaWindow.WEEKLY: begins.isocalendar()[:2] == day.isocalendar()[:2],
                QuotaWindow.MONTHLY: (begins.year, begins.month) == (day.year, day.month),
            }[kind]
            in_prime = prime is None or meets_prime(use.starts_at, use.ends_at, prime=prime)
            if same and in_prime and use.room_id in (1, 3):
                expected += 1 if unit is QuotaUnit.BOOKINGS else use.minutes
        assert limit.used(uses, day=day) == expected


async def _prime_quota(house: House, *rooms: str, limit: int = 4) -> None:
    rule = Rule(rooms=rooms, window=QuotaWindow.WEEKLY, limit=limit, prime_only=True)
    await database.unit(lambda: quotas.put(house.bureaus[0].id, [rule], actor=house.manager, now=NOW))


async def test_a_fifth_evening_of_the_week_is_one_too_many(db: Settings) -> None:
    """Scenario 6: prime bookings of A in R1 and R2 are at most four in an ISO week."""
    house = await a_house()
    second, third = await a_room(house.centre), await a_room(house.centre)
    await _prime_quota(house, house.room.public_id, second.public_id)
    for day in (2, 3, 4):
        await a_booking(house, local(day, 20))
    fourth = await a_booking(house, local(8, 22, 30), room=second.public_id)  # Sunday, still week 10

    with pytest.raises(QuotaExceeded) as refusal:
        await a_booking(house, local(6, 20))
    assert (refusal.value.status, refusal.value.data["limit"]) == (422, 4)
    assert {name: refusal.value.data[name] for name in ("limit", "used", "requested")} == {
        "limit": 4,
        "used": 4,
        "requested": 1,
    }
    await a_booking(house, local(6, 10), minutes=120)  # not prime
    await a_booking(house, local(6, 20), room=third.public_id)  # another room
    await a_booking(house, local(9, 20))  # next week
    other = (await a_streamer(house.centre)).public_id
    await a_booking(house, local(6, 20), by=1, streamer=other)  # another bureau

    [seen] = await sharing_queries.quota_uses(actor=house.officers[0], day=date(2026, 3, 6))
    assert (seen.used, seen.limit, seen.first) == (4, 4, date(2026, 3, 2))
    assert await sharing_queries.quota_uses(actor=house.officers[1], day=date(2026, 3, 6)) == []
    await booking.cancel(fourth.public_id, actor=house.officers[0], now=NOW)
    late = await a_booking(house, local(5, 22))  # cancelling gives the place back
    assert late.state is BookingState.SUBMITTED
    assert await sound()


async def test_a_night_counts_for_the_day_it_began_on(db: Settings) -> None:
    house = await a_house()
    rule = Rule(window=QuotaWindow.WEEKLY, unit=QuotaUnit.MINUTES, limit=120)
    await quotas.put(house.bureaus[0].id, [rule], actor=house.manager, now=NOW)
    await a_booking(house, local(9, 0), minutes=120)  # Monday 00:00 is Sunday's business day

    with pytest.raises(QuotaExceeded) as refusal:
        await a_booking(house, local(5, 10), minutes=30)
    assert (refusal.value.data["used"], refusal.value.data["requested"]) == (120, 30)
    await a_booking(house, local(9, 10), minutes=120)
    assert await sound()


async def test_the_last_place_is_given_once(db: Settings) -> None:
    house = await a_house()
    other = await a_room(house.centre)
    await _prime_quota(house, house.room.public_id, other.public_id)
    for day in (2, 3, 4):
        await a_booking(house, local(day, 20))
    streamer = (await a_streamer(house.centre)).public_id
    wishes = [
        house.wish(local(5, 20)),
        house.wish(local(6, 20), room=other.public_id, streamer=streamer),
    ]

    answers = await meet(
        db,
        "SELECT 1 FROM bureau FOR UPDATE",
        *(lambda wish=wish: booking.request(wish, actor=house.officers[0], now=NOW) for wish in wishes),
    )

    assert kinds(answers) == ["Booking", "QuotaExceeded"]
    assert await sound()


async def test_a_quota_set_while_a_place_is_taken_counts_it(db: Settings) -> None:
    house = await a_house()
    rule = Rule(window=QuotaWindow.WEEKLY, limit=0)

    answers = await meet(
        db,
        "LOCK TABLE resource_claim IN SHARE MODE",
        lambda: booking.request(house.wish(local(5, 20)), actor=house.officers[0], now=NOW),
        lambda: quotas.put(house.bureaus[0].id, [rule], actor=house.manager, now=NOW),
    )

    assert kinds(answers) == ["Booking", "QuotaBelowUse"]
    assert await sound()


async def test_quotas_are_set_as_a_whole(db: Settings) -> None:
    house = await a_house()
    bureau = house.bureaus[0].id
    weekly = Rule(window=QuotaWindow.WEEKLY, limit=3)
    themed = Rule(theme=Theme.AGRI_SPECIALTY, window=QuotaWindow.DAILY, limit=1)

    async def put(*rules: Rule) -> None:
        await database.unit(lambda: quotas.put(bureau, list(rules), actor=house.manager, now=NOW))

    await put(weekly, themed)
    await put(weekly, themed)  # the same again
    assert await AuditEntry.filter(action="quotas.set").count() == 1
    await a_booking(house, local(5, 10))
    with pytest.raises(QuotaExceeded):
        await a_booking(house, local(5, 20))
    await put(weekly)
    await a_booking(house, local(5, 20))

    with pytest.raises(QuotaBelowUse) as refusal:
        await put(Rule(window=QuotaWindow.WEEKLY, limit=1))
    assert (refusal.value.data["limit"], refusal.value.data["used"]) == (1, 2)
    with pytest.raises(QuotaRefused):
        await put(weekly, weekly)
    with pytest.raises(QuotaRefused):
        await put(Rule(rooms=("nosuch",), window=QuotaWindow.DAILY, limit=1))
    with pytest.raises(PermissionMissing):
        await quotas.put(bureau, [], actor=house.officers[0], now=NOW)
    assert [each.limit for each in await quotas.limits_of(bureau)] == [3]
    assert await sound()
