"""参加的商户 in the browser's place: asked for at /m, decided on the campaign's page, each refusal at its field."""

from __future__ import annotations

import aiohttp

from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.merchants.models import Merchant
from livehub.vouchers.models import Campaign, MerchantEnrolment
from tests.factories.accounts import PASSWORD, a_user
from tests.factories.merchants import a_merchant
from tests.web.desk.office import Office, Visitor
from tests.web.desk.test_rounds import a_signed
from tests.web.phones import hidden, visible


async def a_till(office: Office, merchant: Merchant) -> Visitor:
    """Somebody at the merchant's phone."""
    user = await a_user(
        Grant(Role.MERCHANT, merchant_id=merchant.id), centre=office.house.centre, name="阿珍"
    )
    session: aiohttp.ClientSession = office.site.browser()
    token, _ = await logins.log_in(user.login, PASSWORD, ip="198.51.100.8", agent="tests", now=clock.now())
    session.cookie_jar.update_cookies({"__Host-session": token}, office.site.url)
    made = Visitor(office.site, session, user.name)
    office.visitors[Role.MERCHANT] = made
    return made


async def test_a_merchant_asks_and_the_officer_decides(office: Office) -> None:
    path = await a_signed(office)
    merchant = await a_merchant(office.house.centre, name="侨港海味店")
    officer, till = await office.visitor(Role.BUREAU), await a_till(office, merchant)
    campaign = await Campaign.get()
    at = f"{path}/merchants/{merchant.public_id}"

    offered = await till.page("/m/campaigns")
    token = hidden(offered, "csrf")
    asked, _, where = await till.post(f"/m/campaigns/{campaign.public_id}/ask", csrf=token)
    waits = visible(await till.page(where))
    page = visible(await officer.page(path))
    empty, body, _ = await officer.post(f"{at}/reject", reason="")
    refused = visible(await officer.page((await officer.post(f"{at}/reject", reason="缺执照"))[2]))
    told = visible(await till.page("/m/campaigns"))
    approved = visible(await officer.page((await officer.post(f"{at}/approve"))[2]))
    twice, _, _ = await officer.post(f"{at}/reject", reason="缺执照")
    suspended = visible(await officer.page((await officer.post(f"{at}/suspend", reason="抽查"))[2]))

    assert ("年货消费券" in visible(offered), "报名" in visible(offered)) == (True, True)
    assert (asked, "已报名，等主管部门审核" in waits, "待审核" in waits) == (303, True, True)
    assert ("侨港海味店" in page, "待审核 阿珍" in page) == (True, True)
    assert (empty, "请填写" in body.partition('id="reason-wrong">')[2].partition("<")[0]) == (422, True)
    assert ("未通过" in refused, "缺执照" in refused, "缺执照" in told, "再报名" in told) == (True,) * 4
    assert ("商户可以核销这个活动的券了" in approved, "已参加" in approved) == (True, True)
    assert (twice, "已暂停" in suspended, "抽查" in suspended) == (409, True, True)


async def test_the_officer_takes_a_merchant_in_unasked(office: Office) -> None:
    path = await a_signed(office)
    merchant = await a_merchant(office.house.centre, name="侨港海味店")
    officer = await office.visitor(Role.BUREAU)

    nobody, body, _ = await officer.post(f"{path}/merchants", merchant="nobody")
    status, _, where = await officer.post(f"{path}/merchants", merchant=merchant.public_id)
    twice, _, _ = await officer.post(f"{path}/merchants", merchant=merchant.public_id)
    page = visible(await officer.page(where))

    assert (nobody, "没有这家商户" in body.partition('id="merchant-wrong">')[2]) == (422, True)
    assert (status, twice, "侨港海味店" in page) == (303, 422, True)
    assert await MerchantEnrolment.all().count() == 1


async def test_another_bureaus_merchants_are_not_decided_on(office: Office) -> None:
    path = await a_signed(office)
    merchant = await a_merchant(office.house.centre)
    other = await office.visitor(Role.BUREAU, bureau=1)
    at = f"{path}/merchants/{merchant.public_id}"

    answers = [(await other.post(f"{path}/merchants", merchant=merchant.public_id))[0]]
    answers += [
        (await other.post(f"{at}/{step}", reason="抽查"))[0] for step in ("approve", "reject", "suspend")
    ]

    assert answers == [404] * 4
    assert await MerchantEnrolment.all().count() == 0
