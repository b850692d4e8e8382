"""摇号 at the desk: set up, the number entered by one person and read again by another, drawn."""

from __future__ import annotations

import time_machine

from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.vouchers import campaigns, draws
from livehub.vouchers.models import Round
from tests.factories.accounts import an_actor
from tests.factories.rooms import local
from tests.web.desk.office import Office
from tests.web.desk.test_money import a_draft
from tests.web.phones import visible

NUMBER = "02 07 11 18 23 31 + 09"
FORM = {
    "name": "摇号券",
    "face": "20",
    "threshold": "100",
    "quantity": "5",
    "days": "7",
    "source": "双色球第 2026058 期",
    "signup_from": "2026-03-02T20:00",
    "signup_until": "2026-03-03T20:00",
    "source_at": "2026-03-03T21:15",
    "draw_at": "2026-03-03T22:00",
    "claim_from": "2026-03-04T10:00",
    "claim_until": "2026-03-10T10:00",
}


async def a_path(office: Office) -> str:
    """The page of a running campaign with money left."""
    draft = await a_draft(office)
    finance = an_actor(Role.FINANCE, centre_id=office.house.centre.id)
    await campaigns.countersign(draft.id, actor=finance, now=clock.now())
    await campaigns.start(draft.id, actor=office.house.officers[0], now=clock.now())
    return f"/desk/campaigns/{draft.public_id}"


async def test_a_lottery_is_set_up_and_drawn_by_two_persons(office: Office) -> None:
    path = await a_path(office)
    officer = await office.visitor(Role.BUREAU)

    offered = await officer.page(path)
    await officer.page(f"{path}/lotteries/new")
    status, _, where = await officer.post(f"{path}/lotteries", **FORM)
    made = visible(await officer.page(where))
    lottery = await Round.get(mode="lottery")
    page = f"{path}/lotteries/{lottery.public_id}"
    await draws.advance(now=clock.now())
    early, body, _ = await officer.post(f"{page}/enter", randomness=NUMBER)
    signup = visible(await officer.page(page))

    assert f"{path}/lotteries/new" in offered
    assert (status, where) == (303, f"{page}?done=lottery-scheduled")
    assert ("已安排摇号" in made, "报名开放时公布" in made, "/c/" in made) == (True, True, True)
    assert (early, "报名截止、号码公布之后才能填写" in visible(body)) == (409, True)
    assert ("报名中" in signup, "报名开放时公布" in signup) == (True, False)
    await officer.session.close()
    with time_machine.travel(local(3, 22, 30), tick=True):
        await _drawn_by_two(office, page)
    assert (await Round.get(id=lottery.id)).status == "drawn"


async def _drawn_by_two(office: Office, page: str) -> None:
    officer, finance = await office.visitor(Role.BUREAU), await office.visitor(Role.FINANCE)
    await draws.advance(now=clock.now())
    unfit, body, _ = await officer.post(f"{page}/enter", randomness="第 58 期")
    entered, _, where = await officer.post(f"{page}/enter", randomness=NUMBER)
    waits = visible(await officer.page(where))
    other, wrong, _ = await finance.post(f"{page}/confirm", randomness="99 99")
    asked = visible(await finance.page(page))
    done, _, where = await finance.post(f"{page}/confirm", randomness=NUMBER)
    drawn = visible(await finance.page(where))

    assert (unfit, "请照原样填写公布的号码" in visible(body)) == (422, True)
    assert (entered, "等另一人（财务）核对" in waits) == (303, True)
    assert (other, "两个人填写的号码不一致" in visible(wrong)) == (422, True)
    assert ("核对并开奖" in asked, NUMBER in asked) == (True, False)  # she reads it from the source
    assert (done, "已开奖" in drawn, NUMBER in drawn) == (303, True, True)


async def test_a_wrong_order_is_said_at_the_field(office: Office) -> None:
    path = await a_path(office)
    officer = await office.visitor(Role.BUREAU)
    wrong = FORM | {"source_at": "2026-03-03T19:00", "threshold": "10"}

    status, body, _ = await officer.post(f"{path}/lotteries", **wrong)

    assert (status, "不能早于上一步的时间" in visible(body), "门槛不能低于面额" in visible(body)) == (
        422,
        True,
        True,
    )
    assert 'value="双色球第 2026058 期"' in body
    assert await Round.filter(mode="lottery").count() == 0


async def test_more_than_the_money_is_said(office: Office) -> None:
    path = await a_path(office)
    officer = await office.visitor(Role.BUREAU)

    status, body, _ = await officer.post(f"{path}/lotteries", **FORM | {"quantity": "10000000"})

    assert (status, "活动可用资金不足" in visible(body)) == (409, True)
