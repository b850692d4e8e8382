"""开播账号 of a shop: bound and unbound over real HTTP, and what its orders become by that."""

from __future__ import annotations

from livehub import database
from livehub.accounts.models import Role
from livehub.kit import clock, outbox
from tests.factories.accounts import a_centre
from tests.factories.streamers import a_streamer
from tests.web.desk.office import Office
from tests.web.phones import visible

ERP = "standard_webhooks erp"  # the account that the show of the office was put on


async def classes() -> list[tuple[str, int]]:
    while await outbox.hand_out(now=clock.now()):
        pass
    rows = await database.fetch(
        "SELECT attribution, sum(buyer_paid) AS fen FROM rollup_bucket GROUP BY attribution"
        " HAVING sum(buyer_paid) <> 0 ORDER BY attribution"
    )
    return [(row["attribution"], int(row["fen"])) for row in rows]


async def test_a_bound_account_gives_the_shops_orders_to_its_show_and_back(office: Office) -> None:
    path = f"/desk/shops/{office.shop.public_id}/accounts"
    await office.sell("A1", paid_fen=7000, room_ref="")
    manager = await office.visitor(Role.MANAGER)
    assert await classes() == [("U", 7000)]
    assert "还没有登记开播账号" in visible(await manager.page(path))

    done = await manager.post(path, account=ERP)
    assert (done[0], done[2]) == (303, f"{path}?done=account-bound")
    assert await classes() == [("D", 7000)]
    assert "ERP 推送 erp" in visible(await manager.page(done[2]))
    assert f'href="{path}"' in await manager.page("/desk/shops")
    assert "D 唯一在播" in visible(await manager.page(f"/desk/orders/{office.shop.public_id}/A1"))

    done = await manager.post(f"{path}/unbind", account=ERP)
    assert (done[0], done[2]) == (303, f"{path}?done=account-unbound")
    assert await classes() == [("U", 7000)]


async def test_an_account_nobody_has_is_refused_beside_its_field(office: Office) -> None:
    path = f"/desk/shops/{office.shop.public_id}/accounts"
    manager = await office.visitor(Role.MANAGER)
    stranger = await a_streamer(await a_centre(), accounts=(("doudian", "of-another-centre"),))
    assert stranger

    for account in ("doudian mistyped", "doudian of-another-centre"):
        status, page, _ = await manager.post(path, account=account)
        assert (status, "本中心没有这个开播账号" in page) == (422, True)
        assert "of-another-centre" not in page
    for account in ("", "mistyped", "\x00 \x00"):
        assert (await manager.post(path, account=account))[0] == 422
        assert (await manager.post(f"{path}/unbind", account=account))[0] in (303, 422)
    assert (await manager.post("/desk/shops/nobody/accounts", account=ERP))[0] == 404


async def test_staff_see_the_accounts_and_change_none(office: Office) -> None:
    path = f"/desk/shops/{office.shop.public_id}/accounts"
    manager, staff = await office.visitor(Role.MANAGER), await office.visitor(Role.STAFF)
    await manager.post(path, account=ERP)
    assert "正在重新归属以前的订单，已算完 0 单" in visible(await manager.page(path))

    page = await staff.page("/desk/shops")

    assert ("ERP 推送 · erp" in visible(page), path in page) == (True, False)
    assert ((await staff.get(path))[0], (await staff.post(path, account=ERP))[0]) == (403, 403)
