"""数据修复: what the audit repaired, to be read by staff, and told on the day's page."""

from __future__ import annotations

from livehub import database
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.orders import auditing
from tests.orders.test_auditing import unprotected
from tests.orders.test_races import hand_out
from tests.web.desk.office import Office, links
from tests.web.phones import visible


async def test_a_repair_is_told_with_what_it_was_and_what_it_became(office: Office) -> None:
    await office.sell("A1", paid_fen=12_800)
    staff = await office.visitor(Role.STAFF)
    assert "没有修复过" in visible(await staff.page("/desk/repairs"))
    assert "/desk/repairs" not in await staff.page("/desk")
    await hand_out()
    await unprotected()
    await database.execute("UPDATE contribution_entry SET buyer_paid = 10000")
    await auditing.audit(now=clock.now())
    await database.execute("UPDATE rollup_bucket SET units = 9")
    await auditing.audit(now=clock.now())

    page = await staff.page("/desk/repairs")
    shown = visible(page)

    assert "买家支付：100.00 → 128.00 元" in shown
    assert "件数：9 → 2" in shown
    assert ("入账不等于订单状态" in shown, "汇总不等于入账之和" in shown) == (True, True)
    assert "2 处数字在 7 天内被核对发现不一致并改正" in visible(await staff.page("/desk"))
    order = await staff.page(links(page, "/desk/orders/")[0])
    assert "入账" in visible(order)


async def test_repairs_are_not_for_bureaus(office: Office) -> None:
    officer = await office.visitor(Role.BUREAU)

    assert (await officer.get("/desk/repairs"))[0] == 403
    assert (await (await office.visitor(Role.AUDITOR)).get("/desk/repairs"))[0] == 200
