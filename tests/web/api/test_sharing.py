"""How bureaus share rooms, told by machines: rules, equipment, quotas, closures, the waiting list, moves."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import Any

import time_machine

from livehub.accounts.models import AuditEntry, Role
from livehub.notices.models import Notice
from rooms import waitlist
from rooms.models import Booking, ResourceClaim
from tests.factories.rooms import NOW, House, a_house, a_room, local
from tests.factories.streamers import a_streamer
from tests.rooms.told import sound
from tests.site import Site
from tests.web.api.callers import Caller, a_caller


async def officer(client: Site, house: House, number: int = 0) -> Caller:
    return await a_caller(client, Role.BUREAU, centre_id=house.centre.id, bureau_id=house.bureaus[number].id)


async def staff(client: Site, house: House) -> Caller:
    return await a_caller(client, Role.MANAGER, centre_id=house.centre.id)


def a_wish(house: House, at: datetime, **changes: object) -> dict[str, Any]:
    usual = {
        "room": house.room.public_id,
        "title": "沙田沙虫",
        "starts_at": at.isoformat(),
        "minutes": 60,
        "streamer": house.streamer.public_id,
    }
    return {**usual, **changes}


async def test_fifty_rounds_for_one_camera_and_one_person(client: Site) -> None:
    """Scenario 2: room, camera and person against another room with the same two, named the other way round."""
    with time_machine.travel(NOW, tick=True):
        house = await a_house(max_advance_d=180)
        other = await a_room(house.centre)
        manager = await staff(client, house)
        callers = [await officer(client, house, number) for number in (0, 1)]
        unit = await manager.post("/equipment", {"kind": "摄像机", "name": "FX3", "serial": "CAM-1"})
        assert [each["id"] for each in (await callers[0].get("/equipment"))["items"]] == [unit["id"]]
        statuses = []
        for day in range(2, 52):
            wishes = [
                a_wish(house, local(2, 20) + timedelta(days=day), equipment=[unit["id"]], room=room.public_id)
                for room in (house.room, other)
            ]
            sent = [each.post("/bookings", wish) for each, wish in zip(callers, wishes, strict=True)]
            replies = await asyncio.gather(*(sent if day % 2 else reversed(sent)))
            statuses.append(sorted(each.status for each in replies))

    assert statuses == [[201, 409]] * 50
    assert await ResourceClaim.filter(active=True).count() == 150
    assert await AuditEntry.filter(action="booking.created").count() == 50
    assert await Notice.filter(kind="booking.submitted").count() == 50
    assert await sound()


async def test_quotas_are_put_shown_and_kept(client: Site) -> None:
    with time_machine.travel(NOW, tick=True):
        house = await a_house()
        manager, bureau = await staff(client, house), await officer(client, house)
        other = await officer(client, house, 1)
        rule = {"window": "weekly", "limit": 4, "prime_only": True, "rooms": [house.room.public_id]}
        wanted = {"bureau": house.bureaus[0].public_id, "quotas": [rule]}

        put = await manager.put("/quotas", wanted)
        again = await manager.put("/quotas", wanted)
        assert (put.status, again.body) == (200, put.body)
        assert (await bureau.put("/quotas", wanted)).status == 403
        for day in (2, 3, 4):
            assert (await bureau.post("/bookings", a_wish(house, local(day, 20)))).status == 201
        second = (await a_streamer(house.centre)).public_id
        room = (await a_room(house.centre)).public_id
        rule = {**rule, "rooms": [house.room.public_id, room]}
        assert (await manager.put("/quotas", {**wanted, "quotas": [rule]})).status == 200
        wishes = [a_wish(house, local(5, 20)), a_wish(house, local(6, 20), room=room, streamer=second)]
        replies = await asyncio.gather(*(bureau.post("/bookings", wish) for wish in wishes))
        refused = next(each for each in replies if each.status == 422)
        day_time = await bureau.post("/bookings", a_wish(house, local(7, 10), minutes=120))

        assert sorted(each.status for each in replies) == [201, 422]
        assert refused["code"] == "QUOTA_EXCEEDED"
        assert {k: refused["data"][k] for k in ("limit", "used", "requested")} == {
            "limit": 4,
            "used": 4,
            "requested": 1,
        }
        assert day_time.status == 201
        [use] = (await bureau.get("/quotas", day=date(2026, 3, 4)))["items"]
        assert (use["used"], use["limit"], use["from"], use["until"]) == (4, 4, "2026-03-02", "2026-03-09")
        assert (await other.get("/quotas"))["items"] == []
        low = await manager.put("/quotas", {**wanted, "quotas": [{**rule, "limit": 1}]})
        assert (low.status, low["code"]) == (409, "QUOTA_BELOW_USE")
    assert await sound()


async def test_a_closure_is_previewed_made_and_lifted(client: Site) -> None:
    with time_machine.travel(NOW, tick=True):
        house = await a_house()
        manager, bureau = await staff(client, house), await officer(client, house)
        await bureau.post("/bookings", a_wish(house, local(12, 11)))
        plan = {
            "rooms": [house.room.public_id],
            "starts_at": local(12, 10).isoformat(),
            "ends_at": local(12, 18).isoformat(),
            "reason": "消防检查",
        }

        booked = await manager.post("/closures", plan)
        dry = await manager.post("/closures?dry_run=1", {**plan, "mode": "force"})
        stale = await manager.post("/closures", {**plan, "mode": "force", "expected": 2})
        made = await manager.post("/closures", {**plan, "mode": "force", "expected": dry["total"]})

        assert (booked.status, booked["code"]) == (409, "ROOM_BOOKED")
        assert [each["title"] for each in booked["data"]["conflicts"]] == ["沙田沙虫"]
        assert (dry.status, dry["id"], dry["total"], dry["affected"][0]["becomes"]) == (
            201,
            "",
            1,
            "rejected",
        )
        assert (stale.status, stale["code"]) == (409, "PREVIEW_CHANGED")
        assert made["affected"] == dry["affected"]
        window = {"from": local(12, 0).isoformat(), "to": local(13, 0).isoformat()}
        timeline = await bureau.get("/timeline", **window)
        assert (timeline["taken"], [each["reason"] for each in timeline["closed"]]) == ([], ["消防检查"])
        assert [each["id"] for each in (await bureau.get("/closures"))["items"]] == [made["id"]]
        assert (await bureau.post("/closures", plan)).status == 403
        lifted = await manager.post(f"/closures/{made['id']}/lift")
        assert lifted["items"][0]["lifted_at"] is not None
        assert (await bureau.post("/bookings", a_wish(house, local(12, 11)))).status == 201
    assert await sound()


async def test_the_line_for_a_time(client: Site) -> None:
    with time_machine.travel(NOW, tick=True):
        house = await a_house()
        first, second, third = [await officer(client, house, number) for number in range(3)]
        streamers = [(await a_streamer(house.centre)).public_id for _ in range(3)]
        held = await first.post("/bookings", a_wish(house, local(10, 10)))
        taken = await second.post("/bookings", a_wish(house, local(10, 10), streamer=streamers[0]))
        assert taken["data"]["waitlistable"] is True
        waiting = [
            await each.post("/waitlist", a_wish(house, local(10, 10), streamer=streamer))
            for each, streamer in zip((second, third), streamers, strict=False)
        ]
        assert [each["position"] for each in waiting] == [1, 2]
        assert [each["position"] for each in (await third.get("/waitlist"))["items"]] == [2]
        mine = await first.post("/waitlist", a_wish(house, local(10, 10), streamer=streamers[2]))
        gone = await first.post(f"/waitlist/{mine['id']}/withdraw")
        assert (gone["state"], gone["position"]) == ("withdrawn", 0)

        await first.post(f"/bookings/{held['id']}/cancel")
        declined = await second.post(f"/waitlist/{waiting[0]['id']}/decline")
        accepted = await third.post(f"/waitlist/{waiting[1]['id']}/accept")
        late = await second.post(f"/waitlist/{waiting[0]['id']}/accept")

        assert (declined["state"], accepted["state"]) == ("declined", "accepted")
        assert (late.status, late["code"]) == (409, "OFFER_OVER")
        assert (await third.get(f"/bookings/{accepted['booking']}"))["state"] == "submitted"
        assert (await second.post(f"/waitlist/{waiting[1]['id']}/accept")).status == 404
        assert await waitlist.advance(now=NOW + timedelta(seconds=5)) == 0
    assert await sound()


async def test_the_desk_moves_swaps_and_approves_several(client: Site) -> None:
    before = await Booking.all().count()
    with time_machine.travel(NOW, tick=True):
        house = await a_house()
        manager, bureau = await staff(client, house), await officer(client, house)
        one, two = [await bureau.post("/bookings", a_wish(house, local(day, 20))) for day in (3, 4)]
        seen = [{"booking": each["id"], "version": 1} for each in (one, two)]

        several = await manager.post(
            "/bookings/batch-approve", {"bookings": [*seen, {"booking": "nosuch", "version": 1}]}
        )
        moved = await manager.post(
            f"/bookings/{one['id']}/move", {"starts_at": local(5, 20).isoformat()}, If_Match='"2"'
        )
        pair = {
            "one": {"booking": one["id"], "version": moved["version"]},
            "other": {"booking": two["id"], "version": 2},
        }
        swapped = await manager.post("/bookings/swap", pair)
        stale = await manager.post("/bookings/swap", pair)

        assert [(each["state"], each["code"]) for each in several["items"]] == [
            ("approved", ""),
            ("approved", ""),
            (None, "NOT_FOUND"),
        ]
        starts = [datetime.fromisoformat(each["starts_at"]) for each in swapped["items"]]
        assert (moved["state"], starts) == ("approved", [local(4, 20), local(5, 20)])
        assert stale.status == 412
        assert (await bureau.post(f"/bookings/{one['id']}/move", {"minutes": 90})).status == 403
    with time_machine.travel(local(4, 19, 40), tick=True):
        path = f"/bookings/{one['id']}"
        early = await manager.post(f"/bookings/{two['id']}/no-show")
        assert (early.status, early["code"]) == (409, "NOT_TIME_YET")
        assert (await bureau.post(f"{path}/checkin"))["state"] == "checked_in"
        left = {"out_by": "阿海", "in_by": "阿珍", "missing": ["lights"]}
        assert (await bureau.post(f"{path}/handover", left))["missing"] == ["lights"]
        assert (await bureau.post(f"{path}/complete"))["state"] == "completed"
    with time_machine.travel(local(5, 20, 20), tick=True):
        assert (await manager.post(f"/bookings/{two['id']}/no-show"))["state"] == "no_show"
    assert await Booking.all().count() == before + 2
    assert await sound()


async def test_a_rooms_rules_are_read_and_changed(client: Site) -> None:
    with time_machine.travel(NOW, tick=True):
        house = await a_house()
        manager, bureau = await staff(client, house), await officer(client, house)
        path = f"/rooms/{house.room.public_id}/rules"
        week = [{"weekday": day, "opens_minute": 540, "closes_minute": 1080} for day in range(5)]

        changed = await manager.post(path, {"weekly": week, "min_lead_h": 24})
        wrong = await manager.post(path, {"min_duration_min": 500})
        shut = await bureau.post("/bookings", a_wish(house, local(7, 10)))
        wish = a_wish(house, local(7, 10), override="开海节")
        own, made = (
            await bureau.post("/bookings", wish),
            await manager.post("/bookings", {**wish, "bureau": house.bureaus[0].public_id}),
        )

        assert (changed["min_lead_h"], changed["weekly"]) == (24, week)
        assert (wrong.status, wrong["code"]) == (422, "ROOM_REFUSED")
        assert (await bureau.get("/rooms/rules"))["items"] == [changed.body]
        assert (shut.status, shut["data"]["rules"]) == (422, ["opening_hours"])
        assert (own.status, made.status) == (403, 201)


async def rooms_are_shared(site: Site) -> None:
    """All that bureaus do to share rooms, told once, for whoever wants every call to have been made."""
    for story in (
        test_quotas_are_put_shown_and_kept,
        test_a_closure_is_previewed_made_and_lifted,
        test_the_line_for_a_time,
        test_the_desk_moves_swaps_and_approves_several,
        test_a_rooms_rules_are_read_and_changed,
    ):
        await story(site)
    manager = await staff(site, await a_house())
    unit = await manager.post("/equipment", {"kind": "摄像机", "name": "FX3", "serial": "CAM-9"})
    assert [each["id"] for each in (await manager.get("/equipment"))["items"]] == [unit["id"]]
