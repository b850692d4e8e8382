"""Moving and swapping bookings; signing in, leaving, and handing over."""

from __future__ import annotations

import asyncio
import json

import pytest

from livehub import database
from livehub.accounts.errors import PermissionMissing
from livehub.accounts.models import AuditEntry
from livehub.accounts.permissions import Permission
from livehub.kit.errors import StaleVersion
from livehub.kit.states import WrongState
from livehub.settings import Settings
from rooms import attendance, booking, moving, onair, quotas
from rooms.attendance import HandingOver
from rooms.errors import (
    AlreadyHandedOver,
    HandoverRefused,
    NotTimeYet,
    OnAirNow,
    OutsideRules,
    QuotaExceeded,
    SlotTaken,
)
from rooms.models import Booking, BookingKind, BookingState, Broadcast, ResourceClaim
from rooms.moving import Target
from rooms.quotas import Rule
from rooms.sharing_models import Handover, QuotaWindow, WaitlistEntry, WaitState
from tests.contention import kinds, meet
from tests.factories.rooms import NOW, a_booking, a_broadcast, a_house, a_room, an_approved, local, waits
from tests.factories.streamers import a_streamer
from tests.rooms.told import sound, told, words


async def test_a_booking_goes_elsewhere_with_everything_it_has(db: Settings) -> None:
    house = await a_house()
    other = await a_room(house.centre, boundary_hour=0)
    firm = await an_approved(house, local(3, 20))
    await waits(house, local(3, 20), by=1, streamer=(await a_streamer(house.centre)).public_id)

    goal = Target(room=other.public_id, starts_at=local(5, 1), minutes=60)
    moved = await database.unit(
        lambda: moving.move(firm.public_id, goal, version=2, actor=house.manager, now=NOW)
    )

    assert (moved.state, moved.version, moved.start_at) == (BookingState.APPROVED, 3, local(5, 1))
    show = await Broadcast.get(booking_id=firm.id)
    assert (show.room_id, show.planned_start_at, show.business_day.day) == (other.id, local(5, 1), 5)
    assert [each.state for each in await WaitlistEntry.all()] == [WaitState.OFFERED]  # what it left
    assert [kind for kind, _ in await told()][-2:] == ["booking.moved", "waitlist.offered"]
    assert await sound()

    with pytest.raises(StaleVersion):
        await moving.move(firm.public_id, Target(minutes=90), version=2, actor=house.manager, now=NOW)
    with pytest.raises(OutsideRules):
        await moving.move(firm.public_id, Target(minutes=50), actor=house.manager, now=NOW)
    with pytest.raises(SlotTaken):  # of the offer
        goal = Target(room=house.room.public_id, starts_at=local(3, 20))
        await moving.move(firm.public_id, goal, actor=house.manager, now=NOW)
    with pytest.raises(PermissionMissing):
        await moving.move(firm.public_id, Target(minutes=90), actor=house.officers[0], now=NOW)
    same = await moving.move(firm.public_id, Target(starts_at=local(5, 1)), actor=house.manager, now=NOW)
    assert same.version == 3
    assert await sound()


async def test_a_bureau_moves_what_waits_and_the_centre_what_is_approved(db: Settings) -> None:
    house = await a_house()
    officer, ask = house.officers[0], Permission.BOOKING_REQUEST
    waiting = await a_booking(house, local(3, 20))
    goal = Target(starts_at=local(4, 20))

    with pytest.raises(PermissionMissing):
        await moving.move(waiting.public_id, goal, actor=officer, now=NOW)
    with pytest.raises(PermissionMissing):  # the rooms' rules are the centre's to leave aside
        await moving.move(waiting.public_id, Target(override="临时"), right=ask, actor=officer, now=NOW)
    moved = await moving.move(waiting.public_id, goal, right=ask, actor=officer, now=NOW)
    assert (moved.state, moved.start_at, moved.version) == (BookingState.SUBMITTED, local(4, 20), 2)
    assert [kind for kind, _ in await told()] == ["booking.submitted"] * 2
    assert "03月04日 20:00" in (await words("booking.submitted"))[-1]

    await moving.move(waiting.public_id, Target(minutes=90), right=ask, actor=house.manager, now=NOW)
    assert (await told())[-1] == ("booking.moved", house.bureaus[0].name)
    noted = await AuditEntry.filter(action="booking.moved").order_by("id").first()
    assert noted is not None
    assert json.loads(noted.detail)["to"] == local(4, 20).isoformat()
    await booking.approve(waiting.public_id, actor=house.manager, now=NOW)
    with pytest.raises(PermissionMissing):
        await moving.move(waiting.public_id, goal, right=ask, actor=officer, now=NOW)
    assert await sound()


