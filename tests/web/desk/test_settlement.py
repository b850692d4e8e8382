"""Settlement on the pages: finance runs and submits, the merchant answers on her phone, another one pays."""

from __future__ import annotations

from datetime import timedelta

from livehub import database
from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.merchants.models import Merchant
from livehub.settlement import collecting
from livehub.settlement.case_models import IntegrityCase
from livehub.settlement.models import SettlementBatch, SettlementHold
from livehub.settlement.repayment_models import SettlementRepayment
from livehub.vouchers.models import Campaign
from tests.factories.accounts import PASSWORD, a_user, an_actor
from tests.web.desk.office import Office, Visitor
from tests.web.desk.test_redemptions import a_use
from tests.web.phones import hidden, visible


async def a_merchants_phone(office: Office, merchant_id: int) -> Visitor:
    user = await a_user(
        Grant(Role.MERCHANT, merchant_id=merchant_id), centre=office.house.centre, name="阿珍"
    )
    session = office.site.browser()
    token, _ = await logins.log_in(user.login, PASSWORD, ip="198.51.100.7", agent="tests", now=clock.now())
    session.cookie_jar.update_cookies({"__Host-session": token}, office.site.url)
    office.visitors[Role.MERCHANT] = Visitor(office.site, session, user.name)
    return office.visitors[Role.MERCHANT]


async def test_a_batch_from_the_morning_to_its_payment(office: Office) -> None:
    used = await a_use(office)
    await database.execute("UPDATE redemption SET at = at - 86400000")
    yesterday = clock.local_day(clock.now()) - timedelta(days=1)
    finance, payer = await office.visitor(Role.FINANCE), await office.visitor(Role.MANAGER)
    phone = await a_merchants_phone(office, used.merchant_id)
    waiting = visible(await phone.page("/m/settlements/"))

    ran = await finance.post("/desk/settlement/run", day=yesterday)
    again = await finance.post("/desk/settlement/run", day=yesterday)
    early = await finance.post("/desk/settlement/run", day=yesterday + timedelta(days=1))
    batch = await SettlementBatch.get()
    path, mine = f"/desk/settlement/{batch.public_id}", f"/m/settlements/{batch.public_id}"
    unseen = await phone.get(mine)
    held = await finance.post("/desk/settlement/holds", redemption=used.public_id, reason="核对小票")
    refused = await finance.post(f"{path}/submit")
    lifted = await payer.post(f"/desk/settlement/holds/{(await SettlementHold.get()).public_id}/lift")
    sent = await finance.post(f"{path}/submit")
    csrf = hidden(await phone.page(mine), "csrf")
    disputed = await phone.post(f"{mine}/dispute", csrf=csrf, reason="=少了一笔")
    today = visible(await finance.page("/desk"))
    reopened = await finance.post(f"{path}/reopen", reason="那一笔在明天")
    await finance.post(f"{path}/submit")
    confirmed = await phone.post(f"{mine}/confirm", csrf=csrf)
    alone = await finance.post(f"{path}/pay", reference="P-1")
    paid = await payer.post(f"{path}/pay", reference="P-1")

    assert "¥20.00" in waiting
    assert [each[2].rpartition("=")[2] for each in (ran, again)] == ["settlement-run", "settlement-nothing"]
    assert (early[0], "还没有结束" in visible(early[1])) == (422, True)
    assert unseen[0] == 404  # finance has not sent it
    assert (held[0], refused[0], lifted[0], sent[0]) == (303, 409, 303, 303)
    assert (disputed[0], reopened[0], confirmed[0], alone[0], paid[0]) == (303, 303, 303, 403, 303)
    assert "1 个结算批次商户有异议" in today
    assert "商户有异议" not in visible(await finance.page("/desk"))
    done = visible(await finance.page(path))
    assert "已付款" in done
    assert "P-1" in done
    status, file, _ = await finance.get(f"{path}/file.csv")
    assert (status, used.public_id in file) == (200, True)
    assert f"#{batch.number}" in visible(await finance.page("/desk/settlement/?state=paid"))
    assert f"批次 #{batch.number}" in visible(await payer.page(f"/desk/redemptions/{used.public_id}"))
    assert "凭证 P-1" in visible(await phone.page(mine))
    campaign = await payer.page(f"/desk/campaigns/{(await Campaign.get()).public_id}")
    assert "/desk/settlement?campaign=" in campaign


