"""The waiting list: the first in line is offered what is given back, and it is held for her."""

from __future__ import annotations

from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.actors import system
from livehub.accounts.errors import OutOfScope
from livehub.settings import Settings
from rooms import booking, closures, quotas, sharing_queries, waitlist
from rooms.closures import Plan
from rooms.conflicts import Hours
from rooms.errors import AlreadyWaiting, NotWaitlistable, OfferOver, SlotFree, SlotTaken
from rooms.models import Booking, BookingState, Broadcast, BroadcastState, ResourceClaim, Theme
from rooms.quotas import Rule
from rooms.registry import Changes, change
from rooms.sharing_models import QuotaWindow, WaitlistEntry, WaitState
from tests.contention import kinds, meet
from tests.factories.rooms import NOW, House, a_booking, a_house, an_approved, local, waits
from tests.factories.streamers import a_streamer
from tests.rooms.told import sound, told

JOB = system("expire_holds")
LATE = local(3, 9) + timedelta(seconds=1)


async def _job(now) -> int:
    return await booking.expire_holds(actor=JOB, now=now) + await waitlist.advance(now=now)


async def _party_room() -> House:
    """R3 of the scenarios: Monday to Friday 09:00-18:00, two approvals, held for 48 hours."""
    house = await a_house(theme=Theme.PARTY_BUILDING, approvals=2, hold_ttl_h=48)
    weekly = tuple(Hours(day, 540, 1080) for day in range(5))
    await change(house.room.public_id, Changes(weekly=weekly), actor=house.manager, now=NOW)
    return house


async def _states() -> list[WaitState]:
    return [each.state for each in await WaitlistEntry.all().order_by("id")]


async def test_a_hold_runs_out_and_the_line_moves_up(db: Settings) -> None:
    """Scenario 5, message by message."""
    house = await _party_room()
    slot, streamers = local(10, 10), [(await a_streamer(house.centre)).public_id for _ in range(2)]
    asked = await a_booking(house, slot, minutes=120)
    assert (asked.state, asked.hold_until) == (BookingState.SUBMITTED, local(3, 9))

    with pytest.raises(SlotTaken) as taken:
        await a_booking(house, slot, minutes=120, by=1, streamer=streamers[0])
    assert taken.value.data["waitlistable"] is True
    first = await waits(house, slot, by=1, minutes=120, streamer=streamers[0])
    second = await waits(house, slot, by=2, minutes=120, streamer=streamers[1])
    line = await sharing_queries.waiting(actor=house.manager, now=NOW)
    assert [(each.id, each.position) for each in line] == [(first.public_id, 1), (second.public_id, 2)]
    once = await booking.approve(asked.public_id, actor=house.manager, now=NOW)
    assert once.state is BookingState.FIRST_APPROVED
    before = len(await told())
    assert await _job(local(3, 9) - timedelta(seconds=1)) == 0

    assert await _job(LATE) == 1

    assert (await Booking.get(id=asked.id)).state is BookingState.EXPIRED
    offered = await WaitlistEntry.get(id=first.id).select_related("booking")
    assert (offered.state, offered.offer_until) == (WaitState.OFFERED, LATE + timedelta(hours=24))
    assert offered.booking.state is BookingState.OFFERED
    assert offered.booking.bureau_id == house.bureaus[1].id
    with pytest.raises(SlotTaken):
        await a_booking(house, slot, minutes=120, by=2, streamer=streamers[1], now=LATE)
    assert await sound()
    with pytest.raises(OutOfScope):
        await waitlist.accept(first.public_id, actor=house.officers[2], now=LATE)
    assert await _job(LATE) == 0

    await database.unit(lambda: waitlist.decline(first.public_id, actor=house.officers[1], now=LATE))
    assert await _states() == [WaitState.DECLINED, WaitState.OFFERED]
    assert await sound()
    await database.unit(lambda: waitlist.accept(second.public_id, actor=house.officers[2], now=LATE))

    entry = await WaitlistEntry.get(id=second.id).select_related("booking")
    assert (entry.state, entry.booking.state) == (WaitState.ACCEPTED, BookingState.SUBMITTED)
    assert entry.booking.hold_until == LATE + timedelta(hours=48)
    assert (await Broadcast.get(booking_id=entry.booking.id)).state is BroadcastState.PLANNED
    assert await _job(LATE) == 0
    assert (await told())[before:] == [
        ("booking.expired", "农业农村局"),
        ("waitlist.offered", "商务局"),
        ("waitlist.offered", "乡村振兴局"),
        ("booking.submitted", house.centre.name),
    ]
    with pytest.raises(OfferOver):
        await waitlist.accept(second.public_id, actor=house.officers[2], now=LATE)
    assert await sound()


async def test_an_offer_nobody_answers_goes_to_the_next(db: Settings) -> None:
    house = await a_house()
    firm = await an_approved(house, local(9, 20))
    others = [(await a_streamer(house.centre)).public_id for _ in range(2)]
    first = await waits(house, local(9, 20), by=1, streamer=others[0])
    second = await waits(house, local(9, 19), by=2, streamer=others[1])  # another time, overlapping
    await database.unit(lambda: booking.cancel(firm.public_id, actor=house.officers[0], now=NOW))
    assert await _states() == [WaitState.OFFERED, WaitState.WAITING]

    over = NOW + timedelta(hours=24)
    with pytest.raises(OfferOver):
        await waitlist.accept(first.public_id, actor=house.officers[1], now=over)
    assert await _job(over) == 1
    assert await _job(over) == 0

    assert await _states() == [WaitState.EXPIRED, WaitState.OFFERED]
    assert [kind for kind, _ in await told()][-3:] == [
        "waitlist.offered",
        "booking.expired",
        "waitlist.offered",
    ]
    assert await ResourceClaim.filter(active=True, kind="room").count() == 1
    assert second.id == (await WaitlistEntry.get(state=WaitState.OFFERED)).id
    assert await sound()


