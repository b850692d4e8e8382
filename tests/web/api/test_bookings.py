"""Asking for a time, deciding on it, and what other bureaus may know of it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import AuditEntry, Role
from livehub.kit import clock
from livehub.web.doors import SESSION
from rooms.models import ResourceClaim
from tests.factories import accounts as people
from tests.factories.rooms import House, a_house
from tests.site import Site
from tests.web.api.callers import Caller, a_caller


def tomorrow(hour: int, minute: int = 0) -> datetime:
    midnight = clock.at_local(clock.local_day(clock.now()) + timedelta(days=1))
    return midnight + timedelta(hours=hour, minutes=minute)


def a_wish(house: House, at: datetime, **changes: object) -> dict[str, Any]:
    usual = {
        "room": house.room.public_id,
        "title": "沙田沙虫",
        "starts_at": at.isoformat(),
        "minutes": 60,
        "streamer": house.streamer.public_id,
    }
    return {**usual, **changes}


@pytest.fixture
async def house(client: Site) -> House:
    return await a_house()


async def officer(client: Site, house: House, number: int = 0) -> Caller:
    return await a_caller(client, Role.BUREAU, centre_id=house.centre.id, bureau_id=house.bureaus[number].id)


async def staff(client: Site, house: House) -> Caller:
    return await a_caller(client, Role.MANAGER, centre_id=house.centre.id)


async def test_a_time_is_asked_for_approved_and_given_back(client: Site, house: House) -> None:
    bureau, manager = await officer(client, house), await staff(client, house)

    asked = await bureau.post("/bookings", a_wish(house, tomorrow(19)))
    booking = asked["id"]
    approved = await manager.post(f"/bookings/{booking}/approve", If_Match=asked.headers["ETag"])
    gone = await bureau.post(f"/bookings/{booking}/cancel", {"reason": "主播生病"})

    assert (asked.status, asked["state"], asked["bureau"]) == (
        201,
        "submitted",
        house.bureaus[0].public_id,
    )
    assert (approved.status, approved["state"], approved["hold_until"]) == (200, "approved", None)
    assert (gone.status, gone["state"], gone["reason"]) == (200, "cancelled", "主播生病")
    assert (await bureau.get(f"/bookings/{booking}")).body == gone.body


async def test_a_conflict_says_who_and_what_is_free(client: Site, house: House) -> None:
    first, second = await officer(client, house), await officer(client, house, 1)
    await first.post("/bookings", a_wish(house, tomorrow(19)))
    other = a_wish(house, tomorrow(19, 30), streamer="", kind="rehearsal")

    checked = await second.post("/bookings/check", other)
    refused = await second.post("/bookings", other)

    assert (checked["is_free"], len(checked["suggestions"])) == (False, 3)
    assert checked["conflicts"][0]["bureau_name"] == "农业农村局"
    assert (refused.status, refused["code"]) == (409, "SLOT_TAKEN")
    assert len(refused["data"]["suggestions"]) == 3
    free = refused["data"]["suggestions"][0]["starts_at"]
    assert (await second.post("/bookings", {**other, "starts_at": free})).status == 201


async def test_twenty_ask_for_one_time_and_one_gets_it(client: Site, house: House) -> None:
    callers = [await officer(client, house, number % 3) for number in range(20)]
    wish = a_wish(house, tomorrow(15))

    replies = await asyncio.gather(*(each.post("/bookings", wish) for each in callers))

    assert sorted(reply.status for reply in replies) == [201] + [409] * 19
    assert await ResourceClaim.filter(active=True).count() == 2  # the room and the anchor
    assert await AuditEntry.filter(action="booking.created").count() == 1


async def test_others_see_that_it_is_taken_but_not_what_for(client: Site, house: House) -> None:
    mine, theirs = await officer(client, house), await officer(client, house, 1)
    booking = (await mine.post("/bookings", a_wish(house, tomorrow(19))))["id"]
    window = {"from": tomorrow(0).isoformat(), "to": tomorrow(24).isoformat()}

    (ours,) = (await mine.get("/timeline", **window))["taken"]
    (others,) = (await theirs.get("/timeline", **window))["taken"]

    assert (ours["mine"], ours["booking"], ours["title"]) == (True, booking, "沙田沙虫")
    assert (others["mine"], others["booking"], others["title"], others["streamer_name"]) == (
        False,
        "",
        "",
        "",
    )
    assert others["bureau_name"] == "农业农村局"


async def test_another_bureaus_booking_does_not_exist(client: Site, house: House) -> None:
    mine, theirs = await officer(client, house), await officer(client, house, 1)
    booking = (await mine.post("/bookings", a_wish(house, tomorrow(19))))["id"]

    assert (await theirs.get(f"/bookings/{booking}")).status == 404
    assert (await theirs.post(f"/bookings/{booking}/cancel")).status == 404
    named = a_wish(house, tomorrow(10), bureau=house.bureaus[0].public_id)
    assert (await theirs.post("/bookings", named)).status == 404
    assert (await mine.get(f"/bookings/{booking}"))["state"] == "submitted"


async def test_another_centres_staff_find_nothing(client: Site, house: House) -> None:
    mine = await officer(client, house)
    booking = (await mine.post("/bookings", a_wish(house, tomorrow(19))))["id"]
    elsewhere = await staff(client, await a_house())

    assert (await elsewhere.get(f"/bookings/{booking}")).status == 404
    assert (await elsewhere.post(f"/bookings/{booking}/approve")).status == 404


async def test_an_officer_may_not_approve(client: Site, house: House) -> None:
    mine = await officer(client, house)
    booking = (await mine.post("/bookings", a_wish(house, tomorrow(19))))["id"]

    refused = await mine.post(f"/bookings/{booking}/approve")

    assert (refused.status, refused["code"]) == (403, "FORBIDDEN")


async def test_a_stale_version_and_a_second_decision_are_refused(client: Site, house: House) -> None:
    bureau, manager = await officer(client, house), await staff(client, house)
    asked = await bureau.post("/bookings", a_wish(house, tomorrow(19)))
    path = f"/bookings/{asked['id']}"

    stale = await manager.post(f"{path}/reject", {"reason": "撞期"}, If_Match='"9"')
    nonsense = await manager.post(f"{path}/reject", {"reason": "撞期"}, If_Match="now")
    rejected = await manager.post(f"{path}/reject", {"reason": "撞期"}, If_Match=asked.headers["ETag"])
    again = await manager.post(f"{path}/approve")

    assert (stale.status, stale["code"]) == (412, "STALE_VERSION")
    assert (nonsense.status, nonsense["details"][0]["field"]) == (422, "If-Match")
    assert (rejected["state"], rejected["reason"]) == ("rejected", "撞期")
    assert (again.status, again["code"]) == (409, "ALREADY_DECIDED")


async def test_every_mistake_is_named_at_once(client: Site, house: House) -> None:
    bureau = await officer(client, house)
    wrong = {"room": house.room.public_id, "minutes": "60", "starts_at": "2026-03-02T19:00", "colour": "red"}

    refused = await bureau.post("/bookings", wrong)
    rules = await bureau.post("/bookings", a_wish(house, tomorrow(19, 7), minutes=10))

    assert refused.status == 422
    assert {each["field"] for each in refused["details"]} == {"colour", "title", "starts_at", "minutes"}
    assert (rules.status, rules["code"]) == (422, "OUTSIDE_RULES")
    assert {each["field"] for each in rules["details"]} == {"starts_at", "minutes"}


NO_REQUESTS = [
    (b"{", "application/json", 422, "INVALID"),
    (b"\xff\xfe", "application/json", 422, "INVALID"),
    (b'"\\ud800"', "application/json", 422, "INVALID"),
    (b"[" * 5000, "application/json", 422, "INVALID"),
    (b"[]", "application/json", 422, "INVALID"),
    (b"{}", "application/json; charset=utf-8", 422, "INVALID"),
    (b"{}", "text/plain", 415, "NOT_JSON"),
    (b"room=1", "application/x-www-form-urlencoded", 415, "NOT_JSON"),
    (b" " * (1024 * 1024 + 1), "application/json", 413, "TOO_LARGE"),
]


async def test_what_is_no_request_is_told_so(client: Site, house: House) -> None:
    bureau = await officer(client, house)

    for data, content_type, status, code in NO_REQUESTS:
        refused = await bureau.post_raw("/bookings", data, content_type)
        assert (data[:9], refused.status, refused["code"]) == (data[:9], status, code)


async def test_nobody_without_a_key_gets_in(client: Site, house: House) -> None:
    missing = await Caller(client).get("/rooms")
    wrong = await Caller(client, "lh_wrong").get("/rooms")

    assert [(reply.status, reply["code"]) for reply in (missing, wrong)] == [(401, "TOKEN_NEEDED")] * 2


async def test_a_login_may_call_with_its_form_token(client: Site, house: House) -> None:
    user = await people.a_user(Grant(Role.BUREAU, house.bureaus[0].id), centre=house.centre)
    token, _ = await logins.log_in(user.login, people.PASSWORD, ip="127.0.0.1", agent="t", now=clock.now())
    from livehub.accounts.forms import form_token  # noqa: PLC0415 -- only here

    cookie = f"{SESSION}={token}"
    without, with_token = (
        Caller(client, Cookie=cookie, **more) for more in ({}, {"X-CSRF-Token": form_token(token)})
    )

    assert (await without.get("/rooms")).status == 200
    assert (await without.post("/bookings", a_wish(house, tomorrow(19))))["code"] == "FORM_EXPIRED"
    assert (await with_token.post("/bookings", a_wish(house, tomorrow(19)))).status == 201
    crossed = Caller(
        client, Cookie=cookie, Origin="https://evil.example", **{"X-CSRF-Token": form_token(token)}
    )
    assert (await crossed.post("/bookings", a_wish(house, tomorrow(19))))["code"] == "CROSS_SITE"


async def test_years_nobody_reckons_with_are_refused(client: Site, house: House) -> None:
    bureau = await officer(client, house)

    for year in ("0001", "9999"):
        refused = await bureau.post(
            "/bookings", a_wish(house, tomorrow(19), starts_at=f"{year}-01-01T00:00:00Z")
        )
        assert (refused.status, refused["details"][0]["field"]) == (422, "starts_at")
