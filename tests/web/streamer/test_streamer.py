"""The streamer's phone over real HTTP: her link, her device, her broadcast, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta

import msgspec
import pytest
import time_machine

from livehub.accounts.models import Role
from livehub.kit import clock, ids, outbox, sealing
from livehub.vouchers import drops
from livehub.vouchers import links as claim_links
from livehub.vouchers.models import ClaimLink, Drop
from rooms.facts import BookingApproved
from rooms.models import Broadcast, BroadcastState, Cue
from streamers import ages, links
from streamers.models import Person, Streamer
from streamers.registry import PHONE_PLACE
from tests.factories.accounts import an_actor
from tests.factories.merchants import a_product
from tests.factories.vouchers import NOW, World, a_broadcast, a_claimant, a_world
from tests.site import Site
from tests.web.phones import code_sent_to, hidden, tap, visible

PHONE = "13800006688"


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(NOW + timedelta(minutes=1), tick=True):
        yield


class Room(msgspec.Struct, kw_only=True):
    """A broadcast with its streamer's link and a planned drop of 500."""

    site: Site
    world: World
    broadcast: Broadcast
    link: links.Issued
    drop: Drop

    async def home(self, browser=None) -> str:
        async with (browser or self.site.session).get("/s/", allow_redirects=False) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.text()


async def a_room(site: Site, state: BroadcastState = BroadcastState.LIVE) -> Room:
    world = await a_world()
    broadcast = await a_broadcast(world, platforms=("doudian", "kuaishou"), state=state)
    streamer = await Streamer.get(id=broadcast.streamer_id)
    await Person.filter(id=streamer.person_id).update(
        phone_sealed=sealing.ring().seal_text(PHONE, place=PHONE_PLACE)
    )
    fact = BookingApproved(
        booking_id=broadcast.booking_id,
        centre_id=world.bureau.centre_id,
        bureau_id=world.bureau.id,
        broadcast_id=broadcast.id,
        at_ms=0,
    )
    await claim_links.on_booking_approved(fact, NOW)
    manager = an_actor(Role.MANAGER, centre_id=world.bureau.centre_id)
    if state is BroadcastState.PLANNED:
        await ages.note(streamer.public_id, born_on=date(1990, 5, 1), actor=manager, now=NOW)
    drop = await drops.plan(
        broadcast.id, template_id=world.template.id, quantity=500, window_s=600, actor=manager, now=NOW
    )
    return Room(
        site=site,
        world=world,
        broadcast=broadcast,
        link=await links.issue(streamer.public_id, actor=manager, now=NOW),
        drop=drop,
    )


async def open_on(room: Room, browser=None) -> tuple[int, str]:
    """Open her link, and tap where the first device is asked to."""
    session = browser or room.site.session
    async with session.get(f"/s/{room.link.token}", allow_redirects=False) as answer:
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        led = answer.status, answer.headers.get("Location", "")
    if led != (303, "/s/device"):
        return led
    async with session.get("/s/device") as answer:
        page = await answer.text()
    if "就用这部手机" not in page:
        return led
    status, _, where = await tap(room.site, "/s/device/first", page=page, browser=session)
    return status, where


async def test_a_preview_of_her_link_takes_nothing(client: Site) -> None:
    """Chats open what is posted in them; a link belongs to the phone that was tapped."""
    room = await a_room(client)
    async with client.browser() as preview:
        for path in (f"/s/{room.link.token}", "/s/device", "/s/", "/s/device/first"):
            async with preview.get(path, allow_redirects=False) as answer:
                assert answer.status in (200, 303, 401)
                assert "__Host-streamer=" not in answer.headers.get("Set-Cookie", "")

    assert await open_on(room) == (303, "/s/")
    assert "海哥" in await room.home()


async def test_of_two_first_taps_one_is_hers(client: Site) -> None:
    room = await a_room(client)
    async with client.browser() as late:
        async with late.get(f"/s/{room.link.token}", allow_redirects=False):
            pass
        async with late.get("/s/device") as answer:
            page = await answer.text()
        assert "海哥，您好" in visible(page)
        assert await open_on(room) == (303, "/s/")

        assert (await tap(client, "/s/device/first", page=page, browser=late))[2] == "/s/device"
        async with late.get("/s/", allow_redirects=False) as answer:
            assert answer.status == 401


async def test_her_link_opens_her_day_and_leaves_the_address(client: Site) -> None:
    room = await a_room(client)
    product = await a_product(await room.world.bureau.centre, "沙田沙虫干", price_fen=12_800)
    await Cue.create(
        public_id=ids.public_id(),
        broadcast_id=room.broadcast.id,
        position=1,
        kind="product",
        title="头图爆款",
        product_id=product.id,
    )

    status, where = await open_on(room)
    page = await room.home()

    assert (status, where) == (303, "/s/")
    text = visible(page)
    assert "海哥" in text
    assert "海鸭蛋专场 直播中" in text
    assert "本场净成交 · G3" in text
    assert "抖店" in text
    assert "快手小店" in text
    assert "沙田沙虫干 · 沙田镇" in text
    assert "¥128.00" in text
    for link in await ClaimLink.filter(broadcast_id=room.broadcast.id):
        assert f"/c/{link.slug}" in page
    assert page.count("<svg") == 2
    assert room.link.token not in page
    cookie = next(each for each in client.session.cookie_jar if each.key == "__Host-streamer")
    assert cookie["httponly"]
    assert cookie["secure"]


