"""主播 over real HTTP: looked up, registered, refused beside the field, revealed for a reason, and reckoned."""

from __future__ import annotations

from datetime import timedelta

import pytest

from livehub.accounts.models import AuditEntry, Role
from streamers.models import Person, Streamer, StreamerLink
from tests.factories.accounts import a_centre
from tests.factories.outcomes import aired, sold
from tests.factories.rooms import a_broadcast, a_room, local
from tests.factories.streamers import a_streamer
from tests.web.api.callers import a_person
from tests.web.desk.office import Office
from tests.web.phones import visible

PATH = "/desk/streamers"
IDENTITY = "990101199501010015"
NEW = {
    "stage_name": "退渔阿姐",
    "name": "陈阿海",
    "identity": IDENTITY,
    "phone": "13812345678",
    "town": "侨港镇",
}


async def test_somebody_is_registered_found_and_left(office: Office) -> None:
    staff = await office.visitor(Role.STAFF)

    status, html, _ = await staff.post(
        f"{PATH}/new", **{**NEW, "stage_name": "=阿姐", "identity": IDENTITY[:-1]}
    )
    assert (status, "请填写艺名" in html, "不是 18 位身份证号" in html, "陈阿海" in html) == (
        422,
        True,
        True,
        True,
    )
    assert await Streamer.filter(stage_name="退渔阿姐").count() == 0
    done = await staff.post(f"{PATH}/new", **NEW)
    made = await Streamer.get(stage_name="退渔阿姐")
    assert (done[0], done[2]) == (303, f"{PATH}/{made.public_id}?done=streamer-joined")
    again = await staff.post(f"{PATH}/new", **NEW)
    assert (again[0], "这个人已经是中心的主播" in again[1]) == (409, True)
    assert await Person.filter(name="陈阿海").count() == 1

    found = visible(await staff.page(f"{PATH}?name=阿姐"))
    assert ("退渔阿姐" in found, "共 1 条" in found) == (True, True)
    assert "没有符合条件的主播" in visible(await staff.page(f"{PATH}?name=%25"))
    assert "退渔阿姐" in visible(await staff.page(f"{PATH}?trained=never&status=newbie"))
    assert "退渔阿姐" not in visible(await staff.page(f"{PATH}?trained=certified"))
    assert (await staff.get(f"{PATH}?status=dancing"))[0] == 422

    here = f"{PATH}/{made.public_id}"
    assert (await staff.post(f"{here}/status", status="left"))[0] == 303
    assert "退渔阿姐" not in visible(await staff.page(PATH))
    assert "退渔阿姐" in visible(await staff.page(f"{PATH}?status=left"))
    assert (await staff.post(f"{here}/status", status="gone"))[0] == 422
    officer = await office.visitor(Role.BUREAU)
    assert (await officer.get(f"{PATH}/new"))[0] == 403
    assert (await officer.post(f"{here}/status", status="active"))[0] == 403


async def test_what_is_sealed_is_shown_for_a_reason_and_once(office: Office) -> None:
    manager = await office.visitor(Role.MANAGER)
    await manager.post(f"{PATH}/new", **NEW)
    made = await Streamer.get(stage_name="退渔阿姐")
    here = f"{PATH}/{made.public_id}"

    page = await manager.page(here)
    assert (IDENTITY in page, NEW["phone"] in page, "已登记" in page) == (False, False, True)
    status, html, _ = await manager.post(f"{here}/reveal", reason="")
    assert (status, IDENTITY in html, 'id="reason-wrong"' in html) == (422, False, True)
    status, html, _ = await manager.post(f"{here}/reveal", reason="核对证件")
    assert (status, IDENTITY in html, NEW["phone"] in html) == (200, True, True)
    entry = await AuditEntry.filter(action="person.revealed").get()
    assert "核对证件" in str(entry.detail)
    assert IDENTITY not in await manager.page(here)
    staff = await office.visitor(Role.STAFF)
    assert (await staff.post(f"{here}/reveal", reason="看看"))[0] == 403
    assert "查看号码" not in await staff.page(here)


