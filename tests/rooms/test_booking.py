"""Bookings: every shape of overlap, races, approval by one or two people, holds that run out."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from livehub import database
from livehub.accounts.actors import system
from livehub.accounts.errors import OutOfScope, PermissionMissing, SecondPersonNeeded
from livehub.accounts.models import AuditEntry, Role
from livehub.kit import outbox
from livehub.kit.errors import LivehubError, StaleVersion
from livehub.kit.states import WrongState
from livehub.settings import Settings
from rooms import booking, queries, registry
from rooms.errors import AlreadyDecided, OutsideRules, PersonNeeded, ReasonMissing, RoomNotActive, SlotTaken
from rooms.facts import BookingSubmitted
from rooms.invariants import holding, no_overlap
from rooms.models import (
    Booking,
    BookingKind,
    BookingState,
    Broadcast,
    BroadcastAccount,
    BroadcastState,
    ResourceClaim,
)
from tests.factories.accounts import an_actor
from tests.factories.rooms import NOW, House, a_booking, a_house, a_room, an_approved, local
from tests.factories.streamers import a_streamer

JOB = system("rooms.expire_holds")


async def _sound() -> bool:
    return await no_overlap.check() == [] and await holding.check() == []


async def _refused(house: House, starts_at, minutes: int, **changes) -> LivehubError:
    with pytest.raises(LivehubError) as refusal:
        await a_booking(house, starts_at, minutes=minutes, **changes)
    return refusal.value


async def test_turnover_and_every_shape_of_overlap(db: Settings) -> None:
    """Scenario 1: R1 open 08:00-26:00, setup 30, turnover 30; A holds Monday 19:00-21:00."""
    house = await a_house()
    await an_approved(house, local(2, 19), minutes=120)
    others = [(await a_streamer(house.centre)).public_id for _ in range(6)]

    touching_core = await _refused(house, local(2, 21, 30), 60, by=1, streamer=others[0])
    assert (touching_core.status, touching_core.code) == (409, "SLOT_TAKEN")
    assert touching_core.data["conflicts"] == [
        {"kind": "room", "bureau": "农业农村局", "starts_at": local(2, 18, 30), "ends_at": local(2, 21, 30)}
    ]
    assert touching_core.data["earliest_start"] == local(2, 22)

    after = await a_booking(house, local(2, 22), minutes=60, by=1, streamer=others[1])
    before = await a_booking(house, local(2, 17), minutes=60, by=2, streamer=others[2])
    assert (after.state, before.state) == (BookingState.SUBMITTED, BookingState.SUBMITTED)
    for starts_at, minutes in ((local(2, 19), 60), (local(2, 19), 120), (local(2, 18), 30)):
        refusal = await _refused(house, starts_at, minutes, by=1, streamer=others[3])
        assert isinstance(refusal, SlotTaken)
        assert {each["kind"] for each in refusal.data["conflicts"]} == {"room"}
    crooked = await _refused(house, local(2, 19, 7), 60, by=1, streamer=others[3])

    assert (crooked.status, crooked.data["rules"]) == (422, ["slot_alignment"])
    assert crooked.details[0].field == "starts_at"
    assert crooked.details[0].expected == "15 分钟的整数倍"
    claims = await ResourceClaim.filter(kind="room", resource_id=house.room.id, active=True).order_by(
        "starts_at"
    )
    assert [(each.starts_at, each.ends_at) for each in claims] == [
        (local(2, 16, 30), local(2, 18, 30)),
        (local(2, 18, 30), local(2, 21, 30)),
        (local(2, 21, 30), local(2, 23, 30)),
    ]
    assert await Booking.all().count() == 3  # a refusal leaves nothing behind
    assert await Broadcast.all().count() == 3
    assert await _sound()


async def test_twenty_at_once_for_one_slot(db: Settings) -> None:
    heard: list[BookingSubmitted] = []

    async def listener(fact: BookingSubmitted, now) -> None:
        heard.append(fact)

    outbox.connect({BookingSubmitted: {"tests": listener}})
    house = await a_house()

    async def attempt(number: int) -> Booking:
        by = number % 3
        wish = house.wish(local(3, 20), bureau_id=house.bureaus[by].id)
        return await database.unit(lambda: booking.request(wish, actor=house.officers[by], now=NOW))

    results = await asyncio.gather(*(attempt(n) for n in range(20)), return_exceptions=True)

    won = [each for each in results if isinstance(each, Booking)]
    lost = [each for each in results if isinstance(each, SlotTaken)]
    assert (len(won), len(lost)) == (1, 19)
    assert {each["kind"] for each in lost[0].data["conflicts"]} == {"room", "person"}
    active = await ResourceClaim.filter(active=True).order_by("kind")
    assert [each.kind for each in active] == ["person", "room"]
    assert await AuditEntry.filter(action="booking.created").count() == 1
    await outbox.hand_out(now=NOW)
    assert [each.booking_id for each in heard] == [won[0].id]
    assert await _sound()


async def test_two_rooms_and_one_streamer_sent_together(db: Settings) -> None:
    house = await a_house()
    other = await a_room(house.centre)
    for day in range(2, 12):
        wishes = [house.wish(local(day, 20)), house.wish(local(day, 20), room=other.public_id)]
        if day % 2:
            wishes.reverse()
        results = await asyncio.gather(
            *(
                database.unit(lambda wish=wish: booking.request(wish, actor=house.officers[0], now=NOW))
                for wish in wishes
            ),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in results) == ["Booking", "SlotTaken"], day
    assert await Booking.all().count() == 10
    assert await _sound()


async def test_two_approve_at_once_and_one_decides(db: Settings) -> None:
    house = await a_house()
    booked = await a_booking(house, local(3, 20))

    results = await asyncio.gather(
        *(
            database.unit(
                lambda actor=actor: booking.approve(
                    booked.public_id, version=booked.version, actor=actor, now=NOW
                )
            )
            for actor in (house.manager, house.second)
        ),
        return_exceptions=True,
    )

    assert sorted(type(each).__name__ for each in results) == ["AlreadyDecided", "Booking"]
    assert await AuditEntry.filter(action="booking.approved").count() == 1
    assert (await Booking.get(id=booked.id)).version == 2


async def test_a_live_booking_is_born_with_its_broadcast(db: Settings) -> None:
    """Scenario 4: over midnight it belongs to the day it began, and either day's timeline shows it."""
    house = await a_house()

    booked = await a_booking(house, local(6, 23), minutes=120)

    born = await Broadcast.get(booking_id=booked.id)
    assert (booked.start_at.isoformat(), booked.end_at.isoformat()) == (
        "2026-03-06T15:00:00+00:00",
        "2026-03-06T17:00:00+00:00",
    )
    assert born.business_day.isoformat() == "2026-03-06"
    assert born.business_day.isocalendar().week == 10
    assert born.state is BroadcastState.PLANNED
    account = await BroadcastAccount.get(broadcast_id=born.id)
    assert (account.platform, account.room_ref) == ("doudian", "")
    for day in (6, 7):
        shown = await queries.timeline(
            house.centre.id, since=local(day, 0), until=local(day, 24), actor=house.manager
        )
        assert [each.title for each in shown] == ["沙田沙虫"]
    by_day = [await queries.broadcasts(local(day, 12).date(), actor=house.manager) for day in (6, 7)]
    assert [len(each) for each in by_day] == [1, 0]


