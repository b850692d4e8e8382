"""资质与选品 and the check before the air, over real HTTP."""

from __future__ import annotations

from datetime import date

import aiohttp
import pytest

from livehub.accounts.models import Role
from livehub.merchants import requirements
from livehub.merchants.models import Qualification
from rooms import prechecks
from rooms.models import Broadcast, BroadcastState
from tests.factories.merchants import a_merchant, a_paper, a_product
from tests.factories.rooms import a_broadcast, a_room, local
from tests.factories.streamers import a_streamer
from tests.web.desk.office import Office
from tests.web.phones import hidden, visible

PDF = b"%PDF-1.7 of nothing"


async def upload(visitor, fields: dict[str, str], body: bytes, name: str = "证.pdf") -> tuple[int, str, str]:
    data = aiohttp.FormData({"csrf": hidden(await visitor.page("/desk"), "csrf"), **fields})
    data.add_field("file", body, filename=name)
    async with visitor.session.post("/desk/papers", data=data, allow_redirects=False) as answer:
        return answer.status, await answer.text(), answer.headers.get("Location", "")


async def test_papers_are_noted_kept_and_withdrawn(office: Office) -> None:
    product = await a_product(office.house.centre, "虾酱", category="prepackaged", papers=False)
    await a_merchant(office.house.centre)
    staff = await office.visitor(Role.STAFF)
    auditor = await office.visitor(Role.AUDITOR)
    officer = await office.visitor(Role.BUREAU)
    paper = {"owner": f"product:{product.public_id}", "type": "sc_licence", "number": "SC10345050300123"}

    status, page, _ = await upload(staff, {**paper, "valid_to": "2026-03-08"}, b"GIF89a")
    assert (status, "文件格式不支持" in page, "SC10345050300123" in page) == (422, True, True)
    done = await upload(staff, {**paper, "valid_to": "2026-03-08"}, PDF)
    assert (done[0], done[2]) == (303, "/desk/papers?done=paper-added")

    shown = visible(await staff.page("/desk/papers?state=soon"))
    assert "还有 6 天" in shown
    assert "快到期" in shown
    made = await Qualification.get()
    assert (await officer.get(f"/desk/papers/{made.public_id}/file"))[0] == 403
    async with auditor.session.get(f"/desk/papers/{made.public_id}/file") as answer:
        assert (answer.status, await answer.read()) == (200, PDF)
        assert answer.headers["Content-Disposition"].startswith("attachment")
    assert (await officer.post(f"/desk/papers/{made.public_id}/withdraw", reason="不对"))[0] == 403
    gone = await staff.post(f"/desk/papers/{made.public_id}/withdraw", reason="换新证")
    assert gone[0] == 303
    assert (await staff.post(f"/desk/papers/{made.public_id}/withdraw", reason="换新证"))[0] == 409
    assert "虾酱" not in visible(await auditor.page("/desk/papers"))
    assert "已停用" in visible(await auditor.page("/desk/papers?state=withdrawn"))
    assert (await staff.post("/desk/papers/nobody/withdraw", reason="没有的"))[0] == 404

    decided = {"product": product.public_id, "meeting_on": "2026-03-01", "decision": "rejected"}
    status, page, _ = await staff.post("/desk/papers/reviews", **decided)
    assert (status, "请写明理由" in page) == (422, True)
    assert (await staff.post("/desk/papers/reviews", **decided, reasons="口感不稳"))[0] == 303
    young = await a_streamer(office.house.centre, stage_name="小鱼", born_on=None)
    assert "小鱼 没有登记出生日期" in visible(await staff.page("/desk/papers"))
    assert (await staff.post("/desk/papers/births", streamer=young.public_id, born_on="2030-01-01"))[0] == 422
    done = await staff.post("/desk/papers/births", streamer=young.public_id, born_on="2001-02-03")
    assert (done[0], "小鱼 没有" in visible(await staff.page("/desk/papers"))) == (303, False)
    assert "2001-02-03" not in await staff.page("/desk/papers")


async def test_a_script_is_made_from_a_shelf_and_signed_by_two(office: Office) -> None:
    house = office.house
    room = await a_room(house.centre)
    other = await a_streamer(house.centre)
    show = await a_broadcast(
        house, local(2, 21), room=room.public_id, streamer=other.public_id, minutes=60, check=False
    )
    good = await a_product(house.centre, "大蚝")
    await a_paper(good, "inspection_report", valid_to=date(2026, 3, 8))
    await a_product(house.centre, "虾酱", category="prepackaged", papers=False)
    officer = await office.visitor(Role.BUREAU)
    staff, manager = await office.visitor(Role.STAFF), await office.visitor(Role.MANAGER)
    script, console = f"/bureau/broadcasts/{show.public_id}", f"/desk/broadcasts/{show.public_id}"

    shown = visible(await officer.page(script))
    assert "检验报告播后 6 天到期" in shown
    assert "缺食品生产许可证（SC）" in shown
    refused = await officer.post(f"{script}/cues", kind="product", minutes=70, product=good.public_id)
    assert (refused[0], "环节总长超出场次 600 秒" in refused[1]) == (422, True)
    assert (await officer.post(f"{script}/cues", kind="opening", title="开场", minutes=5))[0] == 303
    assert (await officer.post(f"{script}/cues", kind="product", minutes=20, product=good.public_id))[
        0
    ] == 303
    assert "大蚝" in visible(await officer.page(script))
    stranger = await office.visitor(Role.BUREAU, bureau=1)
    assert (await stranger.get(script))[0] == 404
    await stranger.session.close()
    office.visitors[Role.BUREAU] = officer

    wanted = (await prechecks.standing(show.id)).items
    assert "food_safety" in wanted
    assert (await staff.post(f"{console}/start"))[0] == 409
    status, page, _ = await staff.post(f"{console}/precheck", role="console")
    assert (status, "请逐项确认" in page) == (422, True)

    async def sign(visitor, role: str) -> int:
        csrf = hidden(await visitor.page("/desk"), "csrf")
        fields = [("csrf", csrf), ("role", role), *(("ticked", each) for each in wanted)]
        async with visitor.session.post(f"{console}/precheck", data=fields, allow_redirects=False) as answer:
            return answer.status

    assert await sign(staff, "console") == 303
    assert await sign(staff, "centre") == 403
    assert await sign(manager, "centre") == 303
    assert (await Broadcast.get(id=show.id)).state is BroadcastState.CHECKED
    assert "已通过，可以开播" in visible(await staff.page(console))
    assert (await officer.post(f"{script}/cues/remove", position=1))[0] == 303
    assert (await Broadcast.get(id=show.id)).state is BroadcastState.PLANNED
    assert (await officer.post(f"{script}/ai", ai_host="true"))[0] == 303
    assert "数字人" in visible(await officer.page(script))


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_every_paper_has_a_name_on_the_page(office: Office) -> None:
    staff = await office.visitor(Role.STAFF)
    page = visible(await staff.page("/desk/papers"))
    assert [
        name for code, name in requirements.NAMES.items() if code != "selection" and name not in page
    ] == []