async def test_who_may_stand_in_line_and_who_leaves_it(db: Settings) -> None:
    house = await a_house()
    with pytest.raises(SlotFree):
        await waits(house, local(9, 20), by=1)
    firm = await an_approved(house, local(9, 20))
    entry = await waits(house, local(9, 20), by=1)
    with pytest.raises(AlreadyWaiting):
        await waits(house, local(9, 20), by=1)
    with pytest.raises(OfferOver):  # nothing was offered yet
        await waitlist.decline(entry.public_id, actor=house.officers[1], now=NOW)
    await waitlist.withdraw(entry.public_id, actor=house.officers[1], now=NOW)
    late = await waits(house, local(9, 20), by=1)
    assert await _job(local(9, 20)) == 1  # its time has come, nobody gave it back
    assert (await WaitlistEntry.get(id=late.id)).state is WaitState.EXPIRED
    plan = Plan(rooms=(house.room.public_id,), starts_at=local(10, 9), ends_at=local(10, 12), reason="检修")
    await closures.close(plan, actor=house.manager, now=NOW)
    with pytest.raises(NotWaitlistable):
        await waits(house, local(10, 10), by=1)
    assert (await Booking.get(id=firm.id)).state is BookingState.APPROVED
    assert await sound()


async def test_a_bureau_without_quota_is_passed_over_until_it_has_some(db: Settings) -> None:
    house = await a_house()
    firm = await an_approved(house, local(9, 20))
    await waits(house, local(9, 20), by=1)
    await waits(house, local(9, 20), by=2)
    rule = Rule(window=QuotaWindow.WEEKLY, limit=0)
    await quotas.put(house.bureaus[1].id, [rule], actor=house.manager, now=NOW)

    await database.unit(lambda: booking.cancel(firm.public_id, actor=house.officers[0], now=NOW))

    assert await _states() == [WaitState.WAITING, WaitState.OFFERED]
    forced = Plan(
        rooms=(house.room.public_id,),
        starts_at=local(9, 19),
        ends_at=local(9, 20),
        reason="检修",
        force=True,
    )
    made, met = await database.unit(lambda: closures.close(forced, expected=1, actor=house.manager, now=NOW))
    assert [each.becomes for each in met] == [BookingState.EXPIRED]
    assert await _states() == [WaitState.WAITING, WaitState.EXPIRED]
    assert await sound()
    await quotas.put(house.bureaus[1].id, [], actor=house.manager, now=NOW)
    await closures.lift(made.public_id, actor=house.manager, now=NOW)
    assert await _job(NOW) == 1  # the job finds what became free by other ways
    assert await _states() == [WaitState.OFFERED, WaitState.EXPIRED]
    assert await sound()


async def test_who_leaves_the_line_is_not_offered_and_who_is_offered_does_not_leave(db: Settings) -> None:
    house = await a_house()
    for day, answer in ((9, ["WaitlistEntry", "int"]), (10, ["OfferOver", "int"])):
        firm = await an_approved(house, local(day, 20))
        entry = await waits(house, local(day, 20), by=1)
        await Booking.filter(id=firm.id).update(state=BookingState.CANCELLED)  # by some other way
        await ResourceClaim.filter(booking_id=firm.id).update(active=False)
        works = [
            lambda ref=entry.public_id: waitlist.withdraw(ref, actor=house.officers[1], now=NOW),
            lambda number=entry.id: database.unit(lambda: waitlist._offer(number, now=NOW)),
        ]

        answers = await meet(
            db, "SELECT 1 FROM waitlist_entry FOR UPDATE", *(works if day == 9 else reversed(works))
        )

        assert kinds(answers) == answer
        left = WaitState.WITHDRAWN if day == 9 else WaitState.OFFERED
        assert (await WaitlistEntry.get(id=entry.id)).state is left
        assert await sound()


async def test_an_offer_accepted_as_it_runs_out_is_settled_once(db: Settings) -> None:
    house = await a_house()
    firm = await an_approved(house, local(9, 20))
    entry = await waits(house, local(9, 20), by=1)
    await database.unit(lambda: booking.cancel(firm.public_id, actor=house.officers[0], now=NOW))
    seen = await WaitlistEntry.get(id=entry.id)
    just, over = NOW + timedelta(hours=23), NOW + timedelta(hours=24)

    answers = await meet(
        db,
        "SELECT 1 FROM booking FOR UPDATE",
        lambda: waitlist.accept(entry.public_id, actor=house.officers[1], now=just),
        lambda: database.unit(lambda: waitlist._run_out(seen, now=over)),
    )

    assert (kinds(answers), answers[1]) == (["WaitlistEntry", "int"], 0)
    assert (await Booking.get(id=seen.booking_id)).state is BookingState.SUBMITTED
    assert await sound()


async def test_one_bureau_stands_in_one_line_once(db: Settings) -> None:
    house = await a_house()
    await an_approved(house, local(9, 20))
    wish = house.wish(local(9, 20), bureau_id=house.bureaus[1].id)

    answers = await meet(
        db,
        "LOCK TABLE waitlist_entry IN SHARE MODE",
        *[lambda: waitlist.join(wish, actor=house.officers[1], now=NOW)] * 2,
    )

    assert kinds(answers) == ["AlreadyWaiting", "WaitlistEntry"]
