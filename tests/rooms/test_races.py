"""Two at one booking, one room or one show: whoever comes second finds what the first has done."""

from __future__ import annotations

from datetime import timedelta

from livehub import database
from livehub.accounts.actors import system
from livehub.accounts.models import AuditEntry
from livehub.settings import Settings
from rooms import booking, moving, onair, plans, registry, rundown
from rooms.invariants import holding, no_overlap
from rooms.models import Booking, BookingState, Broadcast, BroadcastRun, BroadcastState, Cue, Room, Theme
from rooms.moving import Target
from rooms.plan_models import PlanVersion
from rooms.rundown import Kind, Planned
from tests.contention import kinds, meet
from tests.factories.rooms import (
    NOW,
    House,
    a_booking,
    a_broadcast,
    a_house,
    a_room,
    an_approved,
    local,
)

JOB = system("tests")
BOOKING, BROADCAST = "SELECT 1 FROM booking FOR UPDATE", "SELECT 1 FROM broadcast FOR UPDATE"


async def _sound() -> bool:
    return await no_overlap.check() == [] and await holding.check() == []


async def _live(house: House) -> Broadcast:
    planned = await a_broadcast(house, local(3, 20), minutes=120)
    return await onair.start(planned.public_id, actor=house.manager, now=local(3, 20))


async def test_two_who_approve_at_once_decide_once(db: Settings) -> None:
    house = await a_house()
    booked = await a_booking(house, local(3, 20))

    answers = await meet(
        db,
        BOOKING,
        *(
            lambda actor=actor: booking.approve(booked.public_id, actor=actor, now=NOW)
            for actor in (house.manager, house.second)
        ),
    )

    assert kinds(answers) == ["AlreadyDecided", "Booking"]
    assert await AuditEntry.filter(action="booking.approved").count() == 1
    assert (await Booking.get()).version == 2


async def test_two_who_move_a_booking_at_once_leave_it_in_one_place(db: Settings) -> None:
    house = await a_house()
    booked = await an_approved(house, local(3, 20))
    places = [Target(starts_at=local(day, 20), minutes=60) for day in (4, 5)]

    answers = await meet(
        db,
        BOOKING,
        *(
            lambda to=to: moving.move(booked.public_id, to, version=2, actor=house.manager, now=NOW)
            for to in places
        ),
    )

    assert kinds(answers) == ["Booking", "StaleVersion"]
    assert await _sound()


async def test_two_who_publish_at_once_make_one_version(db: Settings) -> None:
    house = await a_house()
    await an_approved(house, local(3, 20))
    week = plans.named("2026-W10")

    async def publish() -> PlanVersion:
        return await plans.publish(week, centre_id=house.centre.id, actor=house.manager, now=NOW)

    answers = await meet(db, "LOCK TABLE plan_version IN SHARE ROW EXCLUSIVE MODE", publish, publish)

    assert kinds(answers) == ["NothingToPublish", "PlanVersion"]
    assert [each.number for each in await PlanVersion.all()] == [1]


async def test_a_booking_approved_as_its_hold_runs_out_stays(db: Settings) -> None:
    house = await a_house(hold_ttl_h=48)
    booked = await a_booking(house, local(10, 10))
    late = NOW + timedelta(hours=49)

    answers = await meet(
        db,
        BOOKING,
        lambda: booking.approve(booked.public_id, actor=house.manager, now=late),
        lambda: booking.expire_holds(actor=JOB, now=late),
    )

    assert (kinds(answers), answers[1]) == (["Booking", "int"], 0)
    assert (await Booking.get()).state is BookingState.APPROVED
    assert await _sound()


async def test_a_show_cancelled_as_it_starts_does_not_start(db: Settings) -> None:
    house = await a_house()
    planned = await a_broadcast(house, local(3, 20))
    booked = await Booking.get()

    answers = await meet(
        db,
        BOOKING,
        lambda: booking.cancel(booked.public_id, actor=house.officers[0], now=local(3, 20)),
        lambda: onair.start(planned.public_id, actor=house.manager, now=local(3, 20)),
    )

    assert kinds(answers) == ["Booking", "WrongState"]
    assert (await Booking.get()).state is BookingState.CANCELLED
    assert (await Broadcast.get()).state is BroadcastState.ABORTED
    assert await _sound()


