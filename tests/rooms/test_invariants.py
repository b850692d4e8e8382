"""The invariants hold after any sequence of operations, and say so when they do not."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.actors import system
from livehub.kit import invariants
from livehub.kit.errors import LivehubError
from livehub.settings import Settings
from rooms import booking, closures, moving, quotas, waitlist
from rooms.closures import Plan
from rooms.invariants import holding, no_overlap
from rooms.models import Booking, BookingState, CrewAssignment, ResourceClaim
from rooms.moving import Target
from rooms.quotas import Rule
from rooms.sharing_models import QuotaWindow
from tests.factories.rooms import NOW, a_booking, a_house, a_room, local
from tests.factories.streamers import a_streamer
from tests.rooms.told import sound

JOB = system("tests")


def test_both_are_discovered() -> None:
    assert [each.name for each in invariants.discover(["rooms"])] == [
        "rooms.closures",
        "rooms.holding",
        "rooms.no_overlap",
        "rooms.published",
        "rooms.quotas",
        "rooms.waiting",
    ]


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_sequence_of_operations_breaks_them(  # noqa: C901, PLR0912 -- a case for each verb
    db: Settings, seed: int
) -> None:
    draw = random.Random(seed)
    house = await a_house()
    rooms = [house.room, await a_room(house.centre, approvals=2), await a_room(house.centre, approvals=0)]
    streamers = [house.streamer, await a_streamer(house.centre), await a_streamer(house.centre)]
    now, made, line, shut, seen = NOW, [], [], [], Counter()

    rule = Rule(window=QuotaWindow.DAILY, limit=3)
    await quotas.put(house.bureaus[0].id, [rule], actor=house.manager, now=NOW)
    for step in range(90):
        now += timedelta(hours=draw.choice([0, 0, 1, 5]))
        by = draw.randrange(3)
        wish = house.wish(
            local(2 + draw.randrange(3), 9 + draw.randrange(14), draw.choice([0, 15, 30])),
            bureau_id=house.bureaus[by].id,
            room=draw.choice(rooms).public_id,
            streamer=draw.choice(streamers).public_id,
            minutes=draw.choice([30, 60, 120]),
        )
        ref = draw.choice(made) if made else ""
        verb = draw.choice(
            ["request"] * 8
            + ["draft", "submit", "approve", "approve", "second", "reject", "cancel", "expire", "close"]
            + ["wait", "wait", "accept", "decline", "job", "move", "swap", "force", "lift"]
        )
        common = {"now": now}
        try:
            match verb:
                case "request" | "draft":
                    done = await booking.request(
                        wish, actor=house.officers[by], draft=verb == "draft", **common
                    )
                    made.append(done.public_id)
                case "submit":
                    await booking.submit(ref, actor=JOB, **common)
                case "approve":
                    await booking.approve(ref, actor=house.manager, **common)
                case "second":
                    await booking.approve(ref, actor=house.second, **common)
                case "reject":
                    await booking.reject(ref, reason="缺材料", actor=house.manager, **common)
                case "cancel":
                    await booking.cancel(ref, actor=JOB, **common)
                case "expire":
                    await booking.expire_holds(actor=JOB, **common)
                case "wait":
                    entry = await waitlist.join(wish, actor=house.officers[by], **common)
                    line.append(entry.public_id)
                case "accept" | "decline" if line:
                    await getattr(waitlist, verb)(draw.choice(line), actor=JOB, **common)
                case "job":
                    await waitlist.advance(**common)
                case "move":
                    target = Target(room=wish.room, starts_at=wish.starts_at)
                    await moving.move(ref, target, actor=house.manager, **common)
                case "swap":
                    pair = (ref, None), (draw.choice([*made, ""]), None)
                    await moving.swap(*pair, actor=house.manager, **common)
                case "force":
                    span = wish.core
                    plan = Plan(
                        rooms=(wish.room,),
                        starts_at=span.starts_at,
                        ends_at=span.ends_at,
                        reason="检修",
                        force=True,
                    )
                    closed, _ = await closures.close(plan, actor=house.manager, **common)
                    shut.append(closed.public_id)
                case "lift" if shut:
                    await closures.lift(draw.choice(shut), actor=house.manager, **common)
                case _:
                    await booking.close_past(actor=JOB, **common)
        except LivehubError as refusal:
            seen[refusal.code] += 1
        else:
            seen[verb] += 1

        if not step % 10:
            assert await sound(), seen

    assert await sound()
    assert seen["request"] > 5, seen
    assert seen.keys() & {"SLOT_TAKEN", "QUOTA_EXCEEDED"}, seen


async def test_an_overlap_is_told(db: Settings) -> None:
    house = await a_house()
    first = await a_booking(house, local(3, 20))
    second = await a_booking(house, local(4, 20))
    if database.dialect() == "sqlite":
        await database.execute("DROP TRIGGER resource_claim_no_overlap_update")
    else:
        await database.execute("ALTER TABLE resource_claim DROP CONSTRAINT resource_claim_no_overlap")
    claim = await ResourceClaim.get(booking_id=first.id, kind="room")
    await ResourceClaim.filter(booking_id=second.id, kind="room").update(
        starts_at=claim.starts_at + timedelta(minutes=1), ends_at=claim.ends_at
    )

    assert await no_overlap.check() == [
        f"room {house.room.id}：排期 {first.id} 与 {second.id} 在 2026-03-03 19:31 重叠"
    ]


async def test_a_booking_that_holds_too_little_or_too_much_is_told(db: Settings) -> None:
    house = await a_house()
    lost, kept, alone = [await a_booking(house, local(day, 20)) for day in (3, 4, 5)]
    await ResourceClaim.filter(booking_id=lost.id, kind="room").update(active=False)
    await Booking.filter(id=kept.id).update(state=BookingState.CANCELLED)
    await CrewAssignment.filter(booking_id=alone.id).update(state="declined")

    assert await holding.check() == [
        f"排期 {lost.public_id}（submitted）没有恰好一条直播间占用",
        f"排期 {kept.public_id}（cancelled）多占了 person {house.streamer.person_id}",
        f"排期 {kept.public_id}（cancelled）多占了 room {house.room.id}",
        f"排期 {alone.public_id}（submitted）多占了 person {house.streamer.person_id}",
    ]


async def test_a_person_who_works_unclaimed_is_told(db: Settings) -> None:
    house = await a_house()
    booked = await a_booking(house, local(3, 20))
    await ResourceClaim.filter(booking_id=booked.id, kind="person").delete()
    assert await holding.check() == [f"排期 {booked.public_id} 没有占用人员 {house.streamer.person_id}"]
