"""Closures: refused where somebody is, or forced with everybody told once and nothing left behind."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest

from livehub import database
from livehub.accounts.errors import PermissionMissing
from livehub.accounts.models import AuditEntry
from livehub.settings import Settings
from rooms import booking, closures, onair, quotas, sharing_queries
from rooms.closures import Plan
from rooms.errors import (
    AlreadyClosed,
    ClosureRefused,
    OnAirNow,
    PreviewChanged,
    RoomBooked,
    SlotTaken,
)
from rooms.models import Booking, BookingState, Broadcast, BroadcastState, ResourceClaim
from rooms.quotas import Rule
from rooms.sharing_models import Closure, QuotaWindow
from tests.contention import kinds, meet
from tests.factories.rooms import NOW, House, a_booking, a_broadcast, a_house, a_room, an_approved, local
from tests.rooms.told import sound, told, words


def a_plan(house: House, **changes) -> Plan:
    usual = {
        "rooms": (house.room.public_id,),
        "starts_at": local(12, 10),
        "ends_at": local(12, 18),
        "reason": "消防检查",
        "force": True,
    }
    return Plan(**{**usual, **changes})


async def test_a_forced_closure_does_what_was_previewed(db: Settings) -> None:
    """Scenario 6: R2 on Thursday 10:00-18:00."""
    house = await a_house()
    other = await a_room(house.centre)
    rule = Rule(window=QuotaWindow.DAILY, limit=4)
    await quotas.put(house.bureaus[0].id, [rule], actor=house.manager, now=NOW)
    early = await an_approved(house, local(12, 8, 30))
    noon = await an_approved(house, local(12, 11))
    asked = await a_booking(house, local(12, 14), minutes=120)
    evening = await an_approved(house, local(12, 17, 30), minutes=90)
    before = len(await told())

    hits = await closures.preview(a_plan(house), actor=house.manager, now=NOW)

    assert [(each.public_id, each.becomes) for each in hits] == [
        (noon.public_id, BookingState.DISPLACED),
        (asked.public_id, BookingState.REJECTED),
        (evening.public_id, BookingState.DISPLACED),
    ]
    assert (await Closure.all().count(), len(await told())) == (0, before)
    with pytest.raises(RoomBooked) as booked:
        await closures.close(a_plan(house, force=False), actor=house.manager, now=NOW)
    assert [each["public_id"] for each in booked.value.data["conflicts"]] == [each.public_id for each in hits]
    with pytest.raises(PreviewChanged) as changed:
        await closures.close(a_plan(house), expected=2, actor=house.manager, now=NOW)
    assert changed.value.data == {"expected": 2, "now": 3}

    made, met = await database.unit(
        lambda: closures.close(a_plan(house), expected=3, actor=house.manager, now=NOW)
    )

    assert met == hits
    states = {each.id: each for each in await Booking.all()}
    assert [states[each.id].state for each in (early, noon, asked, evening)] == [
        BookingState.APPROVED,
        BookingState.DISPLACED,
        BookingState.REJECTED,
        BookingState.DISPLACED,
    ]
    assert {states[each.id].displaced_by_id for each in (noon, asked, evening)} == {made.id}
    assert (await Broadcast.get(booking_id=noon.id)).state is BroadcastState.ABORTED
    assert (await told())[before:] == [
        ("booking.displaced", "农业农村局"),
        ("booking.rejected", "农业农村局"),
        ("booking.displaced", "农业农村局"),
    ]
    for said in [*await words("booking.displaced"), *await words("booking.rejected")]:
        assert "消防检查" in said
        assert other.name in said  # the same time in the other room comes first
        assert said.split("还空着：")[1].count("；") <= 2
    [use] = await sharing_queries.quota_uses(actor=house.manager, day=date(2026, 3, 12))
    assert use.used == 1  # what was displaced counts no more
    with pytest.raises(AlreadyClosed):
        overlapping = a_plan(house, starts_at=local(12, 17), ends_at=local(12, 20))
        await closures.close(overlapping, actor=house.manager, now=NOW)
    with pytest.raises(SlotTaken) as taken:
        await a_booking(house, local(12, 11))
    assert [each["closed"] for each in taken.value.data["conflicts"]] == ["消防检查"]
    assert taken.value.data["waitlistable"] is False
    assert await AuditEntry.filter(action="closure.made").count() == 1
    assert await sound()

    await closures.lift(made.public_id, actor=house.manager, now=NOW)
    await closures.lift(made.public_id, actor=house.manager, now=NOW)
    await a_booking(house, local(12, 11))
    assert await AuditEntry.filter(action="closure.lifted").count() == 1
    assert await sound()


async def test_a_free_room_is_closed_and_what_is_on_air_is_not_cut(db: Settings) -> None:
    house = await a_house()
    await closures.close(a_plan(house, force=False), actor=house.manager, now=NOW)
    show = await a_broadcast(house, local(13, 20))
    await onair.start(show.public_id, actor=house.manager, now=local(13, 20))

    with pytest.raises(OnAirNow):
        tonight = a_plan(house, starts_at=local(13, 20), ends_at=local(13, 22))
        await closures.close(tonight, actor=house.manager, now=local(13, 20, 5))
    for wrong in (
        {"ends_at": local(12, 10)},
        {"starts_at": local(1, 7), "ends_at": local(1, 8)},
        {"rooms": ("nosuch",)},
        {"reason": " "},
    ):
        with pytest.raises(ClosureRefused):
            await closures.preview(a_plan(house, **wrong), actor=house.manager, now=NOW)
    with pytest.raises(PermissionMissing):
        await closures.preview(a_plan(house), actor=house.officers[0], now=NOW)
    assert await sound()


async def test_who_asks_while_the_room_is_being_closed_does_not_get_it(db: Settings) -> None:
    house = await a_house()

    answers = await meet(
        db,
        "SELECT 1 FROM room FOR UPDATE",
        lambda: closures.close(a_plan(house), actor=house.manager, now=NOW),
        lambda: booking.request(house.wish(local(12, 11)), actor=house.officers[0], now=NOW),
    )

    assert kinds(answers) == ["SlotTaken", "tuple"]
    assert await ResourceClaim.filter(active=True).count() == 1
    assert await sound()


async def test_who_got_the_room_since_the_preview_is_seen(db: Settings) -> None:
    house = await a_house()

    answers = await meet(
        db,
        "LOCK TABLE resource_claim IN SHARE MODE",
        lambda: booking.request(house.wish(local(12, 11)), actor=house.officers[0], now=NOW),
        lambda: closures.close(a_plan(house), expected=0, actor=house.manager, now=NOW),
    )

    assert kinds(answers) == ["Booking", "PreviewChanged"]
    assert await Closure.all().count() == 0
    assert await sound()


async def test_what_is_approved_while_the_room_is_being_closed_is_displaced_once(db: Settings) -> None:
    house = await a_house()
    asked = await a_booking(house, local(12, 11))

    answers = await asyncio.gather(
        database.unit(lambda: closures.close(a_plan(house), actor=house.manager, now=NOW)),
        database.unit(lambda: booking.approve(asked.public_id, actor=house.second, now=NOW)),
        return_exceptions=True,
    )

    state = (await Booking.get()).state
    if isinstance(answers[0], PreviewChanged):  # the approval came in between
        assert state is BookingState.APPROVED
    else:
        assert state in (BookingState.REJECTED, BookingState.DISPLACED)
        ends = [kind for kind, _ in await told() if kind in ("booking.rejected", "booking.displaced")]
        assert len(ends) == 1
    assert await sound()
