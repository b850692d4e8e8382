"""Scenario 7: a week is published, moved, published again; calendars hear of it then, and only by their secret."""

from __future__ import annotations

import re

import aiohttp
import pytest
from icalendar import Calendar
from tortoise.exceptions import IntegrityError, OperationalError

from livehub import database
from livehub.accounts.errors import PermissionMissing
from livehub.accounts.models import AuditEntry, Role
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from rooms import booking, moving, plans
from rooms.invariants import holding, no_overlap, published
from rooms.models import Booking, Broadcast, BroadcastState
from rooms.moving import Target
from rooms.plan_models import CalendarFeed, PlanEvent, PlanSlot, PlanVersion
from tests.factories.accounts import a_centre
from tests.factories.rooms import a_broadcast, a_room, an_approved, local
from tests.web.desk.office import Office
from tests.web.phones import visible

WEEK = "2026-W10"
PHONE = "13912345678"


def events(body: bytes) -> dict[str, tuple[int, str, str]]:
    """Each event's sequence, status and start, by its UID."""
    return {
        str(each["uid"]): (int(each["sequence"]), str(each["status"]), each.decoded("dtstart").isoformat())
        for each in Calendar.from_ical(body).walk("VEVENT")
    }


async def test_a_week_is_published_changed_and_published_again(office: Office) -> None:
    house = office.house
    for day in (3, 4, 5):
        await an_approved(house, local(day, 10), title=f"沙虫专场 {PHONE}")
    other = await a_room(house.centre)
    late = await a_broadcast(house, local(8, 23), minutes=120, room=other.public_id)
    manager, staff = await office.visitor(Role.MANAGER), await office.visitor(Role.STAFF)
    officer = await office.visitor(Role.BUREAU, bureau=1)

    assert "新增" in visible(await staff.page(f"/desk/plans?week={WEEK}"))
    done = await manager.post("/desk/plans/publish", week=WEEK, note="开海周")
    assert (done[0], done[2]) == (303, f"/desk/plans?week={WEEK}&done=plan-published")
    first = [dict(row) for row in await PlanSlot.all().order_by("id").values()]
    assert len(first) == 5
    status, page, _ = await staff.post("/desk/feeds")
    url = re.search(r"data-feed[^>]*>([^<]+)<", page)[1]
    path = url[url.index("/feeds/") :]
    nobody = aiohttp.ClientSession(base_url=office.site.url)

    async def fetched(path: str, tag: str = "") -> tuple[int, bytes, str]:
        async with nobody.get(path, headers={"If-None-Match": tag} if tag else {}) as answer:
            return answer.status, await answer.read(), answer.headers.get("ETag", "")

    status, body, tag = await fetched(path)
    assert (status, len(events(body))) == (200, 5)
    assert {(sequence, said) for sequence, said, _ in events(body).values()} == {(0, "CONFIRMED")}
    assert PHONE.encode() not in body
    assert not re.search(rb"(?<!\d)1[3-9]\d{9}(?!\d)", body)

    moved, gone = await Booking.get(start_at=clock.to_ms(local(3, 10))), await Booking.get(
        start_at=clock.to_ms(local(4, 10))
    )  # fmt: skip
    fields = {"booking": moved.public_id, "starts_at": "2026-03-03T11:00", "minutes": 60}
    assert (await staff.post("/desk/plans/move", week=WEEK, **fields))[0] == 303
    await database.unit(lambda: booking.cancel(gone.public_id, actor=house.manager, now=clock.now()))
    await an_approved(house, local(6, 10), now=clock.now())
    await an_approved(house, local(7, 10), now=clock.now())
    assert (await fetched(path, tag))[0] == 304  # nobody published

    draft = visible(await staff.page(f"/desk/plans?week={WEEK}"))
    assert ("改期" in draft, "取消" in draft, "没变的 3 条" in draft) == (True, True, True)
    assert (await manager.post("/desk/plans/publish", week=WEEK))[0] == 303
    diff = await plans.difference(house.centre.id, plans.named(WEEK), since=1, until=2)
    assert (len(diff.new), len(diff.cancelled), len(diff.moved), diff.unchanged) == (2, 1, 1, 3)
    status, body, _ = await fetched(path, tag)
    found = events(body)
    assert (status, len(found)) == (200, 7)
    assert sorted(said for _, said, _ in found.values()) == ["CANCELLED"] + ["CONFIRMED"] * 6
    assert found[f"{moved.public_id}@livehub"] == (1, "CONFIRMED", "2026-03-03T03:00:00+00:00")
    assert found[f"{gone.public_id}@livehub"][1] == "CANCELLED"
    assert await published.check() == []

    status, page, _ = await manager.post("/desk/plans/publish", week=WEEK)
    assert (status, "没有可发布的变化" in page) == (409, True)
    assert [
        dict(row) for row in await PlanSlot.filter(version_id=first[0]["version_id"]).order_by("id").values()
    ] == first
    assert "第 1 版" in visible(await staff.page(f"/desk/plans?week={WEEK}&version=1"))
    for change in (
        lambda: PlanSlot.filter(id=first[0]["id"]).update(title="改写"),
        lambda: PlanVersion.filter(number=1).update(number=9),
        lambda: PlanEvent.filter(booking=moved.public_id).update(sequence=0),
    ):
        with pytest.raises((IntegrityError, OperationalError)):
            async with database.transaction():
                await change()

    feed = await CalendarFeed.get()
    assert (await officer.post(f"/desk/feeds/{feed.public_id}/rotate"))[0] == 404  # another's
    _, page, _ = await staff.post(f"/desk/feeds/{feed.public_id}/rotate")
    fresh = re.search(r"data-feed[^>]*>[^<]*(/feeds/[^<]+)<", page)[1]
    assert ((await fetched(path))[0], (await fetched(fresh))[0]) == (404, 200)
    unknown = await fetched("/feeds/nobody-knows-this-one.ics")
    assert (await fetched(path))[:2] == unknown[:2]
    assert (await staff.post(f"/desk/feeds/{feed.public_id}/revoke"))[0] == 303
    assert (await fetched(fresh))[:2] == unknown[:2]
    _, page, _ = await officer.post("/desk/feeds")  # a bureau's own slots only
    theirs = re.search(r"data-feed[^>]*>[^<]*(/feeds/[^<]+)<", page)[1]
    assert events((await fetched(theirs))[1]) == {}
    assert await AuditEntry.filter(action="plan.published").count() == 2
    assert (await Broadcast.get(id=late.id)).state is BroadcastState.CHECKED
    await nobody.close()


