"""The console of a show: on air, drops, links."""

from __future__ import annotations

import re
from datetime import timedelta

from livehub import database
from livehub.accounts.models import Role
from livehub.kit import clock, outbox
from livehub.vouchers import campaigns, rounds
from livehub.vouchers.models import Drop, Template
from livehub.vouchers.pack_models import Pack
from rooms.models import Broadcast, BroadcastState
from streamers.models import StreamerLink
from tests.factories.accounts import an_actor
from tests.factories.rooms import a_booking, a_broadcast, a_room, local
from tests.factories.streamers import a_streamer
from tests.factories.vouchers import a_kind, a_pack
from tests.web.desk.office import Office
from tests.web.phones import visible


async def a_template(office: Office, **given: object) -> Template:
    """1,000 vouchers of the show's bureau that can be put out, or what is given."""
    centre_id, bureau = office.house.centre.id, office.house.bureaus[0]
    officer = office.house.officers[0]
    finance = an_actor(Role.FINANCE, centre_id=centre_id)
    now = clock.now()
    wanted = campaigns.NewCampaign(name="惠农消费券", issuer_name="农业农村局", budget_fen=2_000_000)
    campaign = await campaigns.draft(wanted, bureau_id=bureau.id, centre_id=centre_id, actor=officer, now=now)
    await campaigns.submit(campaign.id, actor=officer, now=now)
    await campaigns.countersign(campaign.id, actor=finance, now=now)
    await campaigns.start(campaign.id, actor=officer, now=now)
    planned = await rounds.schedule(
        campaign.id, **(given or {"templates": [a_kind()]}), claim_from=now - timedelta(hours=1),
        claim_until=now + timedelta(days=3), actor=officer, now=now,
    )  # fmt: skip
    await rounds.open_round(planned.id, actor=officer, now=now)
    return (await Template.filter(round_id=planned.id).order_by("id"))[0]


async def test_a_show_is_started_and_ended(office: Office) -> None:
    room, streamer = await a_room(office.house.centre), await a_streamer(office.house.centre)
    later = await a_broadcast(office.house, local(2, 22), room=room.public_id, streamer=streamer.public_id)
    staff = await office.visitor(Role.STAFF)
    path = f"/desk/broadcasts/{later.public_id}"

    early, body, _ = await staff.post(f"{path}/start")
    await on_time(later)
    started, _, where = await staff.post(f"{path}/start")
    live = visible(await staff.page(where))
    ended, _, _ = await staff.post(f"{path}/end")
    again, refused, _ = await staff.post(f"{path}/end")

    assert (early, started, ended, again) == (409, 303, 303, 409)
    assert "不在这一场的占用时间内" in visible(body)
    assert ("已开播" in live, "直播中" in live) == (True, True)
    assert "现在没有在直播" in visible(refused)
    assert (await Broadcast.get(id=later.id)).state is BroadcastState.ENDED


async def test_vouchers_are_put_out_taken_back_and_planned(office: Office) -> None:
    template = await a_template(office)
    staff = await office.visitor(Role.STAFF)
    path = f"/desk/broadcasts/{office.broadcast.public_id}"
    wanted = {"template": template.public_id, "quantity": "200", "minutes": "10"}

    opened, _, _ = await staff.post(f"{path}/drops", **wanted)
    first = await Drop.get(state="open")
    twice, body, _ = await staff.post(f"{path}/drops", **wanted)
    planned, _, _ = await staff.post(f"{path}/drops", **wanted, later="true")
    closed, _, _ = await staff.post(f"{path}/drops/{first.public_id}/close")
    second = await Drop.get(state="planned")
    put_out, _, where = await staff.post(f"{path}/drops/{second.public_id}/open")
    page = visible(await staff.page(where))

    assert (opened, twice, planned, closed, put_out) == (303, 409, 303, 303, 303)
    assert 'value="200"' in body  # kept
    assert (first.quantity, (await Drop.get(id=first.id)).state) == (200, "closed")
    assert (await Drop.get(id=second.id)).state == "open"
    assert ("已投放" in page, "投放中" in page, "0 / 200" in page) == (True, True, True)


async def test_a_drop_that_cannot_be_is_told_beside_its_field(office: Office) -> None:
    template = await a_template(office)
    staff = await office.visitor(Role.STAFF)
    path = f"/desk/broadcasts/{office.broadcast.public_id}/drops"

    nothing, body, _ = await staff.post(path, template="", quantity="很多", minutes="999")
    too_many, more, _ = await staff.post(path, template=template.public_id, quantity="1001", minutes="10")
    unknown, _, _ = await staff.post(path, template="nosuchtemplate", quantity="1", minutes="10")
    elsewhere, _, _ = await staff.post(f"{path}/nosuchdrop/open")

    assert (nothing, too_many, unknown, elsewhere) == (422, 409, 422, 404)
    assert "请填写整数" in visible(body)
    assert 'value="1001"' in more
    assert await Drop.all().count() == 0


