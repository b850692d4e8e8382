"""The desk's pages of what bureaus share: rules, closures, quotas, the line, and one booking's page."""

from __future__ import annotations

from livehub.accounts.models import Role
from rooms import quotas
from rooms.models import Booking, BookingState
from rooms.sharing_models import Closure, Handover, OpenRule, WaitlistEntry
from tests.factories.rooms import a_booking, a_room, an_approved, local, waits
from tests.rooms.told import sound
from tests.web.desk.office import EVENING, Office
from tests.web.phones import hidden, visible


async def test_a_rooms_week_is_typed_and_kept(office: Office) -> None:
    manager = await office.visitor()
    path = f"/desk/rooms/{office.house.room.public_id}"
    rules = {
        "min_duration_min": 60, "max_duration_min": 240, "setup_min": 30, "turnover_min": 30, "approvals": 2,
        "hold_ttl_h": 24, "min_lead_h": 2, "max_advance_d": 60, "day0": "09:00-12:00 14:00-26:00", "day4": "9:00–18:00",
    }  # fmt: skip

    assert "08:00-26:00" in await manager.page(path)
    wrong, body, _ = await manager.post(path, **{**rules, "day1": "早上", "min_duration_min": 500})
    done, _, where = await manager.post(path, **rules)

    assert (wrong, done, where) == (422, 303, "/desk/rooms?done=room-changed")
    assert "如 09:00-12:00 14:00-26:00" in visible(body) or "看不懂" in visible(body)
    shown = visible(await manager.page("/desk/rooms"))
    assert "周一 09:00-12:00 14:00-26:00" in shown
    assert "周二 不开放" in shown
    assert [(each.weekday, each.closes_minute) for each in await OpenRule.all().order_by("id")] == [
        (0, 720),
        (0, 1560),
        (4, 1080),
    ]
    officer = await office.visitor(Role.STAFF)
    assert (await officer.get(path))[0] == 403


async def test_a_closure_is_shown_before_it_is_forced(office: Office) -> None:
    await an_approved(office.house, local(12, 11), title="合浦大蚝")
    manager = await office.visitor()
    form = {
        "rooms": office.house.room.public_id,
        "starts_at": "2026-03-12T10:00",
        "ends_at": "2026-03-12T18:00",
        "reason": "消防检查",
    }

    empty, _, _ = await manager.post("/desk/closures")
    status, body, _ = await manager.post("/desk/closures", **form)
    assert (empty, status, await Closure.all().count()) == (422, 409, 0)
    assert "会影响 1 条排期" in visible(body)
    assert "强制封场，1 条让位" in visible(body)
    expected = hidden(body, "expected")
    await a_booking(office.house, local(12, 15), by=1, streamer="", kind="rehearsal")
    again, body, _ = await manager.post("/desk/closures", **form, expected=expected)
    assert (again, "会影响 2 条排期" in visible(body)) == (409, True)
    done, _, where = await manager.post("/desk/closures", **form, expected=2)

    assert (done, where) == (303, "/desk/closures?done=room-closed")
    shown = await manager.page(where)
    assert "消防检查" in visible(shown)
    closure = await Closure.get()
    lifted, _, _ = await manager.post(f"/desk/closures/{closure.public_id}/lift")
    assert lifted == 303
    assert "已解除" in visible(await manager.page("/desk/closures"))
    assert await sound()


async def test_quotas_are_set_one_by_one_and_shown_with_their_use(office: Office) -> None:
    manager = await office.visitor()
    bureau = office.house.bureaus[0]
    form = {
        "bureau": bureau.public_id,
        "window": "weekly",
        "unit": "bookings",
        "limit": 9,
        "prime_only": "true",
    }

    assert "不限" in visible(await manager.page("/desk/quotas"))
    done, _, _ = await manager.post("/desk/quotas", **form)
    low, body, _ = await manager.post("/desk/quotas", **{**form, "limit": 0})
    more, _, _ = await manager.post(
        "/desk/quotas", **{**form, "prime_only": "", "rooms": office.house.room.public_id}
    )

    assert (done, low, more) == (303, 409, 303)  # the show on air is one already
    assert "不小于 1" in body or "已排 1" in visible(body)
    shown = visible(await manager.page("/desk/quotas"))
    assert "每周黄金时段 · 全中心" in shown
    assert "1 / 9 场" in shown
    dropped, _, _ = await manager.post("/desk/quotas/drop", bureau=bureau.public_id, number=0)
    assert (dropped, len(await quotas.limits_of(bureau.id))) == (303, 1)


async def test_the_line_and_one_bookings_page(office: Office) -> None:
    house = office.house
    other = await a_room(house.centre, name="魅力北海直播间")
    firm = await an_approved(house, local(4, 20), title="合浦大蚝")
    await waits(house, local(4, 20), by=1, title="夜市")
    pair = await an_approved(house, local(5, 15), room=other.public_id, streamer="", kind="rehearsal")
    manager = await office.visitor()
    path = f"/desk/bookings/{firm.public_id}"

    line = visible(await manager.page("/desk/waitlist"))
    assert ("夜市" in line, "候补中" in line) == (True, True)
    assert f"{pair.public_id}:{pair.version}" in await manager.page(path)
    goal = {
        "room": other.public_id,
        "starts_at": "2026-03-05T15:30",
        "minutes": 60,
        "version": firm.version,
    }
    taken, body, _ = await manager.post(f"{path}/move", **goal)
    assert (taken, "最近的空档" in visible(body)) == (409, True)
    swapped, _, where = await manager.post(
        f"{path}/swap", version=firm.version, other=f"{pair.public_id}:{pair.version}"
    )
    assert (swapped, where) == (303, f"{path}?done=booking-swapped")
    assert (await WaitlistEntry.get()).state == "waiting"  # the time went to the other one
    moved, _, _ = await manager.post(
        f"{path}/move",
        **{**goal, "room": house.room.public_id, "starts_at": "2026-03-06T20:00", "version": 3},
    )
    assert (moved, (await Booking.get(id=firm.id)).start_at) == (303, local(6, 20))
    early, _, _ = await manager.post(f"{path}/check-in", version=4)
    assert early == 409

    now = await a_booking(house, local(3, 10), title="早场", now=EVENING)
    path = f"/desk/bookings/{now.public_id}"
    await Booking.filter(id=now.id).update(state=BookingState.CHECKED_IN)
    handed, _, _ = await manager.post(f"{path}/handover", out_by="阿海", in_by="阿珍", missing="lights")
    assert (handed, (await Handover.get()).missing) == (303, "lights")
    left, _, _ = await manager.post(f"{path}/complete", version=1)
    assert left == 303
    assert "灯光" in visible(await manager.page(path))