async def test_a_revoked_or_unknown_link_opens_nothing(client: Site) -> None:
    room = await a_room(client)
    await open_on(room)
    manager = an_actor(Role.MANAGER, centre_id=room.world.bureau.centre_id)
    await links.revoke(room.link.link_id, actor=manager, now=NOW)

    async with client.get("/s/") as answer:
        assert answer.status == 401
        assert "请用中心发给您的链接打开" in await answer.text()
    for path in (f"/s/{room.link.token}", "/s/nothing"):
        async with client.get(path) as answer:
            assert answer.status == 404


async def test_another_device_needs_the_code_and_takes_the_link_over(client: Site) -> None:
    room = await a_room(client)
    await open_on(room)

    async with client.browser() as other:
        assert await open_on(room, other) == (303, "/s/device")
        async with other.get("/s/", allow_redirects=False) as answer:
            assert answer.status == 401
        async with other.get("/s/device") as answer:
            page = await answer.text()
        assert "138****6688" in visible(page)
        assert PHONE not in page
        status, page, _ = await tap(client, "/s/device/code", page=page, browser=other)
        assert status == 200
        code = await code_sent_to("6688")
        wrong = f"{(int(code) + 1) % 1_000_000:06d}"
        status, html, _ = await tap(client, "/s/device", page=page, browser=other, code=wrong)
        assert status == 422
        assert 'id="code-wrong"' in html

        status, _, where = await tap(client, "/s/device", page=page, browser=other, code=code)

        assert (status, where) == (303, "/s/")
        assert "海哥" in await room.home(other)
    async with client.get("/s/") as answer:  # the first device is shut out
        assert answer.status == 401


async def test_codes_for_a_device_are_limited(client: Site) -> None:
    room = await a_room(client)
    await open_on(room)
    async with client.browser() as other:
        await open_on(room, other)
        async with other.get("/s/device") as answer:
            page = await answer.text()
        await tap(client, "/s/device/code", page=page, browser=other)

        status, html, _ = await tap(client, "/s/device/code", page=page, browser=other)

        assert status == 429
        assert "过于频繁" in visible(html)


async def test_she_goes_on_air_and_off(client: Site) -> None:
    room = await a_room(client, BroadcastState.PLANNED)
    await open_on(room)
    unchecked = await room.home()
    ref = {"broadcast": room.broadcast.public_id}
    early = await tap(client, "/s/start", page=unchecked, **ref)
    half = await tap(client, "/s/check", page=unchecked, **ref, ticked="prices")
    ticks = [("ticked", each) for each in ("identity", "prices", "papers", "rules")]
    sent = [("csrf", hidden(unchecked, "csrf")), *ref.items(), *ticks]
    async with client.session.post("/s/check", data=sent, allow_redirects=False) as signed:
        assert (signed.status, signed.headers["Location"]) == (303, "/s/?done=checked")
    page = await room.home()

    started = await tap(client, "/s/start", page=page, broadcast=room.broadcast.public_id)
    on_air = visible(await room.home())
    again = await tap(client, "/s/start", page=page, broadcast=room.broadcast.public_id)
    ended = await tap(client, "/s/end", page=page, broadcast=room.broadcast.public_id)

    assert "开播前检查" in visible(unchecked)
    assert 'action="/s/start"' not in unchecked
    assert (early[0], "还没有完成开播前检查" in visible(early[1])) == (409, True)
    assert (half[0], 'value="prices" checked' in half[1]) == (422, True)
    assert 'action="/s/start"' in page
    assert started[2] == "/s/?done=started"
    assert "直播中" in on_air
    assert again[0] == 409
    assert ended[2] == "/s/?done=ended"
    assert (await Broadcast.get(id=room.broadcast.id)).state is BroadcastState.ENDED


async def test_another_streamers_broadcast_is_not_hers(client: Site) -> None:
    room = await a_room(client)
    other = await a_broadcast(await a_world(), state=BroadcastState.PLANNED)
    await Broadcast.filter(id=other.id).update(centre_id=room.world.bureau.centre_id)
    await open_on(room)
    page = await room.home()

    for path in ("/s/start", "/s/end"):
        status, _, _ = await tap(client, path, page=page, broadcast=other.public_id)
        assert status in (403, 404)

    assert (await Broadcast.get(id=other.id)).state is BroadcastState.PLANNED