async def test_links_are_shown_with_their_codes_and_the_streamers_only_once(office: Office) -> None:
    staff = await office.visitor(Role.STAFF)
    path = f"/desk/broadcasts/{office.broadcast.public_id}"

    before = await staff.page(path)
    made, once, _ = await staff.post(f"{path}/streamer-link")
    later = await staff.page(path)
    link = await StreamerLink.get()
    revoked, _, _ = await staff.post(f"{path}/streamer-link/{link.id}/revoke")

    assert re.search(r"/c/[0-9a-z]{10}", before)
    assert 'class="qr"' in before
    assert (made, revoked) == (200, 303)
    assert re.search(r"/s/[\w-]{32}", once)
    assert not re.search(r"/s/[\w-]{32}", later)
    assert "未打开" in visible(later)
    assert (await StreamerLink.get()).revoked_at is not None


async def test_the_list_finds_shows_by_state_room_and_day(office: Office) -> None:
    await a_broadcast(office.house, local(5, 20), title="香山鸡嘴荔枝")
    await office.sell("A1", paid_fen=10_000, refund_fen=2_500)
    manager = await office.visitor()

    everything = visible(await manager.page("/desk/broadcasts"))
    live = visible(await manager.page("/desk/broadcasts?state=live"))
    day = visible(await manager.page("/desk/broadcasts?from=2026-03-05&to=2026-03-06"))

    assert ("沙田沙虫" in everything, "香山鸡嘴荔枝" in everything) == (True, True)
    assert ("75.00" in live, "25.0%" in live, "香山鸡嘴荔枝" in live) == (True, True, False)
    assert ("香山鸡嘴荔枝" in day, "沙田沙虫" in day) == (True, False)


async def test_auditors_and_officers_only_look(office: Office) -> None:
    path = f"/desk/broadcasts/{office.broadcast.public_id}"
    auditor = await office.visitor(Role.AUDITOR)
    page = await auditor.page(path)

    for verb, fields in (
        ("start", {}), ("end", {}), ("streamer-link", {}), ("room", {}),
        ("drops", {"template": "x", "quantity": "1", "minutes": "1"}),
    ):  # fmt: skip
        assert (await auditor.post(f"{path}/{verb}", **fields))[0] == 403
    other = await office.visitor(Role.BUREAU, bureau=1)

    assert [form for form in re.findall(r'action="([^"]+)"', page) if form.startswith(path)] == []
    assert (await other.get(path))[0] == 404
    assert "沙田沙虫" not in visible(await other.page("/desk/broadcasts"))


async def test_a_booking_that_nobody_approved_does_not_go_on_air(office: Office) -> None:
    asked = await a_booking(office.house, local(3, 20))
    broadcast = await Broadcast.get(booking_id=asked.id)
    staff = await office.visitor(Role.STAFF)

    status, body, _ = await staff.post(f"/desk/broadcasts/{broadcast.public_id}/start")

    assert status == 409
    assert "排期还没有批准" in visible(body)


async def on_time(broadcast: Broadcast) -> None:
    """Move the planned time back, so that now is within it."""
    await outbox.hand_out(now=clock.now(), limit=200)
    earlier = 100 * 60_000
    await database.execute(
        "UPDATE booking SET start_at = start_at - $1 WHERE id = $2", earlier, broadcast.booking_id
    )


async def test_packs_are_put_out_and_planned_by_the_share(office: Office) -> None:
    """Three vouchers in each: the pages say what a share is, and how many vouchers the shares are."""
    await a_template(office, packs=[a_pack()])
    staff = await office.visitor(Role.STAFF)
    desk = f"/desk/broadcasts/{office.broadcast.public_id}"
    pack = (await Pack.get()).public_id

    before = visible(await staff.page(desk))
    await staff.post(f"{desk}/drops", template=pack, quantity="4", minutes="10")
    after = visible(await staff.page(desk))
    room, streamer = await a_room(office.house.centre), await a_streamer(office.house.centre)
    later = await a_broadcast(office.house, local(2, 22), room=room.public_id, streamer=streamer.public_id)
    planning = visible(await staff.page(f"/bureau/broadcasts/{later.public_id}"))

    assert "数量（份）" in before
    assert "惠民券包（券包，每份 3 张，余 10 份）" in before
    assert "投放 4 份（12 张）" in after
    assert "数量（张）" not in before + planning
    assert "惠民券包（券包，每份 3 张）" in planning
