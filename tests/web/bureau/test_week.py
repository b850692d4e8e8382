"""An officer's week over real HTTP: what she sees of others, asking, picking a free time, giving it back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
import time_machine

from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.web.doors import SESSION
from rooms.models import Booking, BookingState
from tests.factories import accounts as people
from tests.factories.rooms import NOW, House, a_booking, a_house, a_room, an_approved, local
from tests.site import Site
from tests.web.phones import hidden, tap, visible


@pytest.fixture(autouse=True)
def _sunday() -> Iterator[None]:
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
async def house(client: Site) -> House:
    house = await a_house()
    await sign_in(client, house, Grant(Role.BUREAU, house.bureaus[0].id))
    return house


async def sign_in(client: Site, house: House, *grants: Grant) -> None:
    user = await people.a_user(*grants, centre=house.centre)
    token, _ = await logins.log_in(user.login, people.PASSWORD, ip="127.0.0.1", agent="test", now=clock.now())
    client.session.cookie_jar.update_cookies({SESSION: token}, client.url)


async def a_form(client: Site, house: House, **changes: str) -> dict[str, str]:
    page = await client.text("/bureau/bookings/new")
    usual = {
        "csrf": hidden(page, "csrf"),
        "title": "沙田沙虫",
        "room": house.room.public_id,
        "kind": "live",
        "starts_at": "2026-03-02T19:00",
        "minutes": "120",
        "streamer": house.streamer.public_id,
    }
    return {**usual, **changes}


def lane(page: str) -> str:
    """The text of the rooms' lanes."""
    return visible(page[page.index('<div class="lanes"') : page.index("本周申请")])


async def test_a_time_is_asked_for_and_stands_in_the_week(client: Site, house: House) -> None:
    status, _, where = await tap(client, "/bureau/bookings", **await a_form(client, house))
    page = await client.text(where)

    assert (status, where) == (303, "/bureau?week=2026-03-02&day=2026-03-02&done=asked")
    assert "已提交，时段先为您留着" in page
    assert "沙田沙虫" in lane(page)
    assert "19:00–21:00" in lane(page)
    assert "待审批" in visible(page)
    (booking,) = await Booking.all()
    assert (booking.state, booking.bureau_id) == (BookingState.SUBMITTED, house.bureaus[0].id)


async def test_a_taken_time_is_refused_with_free_ones_that_can_be_tapped(client: Site, house: House) -> None:
    await a_booking(house, local(2, 19), by=1)
    typed = await a_form(client, house, starts_at="2026-03-02T19:30", title="乡村振兴·沙虫")

    status, page, _ = await tap(client, "/bureau/bookings", **typed)

    assert status == 409
    assert "商务局 3月2日 18:30–20:30（含准备和收场）" in visible(page)
    assert 'value="乡村振兴·沙虫"' in page
    assert 'value="2026-03-02T19:30"' in page
    suggestions = re.findall(r'<form method="post" action="/bureau/bookings">(.*?)</form>', page, re.DOTALL)[
        :3
    ]
    assert len(suggestions) == 3
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', unescape(suggestions[0])))
    status, _, where = await tap(client, "/bureau/bookings", **fields)
    assert (status, where.endswith("done=asked")) == (303, True)
    booking = await Booking.get(bureau_id=house.bureaus[0].id)
    assert (booking.title, booking.end_at - booking.start_at) == ("乡村振兴·沙虫", local(2, 2) - local(2, 0))


async def test_the_same_time_in_another_room_comes_first(client: Site, house: House) -> None:
    other = await a_room(house.centre, name="魅力北海直播间")
    await a_booking(house, local(2, 19), by=1, streamer="", kind="rehearsal")

    _, page, _ = await tap(client, "/bureau/bookings", **await a_form(client, house))
    buttons = re.findall(r'<button class="btn">([^<]*)</button></form>', page)
    first = re.search(
        r'name="room" value="(\w+)"><input type="hidden" name="starts_at" value="([^"]+)"', page
    )

    assert buttons[0] == "魅力北海直播间 3月2日 19:00–21:00"
    assert len(buttons) == 4
    assert first.groups() == (other.public_id, "2026-03-02T19:00")


async def test_other_bureaus_show_by_name_only(client: Site, house: House) -> None:
    await a_booking(house, local(3, 19), by=1, title="商务局的秘密")

    page = await client.text("/bureau?week=2026-03-02&day=2026-03-03")

    assert "商务局 19:00–20:00" in lane(page)
    assert "秘密" not in page
    assert house.streamer.stage_name not in page
    assert "本周还没有申请" in page