async def test_a_booking_moves_with_all_it_holds_or_not_at_all(office: Office) -> None:
    house = office.house
    show = await a_broadcast(house, local(4, 20))
    await an_approved(house, local(5, 20))
    other = await a_room(house.centre)
    of_show = await Booking.get(id=show.booking_id)
    staff = await office.visitor(Role.STAFF)
    fields = {"week": WEEK, "booking": of_show.public_id, "minutes": 60}

    status, page, _ = await staff.post("/desk/plans/move", **fields, starts_at="2026-03-05T20:30")
    assert (status, "这个时段已被占用" in page) == (409, True)
    assert (await Booking.get(id=of_show.id)).start_at == local(4, 20)
    assert (await holding.check(), await no_overlap.check()) == ([], [])
    assert (await staff.post("/desk/plans/move", **fields, starts_at="2026-03-04T20:07"))[0] == 422
    assert (
        await staff.post("/desk/plans/move", **{**fields, "booking": "nobody"}, starts_at="2026-03-04T21:00")
    )[0] == 404
    to = {"starts_at": "2026-03-07T00:30", "room": other.public_id}
    assert (await staff.post("/desk/plans/move", **fields, **to))[0] == 303

    moved, broadcast = await Booking.get(id=of_show.id), await Broadcast.get(id=show.id)
    assert (moved.start_at, moved.room_id, moved.version) == (local(7, 0, 30), other.id, of_show.version + 1)
    assert (broadcast.business_day.isoformat(), broadcast.room_id) == ("2026-03-06", other.id)
    assert broadcast.state is BroadcastState.PLANNED  # its check was for another day
    assert (await holding.check(), await no_overlap.check()) == ([], [])
    with pytest.raises(PermissionMissing):  # what is approved is the centre's to move
        await moving.move(
            of_show.public_id,
            Target(starts_at=local(6, 12), minutes=60),
            right=Permission.BOOKING_REQUEST,
            actor=house.officers[0],
            now=clock.now(),
        )


async def test_weeks_begin_on_monday_and_nights_belong_to_their_evening(office: Office) -> None:
    house = office.house
    night = await an_approved(house, local(9, 0), minutes=60)  # Monday 00:00, Sunday's night
    week, after = plans.named(WEEK), plans.named(WEEK).next

    here = [each.booking for each in await plans.draft(house.centre.id, week)]
    there = await plans.draft(house.centre.id, after)

    assert (night.public_id in here, there) == (True, [])
    for wrong in ("2026-W54", "2026-10", "2026-W00", "x", "9999-W01"):
        with pytest.raises(Exception, match="WEEK_UNKNOWN"):
            plans.named(wrong)
    assert (await a_centre()).id != house.centre.id