async def test_others_see_that_it_is_taken_and_not_what_for(db: Settings) -> None:
    house = await a_house()
    booked = await a_booking(house, local(3, 20))
    span = {"since": local(3, 0), "until": local(3, 24)}

    [own] = await queries.timeline(house.centre.id, actor=house.officers[0], **span)
    [other] = await queries.timeline(house.centre.id, actor=house.officers[1], **span)

    assert (own.mine, own.booking, own.title) == (True, booked.public_id, "沙田沙虫")
    assert other == msgspec.structs.replace(own, mine=False, booking="", broadcast="", title="", streamer="")
    assert (other.bureau, other.starts_at, other.ends_at) == (
        "农业农村局",
        local(3, 19, 30),
        local(3, 21, 30),
    )
    assert [
        each.id for each in await queries.my_week(house.bureaus[0].id, actor=house.officers[0], **span)
    ] == [booked.public_id]
    assert await queries.my_week(house.bureaus[0].id, actor=house.officers[1], **span) == []
    with pytest.raises(LivehubError, match="NOT_FOUND"):
        await queries.booking(booked.public_id, actor=house.officers[1])


async def test_every_wrong_field_is_named_at_once(db: Settings) -> None:
    house = await a_house(min_duration_min=60, max_duration_min=240)
    wish = house.wish(local(3, 5, 5), minutes=20, title=" ", streamer="nobody")

    with pytest.raises(OutsideRules) as refusal:
        await booking.request(wish, actor=house.officers[0], now=NOW)

    assert [(each.field, each.expected) for each in refusal.value.details] == [
        ("streamer", ""),
        ("title", "1 到 60 个字"),
        ("starts_at", "15 分钟的整数倍"),
        ("minutes", "15 分钟的整数倍"),
        ("minutes", "60 到 240 分钟"),
    ]