async def test_two_bookings_take_each_others_place(db: Settings) -> None:
    house = await a_house()
    other = await a_room(house.centre)
    streamer = (await a_streamer(house.centre)).public_id
    one = await an_approved(house, local(3, 20), minutes=120)
    two = await an_approved(house, local(4, 15), room=other.public_id, streamer=streamer)
    pair = ((one.public_id, one.version), (two.public_id, two.version))

    first, second = await database.unit(lambda: moving.swap(*pair, actor=house.manager, now=NOW))

    assert (first.room_id, first.start_at, first.end_at) == (other.id, local(4, 15), local(4, 17))
    assert (second.room_id, second.start_at, second.end_at) == (house.room.id, local(3, 20), local(3, 21))
    assert await ResourceClaim.filter(active=True).count() == 4
    assert await sound()
    with pytest.raises(StaleVersion):
        await moving.swap(*pair, actor=house.manager, now=NOW)
    with pytest.raises(OutsideRules):
        await moving.swap((one.public_id, None), (one.public_id, None), actor=house.manager, now=NOW)

    await an_approved(house, local(3, 22, 30))  # so the longer one does not fit there any more
    await an_approved(house, local(4, 13), room=other.public_id, streamer=streamer)
    before = [(each.id, each.room_id, each.start_at, each.version) for each in await Booking.all()]
    with pytest.raises(SlotTaken):
        await database.unit(
            lambda: moving.swap((one.public_id, None), (two.public_id, None), actor=house.manager, now=NOW)
        )
    assert before == [(each.id, each.room_id, each.start_at, each.version) for each in await Booking.all()]
    assert await sound()


async def test_moving_counts_where_it_goes_and_swapping_within_a_week_costs_nothing(db: Settings) -> None:
    house = await a_house()
    rule = Rule(window=QuotaWindow.WEEKLY, limit=2)
    await quotas.put(house.bureaus[0].id, [rule], actor=house.manager, now=NOW)
    one, two = await a_booking(house, local(3, 20)), await a_booking(house, local(4, 15))
    third = await a_booking(house, local(10, 15))

    await moving.move(one.public_id, Target(starts_at=local(5, 20)), actor=house.manager, now=NOW)
    await moving.swap((one.public_id, None), (two.public_id, None), actor=house.manager, now=NOW)
    with pytest.raises(QuotaExceeded):
        await moving.move(third.public_id, Target(starts_at=local(6, 20)), actor=house.manager, now=NOW)
    assert await sound()


async def test_two_swaps_at_once_in_opposite_order(db: Settings) -> None:
    house = await a_house()
    one, two = await a_booking(house, local(3, 20)), await a_booking(house, local(4, 15))
    pair = ((one.public_id, 1), (two.public_id, 1))

    answers = await asyncio.gather(
        database.unit(lambda: moving.swap(*pair, actor=house.manager, now=NOW)),
        database.unit(lambda: moving.swap(*reversed(pair), actor=house.second, now=NOW)),
        return_exceptions=True,
    )

    assert kinds(answers) == ["StaleVersion", "tuple"]
    assert await sound()


async def test_a_booking_moved_as_it_is_cancelled_stays_cancelled(db: Settings) -> None:
    house = await a_house()
    booked = await a_booking(house, local(3, 20))
    pair = (await a_booking(house, local(4, 20))).public_id

    answers = await meet(
        db,
        "SELECT 1 FROM booking FOR UPDATE",
        lambda: booking.cancel(booked.public_id, actor=house.officers[0], now=NOW),
        lambda: moving.swap((booked.public_id, None), (pair, None), actor=house.manager, now=NOW),
    )

    assert kinds(answers) == ["Booking", "WrongState"]
    assert await sound()


async def test_the_crew_signs_in_leaves_and_hands_over(db: Settings) -> None:
    house = await a_house()
    officer = house.officers[0]
    firm = await an_approved(house, local(3, 20), minutes=120, kind=BookingKind.REHEARSAL, streamer="")
    left = HandingOver(out_by="阿海", in_by="阿珍", missing=("lights",), note="右侧灯不亮")

    with pytest.raises(NotTimeYet):
        await attendance.check_in(firm.public_id, actor=officer, now=local(3, 19, 29))
    with pytest.raises(WrongState):
        await attendance.hand_over(firm.public_id, left, actor=officer, now=local(3, 19, 30))
    inside = await attendance.check_in(firm.public_id, version=2, actor=officer, now=local(3, 19, 30))
    assert (inside.state, inside.version, inside.checked_in_by_id) == (
        BookingState.CHECKED_IN,
        3,
        officer.id,
    )
    out = await attendance.complete(firm.public_id, actor=officer, now=local(3, 20, 45))
    assert out.state is BookingState.COMPLETED
    noted = await attendance.hand_over(firm.public_id, left, actor=officer, now=local(3, 20, 50))
    assert (noted.missing, await Handover.all().count()) == ("lights", 1)
    with pytest.raises(AlreadyHandedOver):
        await attendance.hand_over(firm.public_id, left, actor=officer, now=local(3, 20, 51))
    with pytest.raises(HandoverRefused):
        nobody = HandingOver(out_by="", in_by="阿珍", missing=("sofa",))
        await attendance.hand_over(firm.public_id, nobody, actor=officer, now=local(3, 20, 52))
    await a_booking(house, local(3, 21, 30), now=local(3, 20, 55))  # the rest of its time is free
    assert await sound()


async def test_nobody_came_or_the_show_still_runs(db: Settings) -> None:
    house = await a_house()
    missed = await an_approved(house, local(3, 10))
    with pytest.raises(NotTimeYet):
        await attendance.miss(missed.public_id, actor=house.manager, now=local(3, 10, 14))
    gone = await attendance.miss(missed.public_id, actor=house.manager, now=local(3, 10, 15))
    assert gone.state is BookingState.NO_SHOW
    show = await a_broadcast(house, local(3, 20))
    await onair.start(show.public_id, actor=house.manager, now=local(3, 20))
    running = await Booking.get(id=show.booking_id)
    with pytest.raises(OnAirNow):
        await attendance.complete(running.public_id, actor=house.manager, now=local(3, 20, 10))
    assert await sound()