async def test_what_is_owed_back_is_noted_by_one_and_confirmed_by_another(office: Office) -> None:
    used = await a_use(office)
    await database.execute("UPDATE redemption SET at = at - 86400000")
    today, clerk = clock.local_day(clock.now()), an_actor(Role.FINANCE, centre_id=office.house.centre.id)
    finance, payer = await office.visitor(Role.FINANCE), await office.visitor(Role.MANAGER)
    await finance.post("/desk/settlement/run", day=today - timedelta(days=1))
    path = f"/desk/settlement/{(await SettlementBatch.get()).public_id}"
    await finance.post(f"{path}/submit")
    await finance.post(f"{path}/confirm", reason="电话确认")
    await payer.post(f"{path}/pay", reference="P-1")
    await payer.post(
        f"/desk/redemptions/{used.public_id}/refund", amount="100.00", reason="顾客退货", key="k1"
    )
    await collecting.run(today, actor=clerk, now=clock.now() + timedelta(days=1))
    batch = (await SettlementBatch.get(day=clock.day_number(today))).public_id
    await finance.post(f"/desk/settlement/{batch}/submit")
    owing = visible(await finance.page("/desk/settlement/repayments"))
    listed = visible(await finance.page("/desk/settlement"))

    fields = {"batch": batch, "received_on": today, "reference": "S-1"}
    much = await finance.post("/desk/settlement/repayments", **fields, amount="999999")
    noted = await finance.post("/desk/settlement/repayments", **fields, amount="1.00")
    again = await finance.post("/desk/settlement/repayments", **fields, amount="1.00")
    one = f"/desk/settlement/repayments/{(await SettlementRepayment.get()).public_id}"
    alone = await finance.post(f"{one}/confirm")
    silent = await finance.post(f"{one}/withdraw", reason="")
    confirmed = await payer.post(f"{one}/confirm")
    late = await finance.post(f"{one}/withdraw", reason="记错了")

    assert "商户应退 1" in listed
    assert "登记收款" in owing
    assert [each[0] for each in (much, noted, again, alone, silent, confirmed, late)] == [
        409,
        303,
        409,
        403,
        422,
        303,
        409,
    ]
    assert "最多只能收剩下的应退" in visible(much[1])
    assert 'value="999999"' in much[1]  # what was typed stays
    assert "已收到" in visible(await payer.page("/desk/settlement/repayments"))


async def test_a_batch_of_a_merchant_whose_case_was_confirmed_is_taken_back_and_comes_to_nothing(
    office: Office,
) -> None:
    used = await a_use(office)
    await database.execute("UPDATE redemption SET at = at - 86400000")
    finance, manager = await office.visitor(Role.FINANCE), await office.visitor(Role.MANAGER)
    await finance.post("/desk/settlement/run", day=clock.local_day(clock.now()) - timedelta(days=1))
    path = f"/desk/settlement/{(await SettlementBatch.get()).public_id}"
    await finance.post(f"{path}/submit")
    await finance.post(f"{path}/confirm", reason="电话确认")
    merchant = await Merchant.get(id=used.merchant_id)
    about = {"subject": "merchant", "subject_ref": merchant.public_id, "reason": "涉嫌套券"}
    await finance.post("/desk/integrity", **about)
    case = f"/desk/integrity/{(await IntegrityCase.get()).public_id}"
    early = await finance.page(path), (await finance.post(f"{path}/reopen", reason="先退回"))[0]

    await finance.post(f"{case}/look", text="看了监控")
    await manager.post(f"{case}/confirm", text="店员承认")
    held = visible(await finance.page(path))
    unpaid = await manager.post(f"{path}/pay", reference="P-1")
    reopened = await finance.post(f"{path}/reopen", reason="商户已认定有问题")
    sent = await finance.post(f"{path}/submit")
    await finance.post(f"{path}/confirm", reason="电话确认")
    closed = await manager.post(f"{path}/pay", reference="")

    assert ("商户已认定有问题" in visible(early[0]), early[1]) == (False, 409)
    assert "商户已认定有问题" in held
    assert [each[0] for each in (unpaid, reopened, sent, closed)] == [409, 303, 303, 303]
    assert (await SettlementBatch.get()).pay_fen == 0