async def test_mistakes_stand_beside_their_fields_and_nothing_typed_is_lost(
    client: Site, house: House
) -> None:
    typed = await a_form(client, house, title="", starts_at="2026-03-02T19:07", minutes="60")
    status, page, _ = await tap(client, "/bureau/bookings", **typed)
    rules, told, _ = await tap(client, "/bureau/bookings", **{**typed, "title": "早场", "streamer": ""})

    assert (status, rules) == (422, 422)
    assert 'id="title-wrong">请填写' in page
    assert 'value="2026-03-02T19:07"' in page
    assert 'id="starts_at-wrong">没有对齐时段（15 分钟的整数倍）' in told
    assert 'id="streamer-wrong">直播需要指定主播' in told
    assert await Booking.all().count() == 0


async def test_a_booking_is_given_back_once(client: Site, house: House) -> None:
    await a_booking(house, local(2, 19))
    page = await client.text("/bureau?week=2026-03-02")
    (booking,) = await Booking.all()
    path, version = f"/bureau/bookings/{booking.public_id}/cancel", hidden(page, "version")

    status, _, where = await tap(client, path, page=page, version=version)
    again, _, _ = await tap(client, path, page=page, version=version)

    assert (status, again) == (303, 409)
    assert "已取消，时段已让出" in await client.text(where)
    assert (await Booking.get(id=booking.id)).state is BookingState.CANCELLED


async def test_a_booking_that_changed_meanwhile_is_not_given_back(client: Site, house: House) -> None:
    booked = await an_approved(house, local(2, 19))
    page = await client.text("/bureau?week=2026-03-02")

    status, _, _ = await tap(client, f"/bureau/bookings/{booked.public_id}/cancel", page=page, version="1")

    assert status == 412
    assert (await Booking.get(id=booked.id)).state is BookingState.APPROVED


async def test_another_bureaus_booking_cannot_be_given_back(client: Site, house: House) -> None:
    theirs = await a_booking(house, local(2, 19), by=1)
    await a_booking(house, local(3, 19))
    page = await client.text("/bureau?week=2026-03-02")

    for name in (theirs.public_id, "nosuchbooking", "x" * 40, "%00"):
        status, _, _ = await tap(client, f"/bureau/bookings/{name}/cancel", page=page)
        assert status == 404, name
    assert (await Booking.get(id=theirs.id)).state is BookingState.SUBMITTED


async def test_another_bureau_cannot_be_named(client: Site, house: House) -> None:
    typed = await a_form(client, house, bureau=house.bureaus[1].public_id)

    await tap(client, "/bureau/bookings", **typed)

    assert [each.bureau_id for each in await Booking.all()] == [house.bureaus[0].id]


async def test_a_form_without_its_token_does_nothing(client: Site, house: House) -> None:
    typed = await a_form(client, house)

    status, _, _ = await tap(client, "/bureau/bookings", **{**typed, "csrf": "wrong"})

    assert status == 403
    assert await Booking.all().count() == 0


async def test_the_whole_week_is_shown_and_strange_weeks_are_not_fatal(client: Site, house: House) -> None:
    await an_approved(house, local(6, 23), minutes=120)

    page = await client.text("/bureau?week=2026-03-04&day=2026-03-06")

    assert "3月2日–3月8日" in page
    assert "3月6日 周五 · 1" in visible(page)
    assert 'href="/bureau?week=2026-02-23"' in page
    assert 'href="/bureau?week=2026-03-09"' in page
    assert "23:00–01:00" in lane(page)
    for strange in ("week=0001-01-01", "week=9999-12-31", "day=9999-12-31"):
        assert "本周申请" in await client.text(f"/bureau?{strange}")
    async with client.get("/bureau?week=morgen") as answer:
        assert answer.status == 422


async def test_who_is_no_officer_is_led_elsewhere(client: Site, house: House) -> None:
    async with client.browser() as nobody, nobody.get("/bureau", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/login?next=/bureau")
    client.session.cookie_jar.clear()
    await sign_in(client, house, Grant(Role.STAFF))
    async with client.get("/bureau") as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/desk/bookings")
    client.session.cookie_jar.clear()
    await sign_in(client, house, Grant(Role.FINANCE))
    async with client.get("/bureau/bookings/new") as answer:
        assert answer.status == 403
