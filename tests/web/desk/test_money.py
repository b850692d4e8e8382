"""Campaigns with their countersign, and the codes in 发件箱."""

from __future__ import annotations

from livehub.accounts.actors import Actor, Grant
from livehub.accounts.models import Role, User
from livehub.kit import clock
from livehub.vouchers import campaigns, identity
from livehub.vouchers.models import Campaign, CampaignStatus
from tests.web.desk.office import Office
from tests.web.desk.test_broadcasts import a_template
from tests.web.phones import visible


async def a_draft(office: Office, *, submitted: bool = True, by: Actor | None = None) -> Campaign:
    officer = by or office.house.officers[0]
    wanted = campaigns.NewCampaign(name="年货消费券", issuer_name="商务局", budget_fen=6_000_000)
    draft = await campaigns.draft(
        wanted,
        bureau_id=office.house.bureaus[0].id,
        centre_id=office.house.centre.id,
        actor=officer,
        now=clock.now(),
    )
    if submitted:
        await campaigns.submit(draft.id, actor=officer, now=clock.now())
    return await Campaign.get(id=draft.id)


async def test_finance_countersigns_and_the_money_is_there(office: Office) -> None:
    draft = await a_draft(office)
    finance = await office.visitor(Role.FINANCE)
    path = f"/desk/campaigns/{draft.public_id}"

    todo = visible(await finance.page("/desk"))
    before = visible(await finance.page(path))
    stale, body, _ = await finance.post(f"{path}/countersign", version=draft.version + 1)
    status, _, where = await finance.post(f"{path}/countersign", version=draft.version)
    after = visible(await finance.page(where))
    twice, _, _ = await finance.post(f"{path}/countersign", version=draft.version + 1)

    assert "1 个消费券活动待会签" in todo
    assert ("待会签" in before, "会签 ¥60,000.00" in before) == (True, True)
    assert (stale, "已被别人修改" in visible(body)) == (412, True)
    assert (status, twice) == (303, 409)
    assert ("已会签，预算已锁定" in after, "财政拨入 60,000.00" in after) == (True, True)
    assert (await Campaign.get(id=draft.id)).status is CampaignStatus.APPROVED


async def test_who_drafted_does_not_countersign(office: Office) -> None:
    finance = await office.visitor(Role.FINANCE)
    user = await User.get(name=finance.name)
    both = Actor(
        kind="user", id=user.id, name=user.name, centre_id=office.house.centre.id,
        grants=(Grant(Role.BUREAU, office.house.bureaus[0].id), Grant(Role.FINANCE)),
    )  # fmt: skip
    draft = await a_draft(office, by=both)
    path = f"/desk/campaigns/{draft.public_id}"

    page = await finance.page(path)
    status, body, _ = await finance.post(f"{path}/countersign", version=draft.version)

    assert f"{path}/countersign" not in page
    assert (status, "须由另一个人完成" in visible(body)) == (403, True)
    assert (await Campaign.get(id=draft.id)).status is CampaignStatus.DRAFT


async def test_a_running_campaign_shows_its_rounds_and_an_even_ledger(office: Office) -> None:
    await a_template(office)
    manager, staff = await office.visitor(Role.MANAGER), await office.visitor(Role.STAFF)
    campaign = await Campaign.get()

    listed = visible(await manager.page("/desk/campaigns?state=running"))
    none = visible(await manager.page("/desk/campaigns?state=paused"))
    page = visible(await manager.page(f"/desk/campaigns/{campaign.public_id}"))
    without_money = visible(await staff.page(f"/desk/campaigns/{campaign.public_id}"))

    assert ("惠农消费券" in listed, "惠农消费券" in none) == (True, False)
    assert ("资金账 平" in page, "满 100 减 20" in page, "0 / 1,000" in page) == (True, True, True)
    assert "资金账" not in without_money


async def test_campaigns_stay_within_their_bureau(office: Office) -> None:
    draft = await a_draft(office)
    other, auditor = await office.visitor(Role.BUREAU, bureau=1), await office.visitor(Role.AUDITOR)
    path = f"/desk/campaigns/{draft.public_id}"

    assert (await other.get(path))[0] == 404
    assert "还没有活动" in visible(await other.page("/desk/campaigns"))
    assert (await auditor.post(f"{path}/countersign", version=1))[0] == 403
    assert "年货消费券" in visible(await auditor.page(path))


async def test_codes_are_read_in_the_outbox_by_those_who_may(office: Office) -> None:
    await identity.send_code(
        "13900001234", centre_id=office.house.centre.id, ip="198.51.100.9", channel="outbox", now=clock.now()
    )
    staff, finance = await office.visitor(Role.STAFF), await office.visitor(Role.FINANCE)

    page = await staff.page("/desk/outbox")

    assert ("139****1234" in page, "13900001234" in page) == (True, False)
    assert "失效" in visible(page)
    assert "您的验证码是" in visible(page)
    assert "您的验证码是" not in visible(await staff.page("/desk/outbox?kind=other"))
    assert (await finance.get("/desk/outbox"))[0] == 403


async def test_finance_changes_the_budget_from_what_she_read(office: Office) -> None:
    draft = await a_draft(office)
    finance, officer = await office.visitor(Role.FINANCE), await office.visitor(Role.BUREAU)
    path = f"/desk/campaigns/{draft.public_id}"
    early, _, _ = await finance.post(f"{path}/budget", current=6_000_000, budget="1", budget_reason="追加")
    await finance.post(f"{path}/countersign", version=draft.version)
    given = {"current": 6_000_000, "budget": "70,000", "budget_reason": "追加"}

    offered = await finance.page(path)
    refused = {}
    for name, changes in (
        ("budget", {"budget": "七万"}),
        ("budget_reason", {"budget_reason": ""}),
        ("budget ", {"current": 5_999_999}),
        ("budget  ", {"budget": "60000"}),
    ):
        status, body, _ = await finance.post(f"{path}/budget", **given | changes)
        refused[name] = status, body.partition(f'id="{name.strip()}-wrong">')[2].partition("<")[0]
    status, _, where = await finance.post(f"{path}/budget", **given)
    page = visible(await finance.page(where))
    hers, _, _ = await officer.post(f"{path}/budget", **given)

    assert (early, f"{path}/budget" in offered) == (409, True)
    assert refused == {
        "budget": (422, "请填写大于 0 的金额，如 60000.00"),
        "budget_reason": (422, "请填写原因"),
        "budget ": (409, "现在的预算是 60,000.00 元"),
        "budget  ": (422, "和现在的预算一样"),
    }
    assert (status, "预算已调整" in page, "财政拨入 70,000.00" in page) == (303, True, True)
    assert (hers, (await Campaign.get(id=draft.id)).budget_fen) == (403, 7_000_000)