@pytest.mark.parametrize(
    ("starts_at", "room", "rule"),
    [
        (local(2, 7), {}, "opening_hours"),
        (local(2, 25, 30), {}, "opening_hours"),
        (local(1, 8), {}, "past"),
        (local(1, 10), {"min_lead_h": 2}, "lead"),
        (local(20, 10), {"max_advance_d": 7}, "too_far"),
    ],
)
async def test_a_rule_of_the_room_is_named(db: Settings, starts_at, room, rule) -> None:
    house = await a_house(**room)
    with pytest.raises(OutsideRules) as refusal:
        await a_booking(house, starts_at)
    assert refusal.value.data["rules"] == [rule]


async def test_a_room_open_past_midnight_takes_what_ends_at_its_close(db: Settings) -> None:
    house = await a_house()
    booked = await a_booking(house, local(2, 25))
    assert booked.end_at == local(2, 26)


async def test_a_room_out_of_use_takes_nothing(db: Settings) -> None:
    house = await a_house()
    await registry.set_status(house.room.public_id, status="maintenance", actor=house.manager, now=NOW)
    with pytest.raises(RoomNotActive):
        await a_booking(house, local(2, 20))


async def test_a_draft_holds_nothing_until_it_is_submitted(db: Settings) -> None:
    house = await a_house()
    draft = await booking.request(house.wish(local(2, 20)), actor=house.officers[0], now=NOW, draft=True)
    assert await ResourceClaim.all().count() == 0
    taken = await a_booking(house, local(2, 20), by=1)

    with pytest.raises(SlotTaken):
        await booking.submit(draft.public_id, version=1, actor=house.officers[0], now=NOW)
    await booking.cancel(taken.public_id, actor=house.officers[1], now=NOW)
    submitted = await booking.submit(draft.public_id, version=1, actor=house.officers[0], now=NOW)

    assert (submitted.state, submitted.version) == (BookingState.SUBMITTED, 2)
    assert await _sound()


async def test_a_check_tells_the_same_and_holds_nothing(db: Settings) -> None:
    house = await a_house()
    wish = house.wish(local(2, 20))
    assert (await booking.check(wish, actor=house.officers[0], now=NOW)).conflicts == ()
    await a_booking(house, local(2, 20))

    clash = await booking.check(wish, actor=house.officers[0], now=NOW)

    assert {each.kind for each in clash.conflicts} == {"room", "person"}
    assert [each.starts_at for each in clash.suggestions] == [local(2, 18), local(2, 22), local(2, 22, 15)]
    assert await ResourceClaim.filter(active=True).count() == 2


async def test_two_person_rooms_need_two_people(db: Settings) -> None:
    house = await a_house(approvals=2, hold_ttl_h=48)
    booked = await a_booking(house, local(10, 10))
    assert booked.hold_until == NOW + timedelta(hours=48)

    token = an_actor(Role.MANAGER, centre_id=house.centre.id)
    with pytest.raises(PersonNeeded):
        await booking.approve(booked.public_id, actor=msgspec.structs.replace(token, kind="token"), now=NOW)
    first = await booking.approve(booked.public_id, version=1, actor=house.manager, now=NOW)
    assert first.state is BookingState.FIRST_APPROVED
    with pytest.raises(SecondPersonNeeded):
        await booking.approve(booked.public_id, version=2, actor=house.manager, now=NOW)
    second = await booking.approve(booked.public_id, version=2, actor=house.second, now=NOW)

    assert (second.state, second.first_approved_by_id, second.approved_by_id) == (
        BookingState.APPROVED,
        house.manager.id,
        house.second.id,
    )


