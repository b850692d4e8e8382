"""Stories of the API: what comes before the air, after it, and in the weeks ahead."""

from __future__ import annotations

from datetime import datetime, timedelta

import aiohttp

from livehub import database
from livehub.accounts.models import Role
from livehub.kit import clock
from rooms import moving, prechecks, recurrence
from rooms.models import Broadcast
from rooms.moving import Target
from tests.factories.merchants import a_product
from tests.web.api.callers import a_person
from tests.web.api.town import Town, a_spare_wish


async def a_show_is_planned_and_checked(town: Town) -> None:
    """From a rundown that is refused to two signatures, and a paper that is withdrawn after them."""
    centre = town.house.centre
    product = await a_product(centre, "沙虫", papers=False)
    streamer = town.house.streamer.public_id
    spare = await a_spare_wish(town)
    at = datetime.fromisoformat(spare["starts_at"]) + timedelta(hours=6)
    wish = {**spare, "starts_at": at.isoformat(), "kind": "live", "streamer": streamer, "minutes": 120}
    asked = await town.officer.post("/bookings", wish)
    await town.manager.post(f"/bookings/{asked['id']}/approve")
    show = f"/broadcasts/{asked['broadcast']}"
    cue = {"kind": "product", "title": "沙虫", "length_s": 7500, "product": product.public_id}

    refused = await town.officer.post(f"{show}/rundown", {"cues": [cue]})
    assert (refused.status, refused["code"]) == (422, "CUE_REFUSED")
    assert (await town.officer.get("/products"))["items"][0]["lacks"] == [
        "qualification_missing:conformity_cert",
        "product_not_approved",
    ]
    paper = {"owner_kind": "product", "owner": product.public_id, "type": "conformity_cert"}
    assert (await town.officer.post("/qualifications", paper)).status == 403
    noted = await town.manager.post("/qualifications", paper)
    review = {"meeting_on": "2026-01-05", "decision": "approved"}
    assert (await town.manager.post(f"/products/{product.public_id}/reviews", review)).status == 201
    planned = await town.officer.post(f"{show}/rundown", {"cues": [{**cue, "length_s": 7200}]})
    assert [each["title"] for each in planned["items"]] == ["沙虫"]
    check = await town.officer.get(f"{show}/precheck")
    assert (check["needs_centre"], check["passed"], check["rules"]) == (True, False, [])
    sign = {"role": "console", "ticked": check["items"]}
    assert (await town.manager.post(f"{show}/precheck", sign)).status == 403  # machines sign nothing
    first, second = [await a_person(town.site, Role.MANAGER, centre=centre) for _ in range(2)]
    assert (await first.post(f"{show}/precheck", sign))["passed"] is False
    assert (await second.post(f"{show}/precheck", {**sign, "role": "centre"}))["passed"] is True
    assert (await town.officer.get(show))["broadcast"]["state"] == "checked"
    gone = await town.manager.post(f"/qualifications/{noted['id']}/withdraw", {"reason": "换新证"})
    assert gone.status == 200
    assert (await town.officer.get("/qualifications", state="withdrawn"))["total"] == 1
    assert (await town.officer.get(f"{show}/precheck"))["rules"] == ["qualification_missing"]
    assert (await prechecks.standing((await Broadcast.get(public_id=asked["broadcast"])).id)).is_whole


async def what_was_wrong_is_corrected_and_the_video_stays(town: Town, show: str) -> None:
    """Of a show that was on the air."""
    said = await town.manager.post(f"{show}/incidents", {"category": "price", "text": "报错了价格"})
    put_right = {"correction": "口播更正"}
    assert (await town.manager.post(f"/incidents/{said['id']}/correct", put_right))[
        "correction"
    ] == "口播更正"
    assert (await town.manager.post(f"/incidents/{said['id']}/correct", put_right)).status == 409
    video = await town.manager.post(f"{show}/recordings", {"ref": "doudian:7312", "seconds": 7200})
    away = await town.manager.post(f"/recordings/{video['id']}/delete", {"reason": "清理"})
    assert (away.status, away["code"]) == (409, "RETAINED")
    ended = Broadcast.filter(public_id=show.removeprefix("/broadcasts/"))
    until = (await ended.get()).retain_until
    await ended.update(retain_until=clock.now() - timedelta(seconds=1))  # three years on
    again = await town.manager.post(f"{show}/recordings", {"ref": "doudian:7313", "seconds": 60})
    gone = await town.manager.post(f"/recordings/{again['id']}/delete", {"reason": "保存期已满"})
    assert gone.status == 200
    await ended.update(retain_until=until)
    held = await town.manager.post(f"{show}/hold", {"held": True, "reason": "监管调查"})
    assert (held["legal_hold"], len(held["recordings"]), len(held["incidents"])) == (True, 1, 1)
    assert (await town.officer.get(f"{show}/records"))["retain_until"] is not None


async def weeks_series_and_feeds(town: Town) -> None:
    """A series, its first week published and moved, and a calendar that reads it."""
    wish = await a_spare_wish(town)
    until = {**wish, "rrule": "FREQ=WEEKLY;UNTIL=20990101T000000"}  # no Z
    refused = await town.officer.post("/series", until)
    assert (refused.status, refused["details"][0]["field"]) == (422, "rrule")
    told = await town.officer.post("/series", {**wish, "rrule": "FREQ=WEEKLY;COUNT=3", "dry_run": True})
    assert (len(told["bookings"]), told["id"]) == (3, "")
    made = await town.officer.post("/series", {**wish, "rrule": "FREQ=WEEKLY;COUNT=3"})
    assert (await town.officer.get(f"/series/{made['id']}"))["rejected"] == []
    first = made["bookings"][0]
    await town.manager.post(f"/bookings/{first['booking']}/approve")
    day = recurrence.named(first["recurrence_id"]).date()
    week = f"{day.isocalendar()[0]}-W{day.isocalendar()[1]:02}"

    new = (await town.officer.get(f"/plans/{week}/draft"))["changes"]["new"]
    assert first["booking"] in [each["booking"] for each in new]
    assert (await town.manager.post(f"/plans/{week}/publish", {"note": "例会"}))["number"] == 1
    assert (await town.manager.post(f"/plans/{week}/publish")).status == 409
    slots = (await town.officer.get(f"/plans/{week}/versions/1"))["slots"]
    assert [each["booking"] for each in slots] == [each["booking"] for each in new]
    at = datetime.fromisoformat(first["starts_at"]) + timedelta(hours=1)
    to = Target(starts_at=at, minutes=60)
    by = town.house.manager
    await database.unit(lambda: moving.move(first["booking"], to, actor=by, now=clock.now()))
    assert len((await town.officer.get(f"/plans/{week}/diff", **{"from": 1}))["moved"]) == 1
    assert (await town.officer.get("/plans/2026-W99/draft")).status == 422

    assert (await town.manager.post("/feeds")).status == 404  # a machine has no calendar
    somebody = await a_person(town.site, Role.STAFF, centre=town.house.centre)
    made = await somebody.post("/feeds")
    path = made["url"][made["url"].index("/feeds/") :]
    async with aiohttp.ClientSession(base_url=town.site.url) as http, http.get(path) as answer:
        assert (answer.status, b"BEGIN:VEVENT" in await answer.read()) == (200, True)
    feed = (await somebody.get("/feeds"))["items"][0]
    assert (await somebody.post(f"/feeds/{feed['id']}/rotate"))["url"] != made["url"]
    assert (await somebody.post(f"/feeds/{feed['id']}/revoke")).status == 200
    assert (await somebody.get("/feeds"))["items"] == []