async def test_she_puts_vouchers_out_within_the_plan(client: Site) -> None:
    room = await a_room(client)
    await open_on(room)
    page = await room.home()

    too_many = await tap(client, "/s/drops", page=page, template=room.drop.public_id, quantity="501")
    unread = await tap(client, "/s/drops", page=page, template=room.drop.public_id, quantity="many")
    opened = await tap(client, "/s/drops", page=page, template=room.drop.public_id, quantity="200")
    twice = await tap(client, "/s/drops", page=page, template=room.drop.public_id, quantity="200")
    after = visible(await room.home())

    assert "本场计划内还可投 500 份" in visible(page)
    assert too_many[0] == 409
    assert "超过了这种券剩余的数量或计划的数量" in visible(too_many[1])
    assert 'value="501"' in too_many[1]
    assert unread[0] == 422
    assert 'id="quantity-wrong"' in unread[1]
    assert opened[2] == "/s/?done=dropped"
    assert twice[0] == 404
    assert "0 / 200" in after
    assert "正在投放" in after
    found = sorted([(each.state, each.quantity) for each in await Drop.all()])
    assert found == [("open", 200), ("planned", 300)]


async def test_a_drop_of_another_broadcast_cannot_be_put_out(client: Site) -> None:
    room = await a_room(client)
    other = await a_broadcast(room.world)
    manager = an_actor(Role.MANAGER, centre_id=room.world.bureau.centre_id)
    theirs = await drops.plan(
        other.id, template_id=room.world.template.id, quantity=5, window_s=60, actor=manager, now=NOW
    )
    await open_on(room)

    status, _, _ = await tap(
        client, "/s/drops", page=await room.home(), template=theirs.public_id, quantity="5"
    )

    assert status == 404
    assert (await Drop.get(id=theirs.id)).state == "planned"


async def test_she_fires_the_blocks_of_her_rundown_and_a_voucher_block_opens_its_drop(client: Site) -> None:
    room = await a_room(client)
    blocks = [
        await Cue.create(
            public_id=ids.public_id(),
            broadcast_id=room.broadcast.id,
            position=position,
            kind=kind,
            title=kind,
            **more,
        )
        for position, (kind, more) in enumerate(
            [
                ("opening", {}),
                ("voucher", {"template_ref": room.world.template.public_id, "quantity": 7, "window_s": 60}),
            ],
            start=1,
        )
    ]
    await open_on(room)
    page = await room.home()

    first = await tap(client, "/s/cues", page=page, cue=blocks[0].public_id)
    twice = await tap(client, "/s/cues", page=page, cue=blocks[0].public_id)
    second = await tap(client, "/s/cues", page=page, cue=blocks[1].public_id)
    await outbox.hand_out(now=clock.now())

    assert first[2] == second[2] == "/s/?done=fired"
    assert twice[0] == 409
    after = visible(await room.home())
    assert "opening 开场 已讲" in after
    assert "0 / 7" in after


async def test_vouchers_wait_for_the_broadcast(client: Site) -> None:
    room = await a_room(client, BroadcastState.PLANNED)
    await open_on(room)

    status, html, _ = await tap(
        client, "/s/drops", page=await room.home(), template=room.drop.public_id, quantity="10"
    )

    assert status == 409
    assert "场次没有在直播中" in visible(html)


async def test_the_figures_follow_a_claim_and_her_look_keeps_the_broadcast_alive(client: Site) -> None:
    room = await a_room(client)
    await Broadcast.filter(id=room.broadcast.id).update(heartbeat_at=NOW - timedelta(minutes=4))
    await open_on(room)
    page = await room.home()
    looked = (await Broadcast.get(id=room.broadcast.id)).heartbeat_at
    await tap(client, "/s/drops", page=page, template=room.drop.public_id, quantity="3")
    slug = (await ClaimLink.filter(broadcast_id=room.broadcast.id).first()).slug
    events: list[str] = []

    async with client.session.get("/s/live") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")

        async def until(text: str) -> None:
            async for line in answer.content:
                events.append(line.decode())
                if text in line.decode():
                    return

        await asyncio.wait_for(until("0 / 3"), 5)
        claimant = await a_claimant(room.world)
        await client.app.ctx.claim_desk.claim(slug, claimant=claimant, key="k", now=clock.now())
        await asyncio.wait_for(until("1 / 3"), 5)

    assert any("data-live" in line for line in events)
    assert looked > NOW
    status, _, _ = await tap(client, "/s/heartbeat", page=page)
    assert status == 204
    assert (await Broadcast.get(id=room.broadcast.id)).heartbeat_at > looked


async def test_without_a_broadcast_today_there_is_nothing_to_follow(client: Site) -> None:
    room = await a_room(client)
    await Broadcast.filter(id=room.broadcast.id).update(state=BroadcastState.ABORTED)
    await open_on(room)

    page = await room.home()

    assert "今天没有排到您的场次" in visible(page)
    async with client.get("/s/live") as answer:
        assert answer.status == 204


async def test_forms_from_elsewhere_are_refused(client: Site) -> None:
    room = await a_room(client)
    await open_on(room)
    page = await room.home()

    without = await tap(client, "/s/end", broadcast=room.broadcast.public_id)
    async with client.post(
        "/s/end",
        data={"csrf": hidden(page, "csrf"), "broadcast": room.broadcast.public_id},
        headers={"Origin": "https://elsewhere.example"},
    ) as answer:
        assert answer.status == 403

    assert without[0] == 403
    assert (await Broadcast.get(id=room.broadcast.id)).state is BroadcastState.LIVE