async def test_the_state_is_checked_before_the_version(db: Settings) -> None:
    house = await a_house()
    booked = await a_booking(house, local(3, 20))

    with pytest.raises(StaleVersion) as stale:
        await booking.approve(booked.public_id, version=7, actor=house.manager, now=NOW)
    assert stale.value.data == {"version": 1}
    await booking.reject(booked.public_id, version=1, reason="缺检测报告", actor=house.manager, now=NOW)
    with pytest.raises(AlreadyDecided):
        await booking.approve(booked.public_id, version=1, actor=house.manager, now=NOW)
    with pytest.raises(WrongState):
        await booking.cancel(booked.public_id, version=1, actor=house.officers[0], now=NOW)

    rejected = await Booking.get(id=booked.id)
    assert (rejected.state, rejected.version, rejected.reason) == (BookingState.REJECTED, 2, "缺检测报告")
    assert (await Broadcast.get(booking_id=booked.id)).state is BroadcastState.ABORTED
    assert await _sound()


async def test_a_rejection_needs_a_reason(db: Settings) -> None:
    house = await a_house()
    booked = await a_booking(house, local(3, 20))
    with pytest.raises(ReasonMissing):
        await booking.reject(booked.public_id, reason="  ", actor=house.manager, now=NOW)
    assert (await Booking.get(id=booked.id)).state is BookingState.SUBMITTED


async def test_only_the_centre_decides_and_only_owners_cancel(db: Settings) -> None:
    house = await a_house()
    booked = await a_booking(house, local(3, 20))
    with pytest.raises(PermissionMissing):
        await booking.approve(booked.public_id, actor=house.officers[0], now=NOW)
    with pytest.raises(OutOfScope):
        await booking.cancel(booked.public_id, actor=house.officers[1], now=NOW)
    with pytest.raises(OutOfScope):
        await booking.approve(
            booked.public_id, actor=an_actor(Role.MANAGER, centre_id=house.centre.id + 1), now=NOW
        )
    with pytest.raises(OutOfScope):
        await booking.request(house.wish(local(4, 20)), actor=house.officers[1], now=NOW)


async def test_holds_nobody_approved_run_out_once(db: Settings) -> None:
    house = await a_house(hold_ttl_h=48)
    forgotten = await a_booking(house, local(10, 10))
    firm = await an_approved(house, local(11, 10))

    assert await booking.expire_holds(actor=JOB, now=NOW + timedelta(hours=47)) == 0
    late = NOW + timedelta(hours=48, seconds=1)
    assert await booking.expire_holds(actor=JOB, now=late) == 1
    assert await booking.expire_holds(actor=JOB, now=late) == 0

    assert (await Booking.get(id=forgotten.id)).state is BookingState.EXPIRED
    assert (await Booking.get(id=firm.id)).state is BookingState.APPROVED
    entry = await AuditEntry.get(action="booking.expired")
    assert (entry.centre_id, entry.actor_kind) == (house.centre.id, "system")
    await a_booking(house, local(10, 10), by=1)  # the time is free again
    assert await _sound()


async def test_what_is_over_is_completed_or_missed(db: Settings) -> None:
    house = await a_house()
    missed = await an_approved(house, local(2, 10))

    assert await booking.close_past(actor=JOB, now=local(2, 11, 15)) == 0  # still clearing away
    assert await booking.close_past(actor=JOB, now=local(2, 11, 30)) == 1

    assert (await Booking.get(id=missed.id)).state is BookingState.NO_SHOW
    assert await _sound()


async def test_rooms_without_approval_are_firm_at_once(db: Settings) -> None:
    house = await a_house(approvals=0)
    booked = await a_booking(house, local(3, 20), kind=BookingKind.REHEARSAL)
    assert (booked.state, booked.hold_until) == (BookingState.APPROVED, None)
    assert not await Broadcast.exists(booking_id=booked.id)


async def test_the_desk_reads_what_waits_first(db: Settings) -> None:
    house = await a_house()
    firm = await an_approved(house, local(9, 10))
    waiting = await a_booking(house, local(3, 20), by=1)

    page = await queries.bookings(actor=house.manager)

    assert [each.id for each in page.items] == [waiting.public_id, firm.public_id]
    assert (page.total, page.items[0].bureau, page.items[0].streamer) == (
        2,
        "商务局",
        house.streamer.stage_name,
    )
    assert [each.id for each in await queries.pending(actor=house.manager)] == [waiting.public_id]
    mine = await queries.bookings(actor=house.officers[0], state="approved", room=house.room.public_id)
    assert [each.id for each in mine.items] == [firm.public_id]
    assert (await queries.bookings(actor=house.officers[0], bureau_id=house.bureaus[1].id)).total == 0
