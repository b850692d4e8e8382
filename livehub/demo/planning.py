"""The days ahead: a week that was published, and what has changed since and waits to be published."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from livehub.accounts.actors import system
from livehub.demo import cast
from livehub.demo.seeding import Seeded
from livehub.kit import clock
from livehub.kit.errors import LivehubError
from rooms import booking, moving, plans, series
from rooms.models import Booking
from rooms.moving import Target
from rooms.recurrence import Rule
from rooms.wishes import Wish


class Ahead(Struct, frozen=True):
    """A show that is to come: days from now, hour, room, streamer by her number, what it is about."""

    days: int
    hour: int
    room: str
    streamer: int
    title: str


SHOWS = (
    Ahead(2, 10, "R1", 1, "沙田沙虫专场"),
    Ahead(2, 20, "R2", 3, "烟楼大蚝之夜"),
    Ahead(3, 15, "R4", 2, "涠洲岛一日"),
    Ahead(4, 20, "R2", 7, "海鸭蛋工厂行"),
)
LATER = Ahead(4, 10, "R1", 4, "香山荔枝预告")
MINUTES = 120


async def plan(world: Seeded, *, now: datetime) -> None:
    """Publish the days ahead, then move a show, call one off and add one; and a show that comes weekly."""
    clerk = system("demo", centre_id=world.centre_id)
    made = [each for each in [await _book(world, show, now=now) for show in SHOWS] if each is not None]
    today = clock.local_day(now)
    weeks = sorted({plans.of_day(today + timedelta(days=days)) for days in range(7)})
    for week in weeks:
        try:
            await plans.publish(week, centre_id=world.centre_id, actor=clerk, now=now, note="中心例会通过")
        except LivehubError:  # nothing is in it
            continue
    if len(made) > 2:
        to = Target(starts_at=made[0].start_at + timedelta(hours=1), minutes=MINUTES)
        await moving.move(made[0].public_id, to, actor=clerk, now=now)
        await booking.cancel(made[2].public_id, reason="主播临时有事", actor=clerk, now=now)
    await _book(world, LATER, now=now)
    await _weekly(world, now=now)


async def _book(world: Seeded, show: Ahead, *, now: datetime) -> Booking | None:
    """An approved show, or None where the time is taken."""
    clerk = system("demo", centre_id=world.centre_id)
    wish = _wish(world, show, now=now)
    try:
        made = await booking.request(wish, actor=clerk, now=now)
    except LivehubError:
        return None
    return await booking.approve(made.public_id, actor=clerk, now=now)


async def _weekly(world: Seeded, *, now: datetime) -> None:
    """Every week in the same room; one of its times is taken by the show above."""
    wish = _wish(world, Ahead(4, 20, "R2", 9, "周末大集"), now=now)
    start = clock.local(wish.starts_at).replace(tzinfo=None)
    rule = Rule(start=start, rrule="FREQ=WEEKLY;COUNT=6")
    await series.create(wish, rule=rule, actor=system("demo", centre_id=world.centre_id), now=now)


def _wish(world: Seeded, show: Ahead, *, now: datetime) -> Wish:
    day = clock.local_day(now) + timedelta(days=show.days)
    return Wish(
        room=world.rooms[show.room],
        bureau_id=world.bureau_ids[show.days % len(world.bureau_ids)],
        title=show.title,
        starts_at=clock.at_local(day, hour=show.hour),
        minutes=MINUTES,
        streamer=world.streamers[cast.STREAMERS[show.streamer][0]],
    )
