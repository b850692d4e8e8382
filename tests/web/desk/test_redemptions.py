"""A redemption at the desk: what came back of it, and a refund by the centre's hand, with a reason."""

from __future__ import annotations

from livehub.accounts.actors import Actor
from livehub.accounts.models import Role
from livehub.kit import clock, ids
from livehub.vouchers import codes, enrolments, identity, links
from livehub.vouchers.models import Campaign, Redemption, Round, Voucher
from tests.factories.accounts import an_actor
from tests.factories.merchants import a_merchant, a_store
from tests.web.desk.office import Office
from tests.web.desk.test_broadcasts import a_template
from tests.web.phones import hidden, visible


async def a_use(office: Office) -> Redemption:
    """A voucher that paid 20 of 100 yuan at a merchant."""
    await a_template(office)
    house, now = office.house, clock.now()
    campaign, round_ = await Campaign.get(), await Round.get()
    officer: Actor = house.officers[0]
    merchant = await a_merchant(house.centre, "侨港海味馆")
    store = await a_store(merchant)
    await enrolments.enrol(campaign.id, merchant_id=merchant.id, actor=officer, now=now)
    link = await links.create(round_.id, actor=officer, now=now)
    claimant = await identity.enter("13900007788", centre_id=house.centre.id, now=now)
    claimed = await office.site.app.ctx.claim_desk.claim(
        link.slug, claimant=claimant, key=ids.token(), now=now
    )
    voucher = await Voucher.get(public_id=claimed.voucher)
    cashier = an_actor(Role.MERCHANT, merchant_id=merchant.id, centre_id=house.centre.id)
    done = await office.site.app.ctx.redeem_desk.redeem(
        codes.qr(voucher.public_id, now=now),
        merchant_id=merchant.id,
        store_id=store.id,
        order_fen=10_000,
        key="r1",
        actor=cashier,
        now=now,
    )
    return await Redemption.get(public_id=done.redemption)


async def test_the_manager_refunds_with_a_reason_and_the_campaign_shows_it(office: Office) -> None:
    used = await a_use(office)
    manager = await office.visitor(Role.MANAGER)
    path = f"/desk/redemptions/{used.public_id}"
    page = await manager.page(path)

    silent, body, _ = await manager.post(f"{path}/refund", amount="50.00", key=hidden(page, "key"))
    status, _, where = await manager.post(
        f"{path}/refund", amount="50.00", reason="商户已关门", key=hidden(page, "key")
    )
    after = visible(await manager.page(where))
    campaign = visible(await manager.page(f"/desk/campaigns/{(await Campaign.get()).public_id}"))

    assert "全部退掉：退顾客 ¥80.00，补贴收回 ¥20.00，券退还顾客" in visible(page)
    assert (silent, "请填写" in visible(body)) == (422, True)
    assert status == 303
    assert ("已登记退款" in after, "商户已关门" in after, "部分退款" in after) == (True, True, True)
    assert "¥50.00 已退 50.00" not in after
    assert "订单金额 ¥100.00 已退 50.00 · 还剩 50.00" in after
    assert "杠杆率 5.00 下限 5.00 退款后 · 毛杠杆 5.00" in campaign
    assert "已核销补贴 ¥10.00 预算执行" in campaign
    assert "退款收回 1 笔退款，券退还 0 次，不再退还 0 张 10.00" in campaign


async def test_a_voucher_that_a_refund_gave_back_is_revoked(office: Office) -> None:
    used = await a_use(office)
    manager, auditor = await office.visitor(Role.MANAGER), await office.visitor(Role.AUDITOR)
    path = f"/desk/redemptions/{used.public_id}"
    before = visible(await manager.page(path))
    early = await manager.post(f"{path}/revoke-voucher", reason="领错了人")
    key = hidden(await manager.page(path), "key")
    await manager.post(f"{path}/refund", amount="100.00", reason="商户已关门", key=key)

    page = visible(await manager.page(path))
    seen = visible(await auditor.page(path))
    silent, body, _ = await manager.post(f"{path}/revoke-voucher", reason="")
    status, _, where = await manager.post(f"{path}/revoke-voucher", reason="领错了人")
    after = visible(await manager.page(where))

    assert "作废这张券" not in before
    assert early[0] == 409
    assert "作废这张券" in page
    assert "作废这张券" not in seen
    assert (silent, "请填写" in visible(body)) == (422, True)
    assert (status, "券已作废" in after, "作废这张券" in after) == (303, True, False)
    assert (await Voucher.get(id=used.voucher_id)).state == "revoked"


async def test_who_may_see_and_who_may_refund(office: Office) -> None:
    used = await a_use(office)
    path = f"/desk/redemptions/{used.public_id}"
    officer = await office.visitor(Role.BUREAU)
    staff, finance = await office.visitor(Role.STAFF), await office.visitor(Role.FINANCE)

    assert "代为退款" in await finance.page(path)
    for visitor in (officer, staff):
        assert "代为退款" not in await visitor.page(path)
        assert (await visitor.post(f"{path}/refund", amount="1.00", reason="不行", key="k"))[0] == 403


async def test_another_bureaus_redemption_is_not_there(office: Office) -> None:
    used = await a_use(office)
    other = await office.visitor(Role.BUREAU, bureau=1)

    assert (await other.get(f"/desk/redemptions/{used.public_id}"))[0] == 404


async def test_the_bureau_ends_its_campaign(office: Office) -> None:
    await a_template(office)
    officer, staff = await office.visitor(Role.BUREAU), await office.visitor(Role.STAFF)
    path = f"/desk/campaigns/{(await Campaign.get()).public_id}"

    assert f"{path}/end" not in await staff.page(path)
    status, _, where = await officer.post(f"{path}/end")
    twice, body, _ = await officer.post(f"{path}/end")

    assert status == 303
    assert "活动已结束，轮次已截止" in visible(await officer.page(where))
    assert (twice, "当前状态下不能做这个操作" in visible(body)) == (409, True)
