"""A series becomes bookings and refusals that together are its rule; three scopes of changing it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from livehub import database
from livehub.settings import Settings
from rooms import recurrence, series, series_edits
from rooms.errors import SeriesRefused, SlotTaken
from rooms.invariants import holding, no_overlap
from rooms.models import Booking, BookingState, Broadcast
from rooms.moving import Target
from rooms.recurrence import Rule
from rooms.series_edits import Scope
from rooms.series_models import RejectedOccurrence, Series, SeriesBooking
from tests.factories.rooms import NOW, House, a_booking, a_house, a_room, local
from tests.factories.streamers import a_streamer

FIRST = recurrence.named("2026-03-03T20:00")


async def a_series(house: House, rrule: str = "FREQ=WEEKLY;COUNT=4", **more) -> Series:
    rule = Rule(start=FIRST, rrule=rrule, **more)
    wish = house.wish(local(3, 20))
    return await database.unit(lambda: series.create(wish, rule=rule, actor=house.officers[0], now=NOW))


async def counted(of: Series) -> bool:
    """R5: what was made, what was refused and what was excepted are the rule's set."""
    fresh = await Series.get(id=of.id)
    rule = series.rule_of(fresh)
    names = [each.recurrence_id for each in await SeriesBooking.filter(series_id=of.id)]
    names += [each.recurrence_id for each in await RejectedOccurrence.filter(series_id=of.id)]
    names += [f"{each:{recurrence.NAME}}" for each in rule.exdates]
    return sorted(names) == [f"{each:{recurrence.NAME}}" for each in recurrence.locals_of(rule)]


async def test_what_cannot_be_had_is_kept_with_its_reason(db: Settings) -> None:
    house = await a_house(max_advance_d=31)
    other = await a_streamer(house.centre)
    await a_booking(house, local(10, 21), by=1, streamer=other.public_id)
    rule = Rule(start=FIRST, rrule="FREQ=WEEKLY;COUNT=6", exdates=(recurrence.named("2026-03-17T20:00"),))
    wish = house.wish(local(3, 20))

    told = await series.preview(wish, rule=rule, actor=house.officers[0], now=NOW)
    assert await Series.all().count() == 0
    made = await database.unit(lambda: series.create(wish, rule=rule, actor=house.officers[0], now=NOW))

    seen = await series.seen(made.public_id, actor=house.officers[0])
    assert [name for name, _ in seen.bookings] == ["2026-03-03T20:00", "2026-03-24T20:00", "2026-03-31T20:00"]
    assert [(each.recurrence_id, each.code, each.detail) for each in seen.rejected] == [
        ("2026-03-10T20:00", "slot_taken", "商务局已占用"),
        ("2026-04-07T20:00", "too_far", "太早了，还不能预约（最多提前 31 天）"),
    ]
    assert [(each.name, each.code) for each in told if each.code] == [
        (each.recurrence_id, each.code) for each in seen.rejected
    ]
    assert await counted(made)
    assert (await holding.check(), await no_overlap.check()) == ([], [])
    assert await Broadcast.all().count() == 4
    for stranger in house.officers[1:]:
        with pytest.raises(Exception, match="NOT_FOUND"):
            await series.seen(made.public_id, actor=stranger)


async def test_three_scopes_of_moving_and_of_giving_back(db: Settings) -> None:
    house = await a_house()
    made = await a_series(house)
    (_, first), (_, second), (_, third), (_, fourth) = (
        await series.seen(made.public_id, actor=house.manager)
    ).bookings

    async def move(booking: Booking, scope: Scope, hours: float) -> list[Booking]:
        now_at = (await Booking.get(id=booking.id)).start_at
        to = Target(starts_at=now_at + timedelta(hours=hours), minutes=60)
        return await database.unit(
            lambda: series_edits.move(booking.public_id, scope=scope, to=to, actor=house.officers[0], now=NOW)
        )

    async def starts() -> list[str]:
        return [
            f"{each.start_at + timedelta(hours=8):%d %H:%M}" for each in await Booking.all().order_by("id")
        ]

    assert len(await move(second, Scope.THIS, 1)) == 1
    assert await starts() == ["03 20:00", "10 21:00", "17 20:00", "24 20:00"]
    assert await counted(made)  # its name is its first start, wherever it went
    assert len(await move(third, Scope.FOLLOWING, -2)) == 2
    assert await starts() == ["03 20:00", "10 21:00", "17 18:00", "24 18:00"]
    later = await Series.get(parent_id=made.id)
    assert (later.dtstart, later.rrule) == ("2026-03-17T20:00", "FREQ=WEEKLY;COUNT=2")
    assert await counted(made)
    assert await counted(later)

    await a_booking(house, local(24, 22), by=1, streamer=(await a_streamer(house.centre)).public_id)
    with pytest.raises(SlotTaken):
        await move(third, Scope.ALL, 3)
    assert await starts() == ["03 20:00", "10 21:00", "17 18:00", "24 18:00", "24 22:00"]  # or not at all
    with pytest.raises(SeriesRefused):
        await move(third, Scope.FOLLOWING, 24)
    other = await a_room(house.centre)
    to = Target(starts_at=local(17, 9), minutes=120, room=other.public_id)
    await database.unit(
        lambda: series_edits.move(third.public_id, scope=Scope.ALL, to=to, actor=house.manager, now=NOW)
    )
    assert await Booking.filter(room_id=other.id).count() == 2
    assert (await holding.check(), await no_overlap.check()) == ([], [])

    gone = await database.unit(
        lambda: series_edits.cancel(first.public_id, scope=Scope.ALL, actor=house.officers[0], now=NOW)
    )
    assert len(gone) == 2
    await database.unit(
        lambda: series_edits.cancel(fourth.public_id, scope=Scope.FOLLOWING, actor=house.officers[0], now=NOW)
    )
    states = [each.state for each in await Booking.all().order_by("id")]
    assert states.count(BookingState.CANCELLED) == 3
    assert await counted(made)