async def test_links_and_accounts_of_her_own(office: Office) -> None:
    staff = await office.visitor(Role.STAFF)
    hers, other = office.house.streamer, await a_streamer(office.house.centre)
    here = f"{PATH}/{hers.public_id}"

    status, html, _ = await staff.post(f"{here}/link")
    assert (status, "/s/" in visible(html)) == (200, True)
    link = await StreamerLink.get()
    assert (await staff.post(f"{PATH}/{other.public_id}/link"))[0] == 200
    assert (await staff.post(f"{PATH}/{other.public_id}/links/{link.id}/revoke"))[0] == 404
    assert await StreamerLink.filter(revoked_at__isnull=True).count() == 2
    assert (await staff.post(f"{here}/links/{link.id}/revoke"))[0] == 303
    assert [each.id for each in await StreamerLink.filter(revoked_at__isnull=False)] == [link.id]

    assert (await staff.post(f"{here}/accounts", platform="kuaishou", account_ref="ks-1"))[0] == 303
    assert "ks-1" in visible(await staff.page(here))
    taken = await staff.post(f"{PATH}/{other.public_id}/accounts", platform="kuaishou", account_ref="ks-1")
    assert (taken[0], "已登记在一位主播名下" in taken[1]) == (409, True)
    status, html, _ = await staff.post(f"{here}/accounts", platform="kuaishou", account_ref="")
    assert (status, 'id="account_ref-wrong"' in html) == (422, True)
    stranger = await a_streamer(await a_centre())
    for path in (f"{PATH}/{stranger.public_id}", f"{PATH}/nobody"):
        assert (await staff.get(path))[0] == 404
        assert (await staff.post(f"{path}/accounts", platform="jd", account_ref="x"))[0] == 404
        assert (await staff.post(f"{path}/link"))[0] == 404


@pytest.fixture
async def worked(office: Office) -> Office:
    """Two shows of hers that sold, one of each bureau, and one that came late."""
    house, ten = office.house, timedelta(minutes=10)
    hers = await a_streamer(house.centre, stage_name="退渔阿姐")
    house.streamer = hers
    room = await a_room(house.centre)
    first = await a_broadcast(house, local(1, 12), room=room.public_id, streamer=hers.public_id, check=False)
    second = await a_broadcast(
        house, local(2, 12), room=room.public_id, streamer=hers.public_id, by=1, check=False
    )
    first = await aired(first, local(1, 12) + ten, minutes=90)
    second = await aired(second, local(2, 12) + 2 * ten, minutes=30)
    await sold(office.shop, first, "p1", fen=90_000, back=9_000)
    await sold(office.shop, second, "p2", fen=1_000)
    return office


async def test_a_period_is_reckoned_alike_on_the_page_and_in_the_api(worked: Office) -> None:
    hers = worked.house.streamer
    manager, officer = await worked.visitor(Role.MANAGER), await worked.visitor(Role.BUREAU)
    html = await manager.page(f"{PATH}/{hers.public_id}")
    page = visible(html)
    machine = await a_person(worked.site, Role.MANAGER, centre=worked.house.centre)
    path = f"/api/v1/streamers/{hers.public_id}/performance"
    told = await machine.get(path)

    measures = {each["name"]: each for each in told["measures"]}
    assert (measures["g3_fen"]["value"], measures["g3_per_hour"]["value"]) == (82_000, 41_000)
    assert (measures["on_time_rate"]["numerator"], measures["on_time_rate"]["denominator"]) == (1, 2)
    assert measures["refund_rate"]["value"] == "0.0989"
    assert (measures["redemption_rate_of_claimed"]["value"], measures["redemption_rate_of_claimed"]["why"]) == (
        None, "她的链接没有领出券",
    )  # fmt: skip
    assert ("¥820.00" in page, "¥410.00" in page, "50.0%" in page, "9.9%" in page) == (True,) * 4
    assert "晚 20 分钟" in page
    for each in told["shows"]:
        lines = await machine.get(each["evidence_url"])
        assert (lines.status, lines["numerator"]) == (200, each["g3_fen"])
    assert sum(each["g3_fen"] for each in told["shows"]) == 82_000
    (place,) = told["places"]
    assert (place["rank"], place["of"], place["theme"]) == (1, 1, "agri_specialty")

    own = visible(await officer.page(f"{PATH}/{hers.public_id}"))
    assert ("¥810.00" in own, "¥820.00" in own, "只含本部门的场次" in own) == (True, False, True)
    empty = visible(await manager.page(f"{PATH}/{hers.public_id}?from=2026-01-01&to=2026-01-02"))
    assert ("没有下播的场次" in empty, "0.0%" in empty) == (True, False)
    for days in ("from=2026-02-02&to=2026-02-01", "from=0001-01-01", "to=9999-12-31", "from=tomorrow"):
        assert (await manager.get(f"{PATH}/{hers.public_id}?{days}"))[0] == 422, days
        assert (await manager.get(f"{PATH}/ranking?{days}"))[0] == 422, days
        assert (await machine.get(f"{path}?{days}")).status == 422, days
    assert "退渔阿姐" in visible(await manager.page(f"{PATH}/ranking"))
    ranked = await machine.get("/api/v1/reports/streamers")
    assert ranked["items"] == [place]
