"""Rooms, and what is needed to book them, for tests."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor, system
from livehub.accounts.models import Bureau, Centre, Role
from livehub.kit import clock
from rooms import booking, equipment, prechecks, registry, waitlist
from rooms.models import Booking, Broadcast, Room, Theme
from rooms.sharing_models import Equipment, WaitlistEntry
from rooms.wishes import Wish
from streamers.models import Streamer
from tests.factories.accounts import a_bureau, a_centre, an_actor
from tests.factories.streamers import a_streamer

NOW = clock.at_local(clock.day_of_number(20260301), hour=9)  # a Sunday

_numbers = itertools.count(1)


class House(Struct, kw_only=True):
    """One centre with three bureaus, a room, a streamer, and somebody of each kind."""

    centre: Centre
    bureaus: list[Bureau]
    officers: list[Actor]
    manager: Actor
    second: Actor
    room: Room
    streamer: Streamer

    def wish(self, starts_at: datetime, **changes) -> Wish:
        """A live hour in the house's room, for the first bureau."""
        usual = {
            "room": self.room.public_id,
            "bureau_id": self.bureaus[0].id,
            "title": "沙田沙虫",
            "starts_at": starts_at,
            "minutes": 60,
            "streamer": self.streamer.public_id,
        }
        return Wish(**{**usual, **changes})


async def a_house(**room) -> House:
    centre = await a_centre()
    bureaus = [await a_bureau(centre, name=name) for name in ("农业农村局", "商务局", "乡村振兴局")]
    manager, second = (an_actor(Role.MANAGER, centre_id=centre.id) for _ in range(2))
    return House(
        centre=centre,
        bureaus=bureaus,
        officers=[an_actor(Role.BUREAU, bureau_id=each.id, centre_id=centre.id) for each in bureaus],
        manager=manager,
        second=second,
        room=await a_room(centre, **room),
        streamer=await a_streamer(centre),
    )


async def a_room(centre: Centre, **changes) -> Room:
    number = next(_numbers)
    usual = {"code": f"R{number}", "name": f"直播间 {number}", "theme": Theme.AGRI_SPECIALTY}
    return await registry.open_room(
        registry.Plan(**{**usual, **changes}),
        centre_id=centre.id,
        actor=an_actor(Role.MANAGER, centre_id=centre.id),
        now=NOW,
    )


async def a_booking(
    house: House, starts_at: datetime, *, now: datetime = NOW, by: int = 0, **changes
) -> Booking:
    """A submitted booking of the house's bureau number ``by``."""
    wish = house.wish(starts_at, **{"bureau_id": house.bureaus[by].id, **changes})
    return await database.unit(lambda: booking.request(wish, actor=house.officers[by], now=now))


async def an_approved(house: House, starts_at: datetime, *, now: datetime = NOW, **changes) -> Booking:
    booked = await a_booking(house, starts_at, now=now, **changes)
    return await database.unit(lambda: booking.approve(booked.public_id, actor=house.manager, now=now))


async def a_broadcast(
    house: House, starts_at: datetime, *, now: datetime = NOW, check: bool = True, **changes
) -> Broadcast:
    """The broadcast of an approved booking, checked so that it may go on air, unless told otherwise."""
    approved = await an_approved(house, starts_at, now=now, **changes)
    broadcast = await Broadcast.get(booking_id=approved.id)
    if check:
        await checked(broadcast, now=now)
    return await Broadcast.get(id=broadcast.id)


async def checked(broadcast: Broadcast, *, now: datetime = NOW) -> None:
    """Every item ticked, signed by the streamer and for the centre where it must be."""
    herself = Actor(kind="streamer", id=broadcast.streamer_id, name="主播", centre_id=broadcast.centre_id)
    centre = system("tests", centre_id=broadcast.centre_id)
    wanted = await prechecks.standing(broadcast.id)
    for role, actor in (("anchor", herself), ("centre", centre)):
        await database.unit(
            partial(prechecks.sign, broadcast.public_id, ticked=wanted.items, role=role, actor=actor, now=now)
        )
        if not wanted.needs_centre:
            return


def local(day: int, hour: int, minute: int = 0) -> datetime:
    """A time in Beihai on a day of March 2026; hours may pass midnight."""
    midnight = clock.at_local(clock.day_of_number(20260300 + day))
    return midnight + timedelta(hours=hour, minutes=minute)


async def a_unit(house: House) -> Equipment:
    """One camera of the house's centre."""
    serial = f"CAM-{next(_numbers)}"
    unit = equipment.Unit(kind="摄像机", name="索尼 FX3", serial=serial)
    return await equipment.register(unit, centre_id=house.centre.id, actor=house.manager, now=NOW)


async def waits(
    house: House, starts_at: datetime, *, by: int, now: datetime = NOW, **changes
) -> WaitlistEntry:
    """An entry of the waiting list of the house's bureau number ``by``."""
    wish = house.wish(starts_at, **{"bureau_id": house.bureaus[by].id, **changes})
    return await database.unit(lambda: waitlist.join(wish, actor=house.officers[by], now=now))