async def test_a_show_started_twice_at_once_has_one_run(db: Settings) -> None:
    house = await a_house()
    planned = await a_broadcast(house, local(3, 20))

    answers = await meet(
        db,
        BOOKING,
        *[lambda: onair.start(planned.public_id, actor=house.manager, now=local(3, 20))] * 2,
    )

    assert kinds(answers) == ["Broadcast", "WrongState"]
    assert await BroadcastRun.all().count() == 1
    assert await AuditEntry.filter(action="broadcast.started").count() == 1


async def test_a_show_that_gives_a_sign_of_life_just_now_is_not_abandoned(db: Settings) -> None:
    house = await a_house()
    live = await _live(house)
    at = local(3, 20, 6)

    answers = await meet(
        db,
        BROADCAST,
        lambda: onair.heartbeat(live.public_id, actor=house.manager, now=at),
        lambda: onair.end_abandoned(actor=JOB, now=at),
    )

    assert answers == [None, 0]
    assert (await Broadcast.get()).state is BroadcastState.LIVE


async def test_signs_of_life_go_forward_and_bring_nothing_back(db: Settings) -> None:
    house = await a_house()
    live = await _live(house)

    await onair.pulse({live.id: local(3, 20, 4)})
    await onair.pulse({live.id: local(3, 20, 2)})
    assert (await Broadcast.get()).heartbeat_at == local(3, 20, 4)

    await onair.end(live.public_id, actor=house.manager, now=local(3, 21))
    await onair.pulse({live.id: local(3, 21, 30)})
    assert (await Broadcast.get()).heartbeat_at == local(3, 20, 4)


async def test_a_cue_fired_twice_at_once_is_told_once(db: Settings) -> None:
    house = await a_house()
    live = await _live(house)
    cue = await rundown.add(
        live.public_id,
        cue=Planned(kind=Kind.OPENING, title="开场"),
        actor=house.officers[0],
        now=local(3, 20),
    )

    answers = await meet(
        db,
        "SELECT 1 FROM broadcast, cue FOR UPDATE",
        *[lambda: rundown.fire(cue.public_id, actor=house.manager, now=local(3, 20, 1))] * 2,
    )

    assert kinds(answers) == ["Cue", "WrongState"]
    told = await database.fetch("SELECT 1 AS one FROM outbox_message WHERE kind = 'CueFired'")
    assert len(told) == 1


async def test_two_cues_added_at_once_stand_one_after_the_other(db: Settings) -> None:
    house = await a_house()
    live = await _live(house)

    def add(title: str):
        cue = Planned(kind=Kind.OPENING, title=title)
        return lambda: rundown.add(live.public_id, cue=cue, actor=house.officers[0], now=local(3, 20))

    answers = await meet(db, BROADCAST, add("开场"), add("口播"))

    assert kinds(answers) == ["Cue", "Cue"]
    shown = await Cue.all().order_by("position")
    assert [(each.position, each.title) for each in shown] == [(1, "开场"), (2, "口播")]


async def test_two_who_want_one_time_do_not_wait_for_each_other_in_a_ring(db: Settings) -> None:
    """Two inserts that meet in an exclusion constraint each wait for the other's end."""
    house = await a_house()
    other = await a_room(house.centre)
    await an_approved(house, local(5, 20))
    since, until = (int(at.timestamp() * 1000) for at in (local(3, 20), local(3, 21)))
    taken = (
        "INSERT INTO resource_claim (kind, resource_id, starts_at, ends_at, booking_id, active)"
        f" SELECT 'person', {house.streamer.person_id}, {since}, {until}, min(id), true FROM booking"
    )

    answers = await meet(
        db,
        taken,
        *(
            lambda room=room, by=by: booking.request(
                house.wish(local(3, 20), room=room.public_id, bureau_id=house.bureaus[by].id),
                actor=house.officers[by],
                now=NOW,
            )
            for by, room in enumerate((house.room, other))
        ),
    )

    assert kinds(answers) == ["Booking", "SlotTaken"]
    assert await _sound()


async def test_a_rooms_code_is_given_once(db: Settings) -> None:
    house = await a_house()
    plan = registry.Plan(code="A1", name="一号直播间", theme=Theme.AGRI_SPECIALTY)

    answers = await meet(
        db,
        "LOCK TABLE room IN SHARE MODE",
        *[lambda: registry.open_room(plan, centre_id=house.centre.id, actor=house.manager, now=NOW)] * 2,
    )

    assert kinds(answers) == ["Room", "RoomCodeTaken"]
    assert await Room.filter(code="A1").count() == 1
