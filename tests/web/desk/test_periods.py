"""核对与关账 on the desk: days are reconciled, a month closed with a fresh password, the sales page says how far it is."""

from __future__ import annotations

from datetime import timedelta

import time_machine

from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.orders import intake
from tests.web.desk.office import EVENING, Office, links
from tests.web.phones import visible

PATH, MARCH = "/desk/periods", "/desk/periods/month?month=202603"
APRIL = EVENING + timedelta(days=31)


async def test_a_month_is_reconciled_closed_and_adjusted(office: Office) -> None:
    await office.sell("A1", paid_fen=12_800)
    with time_machine.travel(APRIL, tick=True):
        finance = await office.visitor(Role.FINANCE)
        before = visible(await finance.page(MARCH))
        early = await finance.post(f"{PATH}/close", month=202603)
        days = {"month": "202603", "from": "2026-03-01", "to": "2026-03-31"}
        unseen = await finance.post(f"{PATH}/reconcile", **days, seen=clock.to_ms(EVENING))
        looked = await finance.post(f"{PATH}/reconcile", **days, seen=clock.to_ms(clock.now()))
        done = await finance.post(f"{PATH}/close", month=202603)
        closed = visible(await finance.page(done[2]))
        with time_machine.travel(APRIL + timedelta(hours=1), tick=True):
            assert await office.push("A2", paid_fen=700) == 200
            await intake.run_once(now=clock.now(), lease_seconds=30)
            page = await finance.page(MARCH)
            later = visible(page)
            lines = visible(await finance.page(links(page, "/desk/sales/lines")[0]))
            april = visible(await finance.page(f"{PATH}/month?month=202604"))
            sales = visible(await finance.page("/desk/sales?from=2026-03-01&to=2026-04-05"))
            listed = visible(await finance.page(PATH))

    assert "暂定 128.00 0.00 128.00 1" in before
    assert (early[0], "2026-03-02" in early[1]) == (409, True)
    assert (unseen[0], "您看过之后" in unseen[1]) == (409, True)
    assert (looked[0], done[0]) == (303, 303)
    assert "净成交额 G3 ¥128.00 关账快照" in closed
    assert "净成交额 G3 ¥128.00 关账快照" in later
    assert "关账后调整 ¥7.00" in later
    assert "迟到或更正的订单" in later
    assert "¥7.00" in lines
    assert "本月入账的往月调整" in april
    assert "已关账 31 天" in sales
    assert "2026 年 3 月 已关账" in listed


async def test_closing_asks_for_the_password_anew_and_for_finance(office: Office) -> None:
    await office.sell("A1", paid_fen=12_800)
    with time_machine.travel(APRIL, tick=True):
        finance, manager = await office.visitor(Role.FINANCE), await office.visitor(Role.MANAGER)
        assert (await manager.post(f"{PATH}/close", month=202603))[0] == 403
        assert (await manager.get(MARCH))[0] == 200
        assert (
            await finance.post(
                f"{PATH}/reconcile", **{"month": "202603", "from": "2026-03-02", "to": "2026-03-01"}
            )
        )[0] == 422
        assert (await finance.post(f"{PATH}/reconcile", **{"month": "202603", "from": "x", "to": ""}))[
            0
        ] == 422
        assert (await finance.get(f"{PATH}/month?month=202613"))[0] == 422
        assert (await finance.get(f"{PATH}/month?month=9"))[0] == 422
        assert (await finance.get(f"{PATH}/month"))[0] == 422
    with time_machine.travel(APRIL + timedelta(minutes=20), tick=True):
        status, _, where = await finance.post(f"{PATH}/close", month=202603)
    assert (status, where.startswith("/login?next=")) == (303, True)
