"""消费券 in the browser's place, by both doors: drafted, changed, submitted, signed, started, paused and ended."""

from __future__ import annotations

import pytest

from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.vouchers import campaign_ends, campaigns
from livehub.vouchers.models import Campaign, CampaignStatus
from tests.factories.accounts import an_actor
from tests.web.desk.office import Office
from tests.web.desk.test_money import a_draft
from tests.web.phones import hidden, visible

PATH = "/bureau/campaigns"
FORM = {
    "name": "沙田沙虫消费券",
    "issuer_name": "合浦县乡村振兴局",
    "purpose": "助农",
    "budget": "60,000.00",
    "refund_preset": "luohu",
    "min_pay": "1",
}


async def test_a_campaign_is_drafted_changed_submitted_signed_and_run(office: Office) -> None:
    officer = await office.visitor(Role.BUREAU)
    finance = await office.visitor(Role.FINANCE)

    empty = await officer.page(PATH)
    form = visible(await officer.page(f"{PATH}/new"))
    drafted, _, where = await officer.post(PATH, **FORM)
    made = await Campaign.get()
    path = f"{PATH}/{made.public_id}"
    page = visible(await officer.page(where))
    await officer.post(f"{path}/submit")
    edit = await officer.page(f"{path}/edit")
    changed = await officer.post(f"{path}/edit", version=hidden(edit, "version"), **FORM | {"budget": "500"})
    again = visible(await officer.page(changed[2]))
    submitted = visible(await officer.page((await officer.post(f"{path}/submit"))[2]))
    desk = path.replace("/bureau", "/desk")
    signed, _, _ = await finance.post(f"{desk}/countersign", version=(await Campaign.get()).version)
    steps = {}
    for step in ("start", "pause", "resume", "end"):
        status, body, at = await officer.post(f"{path}/{step}")
        assert status == 303, visible(body)
        steps[step] = (str((await Campaign.get()).status), visible(await officer.page(at)))

    assert (f"{PATH}/new" in empty, "还没有活动" in visible(empty)) == (True, True)
    assert "例：订单 100 元用券 20 元。退一半，退给顾客 40.00，收回补贴 10.00" in form
    assert (drafted, where) == (303, f"{path}?done=campaign-drafted")
    assert "草稿已保存" in page
    assert "最坏情况支出 ¥60,000.00 预算全部发出、全部用满" in page
    assert "还没有结束了的、有核销的活动" in page
    assert 'value="60,000.00"' in edit
    assert "已修改，需要重新提交会签" in again
    assert ("¥500.00" in again, "草稿" in again, "待会签" in again) == (True, True, False)
    assert ("待会签" in submitted, "已提交，需要另一人（财务）会签" in submitted) == (True, True)
    assert signed == 303
    assert [state for state, _ in steps.values()] == ["running", "paused", "running", "ended"]
    assert ("活动已开始" in steps["start"][1], "已暂停发放" in steps["pause"][1]) == (True, True)
    assert (made.purpose, made.refund_preset, made.min_pay_fen) == ("助农", "luohu", 100)
    assert made.bureau_id == office.house.bureaus[0].id


@pytest.mark.parametrize(
    ("field", "given", "reason"),
    [
        ("name", "", "请填写"),
        ("issuer_name", "局" * 61, "最多 60 个字"),
        ("purpose", "农" * 121, "最多 120 个字"),
        ("budget", "六万", "请填写大于 0 的金额"),
        ("budget", "0", "请填写大于 0 的金额"),
        ("min_pay", "0", "请填写至少 0.01 元的金额"),
        ("refund_preset", "none", "请填写一种退款规则"),
    ],
)
async def test_what_is_wrong_stands_at_its_field_and_the_rest_is_kept(
    office: Office, field: str, given: str, reason: str
) -> None:
    officer = await office.visitor(Role.BUREAU)

    status, body, _ = await officer.post(PATH, **FORM | {field: given})

    assert status == 422
    assert reason in body.partition(f'id="{field}-wrong">')[2].partition("<")[0]
    kept = {"name": FORM["name"], "issuer_name": FORM["issuer_name"]} | {field: given}
    assert all(f'value="{text}"' in body for name, text in kept.items() if name != "refund_preset")
    assert await Campaign.all().count() == 0


async def test_a_manager_says_for_which_bureau(office: Office) -> None:
    manager = await office.visitor(Role.MANAGER)

    offered = visible(await manager.page("/desk/campaigns/new"))
    status, body, _ = await manager.post("/desk/campaigns", **FORM)
    unknown, _, _ = await manager.post("/desk/campaigns", bureau="nobody", **FORM)
    done, _, _ = await manager.post("/desk/campaigns", bureau=office.house.bureaus[1].public_id, **FORM)

    assert office.house.bureaus[1].name in offered
    assert (status, unknown, done) == (422, 422, 303)
    assert "请选择主管部门" in body.partition('id="bureau-wrong">')[2].partition("<")[0]
    assert (await Campaign.get()).bureau_id == office.house.bureaus[1].id


async def test_a_colleagues_draft_a_signed_one_and_an_old_reading_are_not_changed(office: Office) -> None:
    theirs = await a_draft(office)
    officer = await office.visitor(Role.BUREAU)
    path = f"{PATH}/{theirs.public_id}"
    page = await officer.page(path)
    colleague, body, _ = await officer.post(f"{path}/edit", **FORM)
    await officer.post(PATH, **FORM)
    own = await Campaign.get(name=FORM["name"])
    stale, again, _ = await officer.post(f"{PATH}/{own.public_id}/edit", version=own.version + 1, **FORM)
    finance = an_actor(Role.FINANCE, centre_id=office.house.centre.id)
    await campaigns.submit(own.id, actor=office.house.officers[0], now=clock.now())
    await campaigns.countersign(own.id, actor=finance, now=clock.now())
    signed, _, _ = await officer.post(f"{PATH}/{own.public_id}/edit", **FORM)

    assert f"{path}/edit" not in page
    assert (colleague, "草稿只能由起草人修改" in visible(body)) == (403, True)
    assert (stale, "已被别人修改" in visible(again)) == (412, True)
    assert signed == 409
    assert (await Campaign.get(id=theirs.id)).name == "年货消费券"


async def test_another_bureaus_campaign_is_as_if_it_did_not_exist(office: Office) -> None:
    draft = await a_draft(office, submitted=False)
    other = await office.visitor(Role.BUREAU, bureau=1)
    path = f"{PATH}/{draft.public_id}"

    answers = [(await other.get(each))[0] for each in (path, f"{path}/edit", f"{path}/lotteries/new")]
    answers += [
        (await other.post(f"{path}/{step}", **FORM))[0] for step in ("edit", "submit", "start", "end")
    ]

    assert set(answers) == {404}
    assert "年货消费券" not in await other.page(PATH)
    assert (await Campaign.get()).status is CampaignStatus.DRAFT


async def test_a_step_out_of_turn_is_refused_above_the_page(office: Office) -> None:
    draft = await a_draft(office)
    officer = await office.visitor(Role.BUREAU)

    status, body, _ = await officer.post(f"{PATH}/{draft.public_id}/start")

    assert (status, 'role="alert"' in body, "年货消费券" in body) == (409, True, True)


async def test_who_only_reads_is_offered_and_allowed_no_step(office: Office) -> None:
    draft = await a_draft(office, submitted=False)
    auditor, staff = await office.visitor(Role.AUDITOR), await office.visitor(Role.STAFF)
    path = f"/desk/campaigns/{draft.public_id}"

    page = await auditor.page(path)
    answers = [(await who.post(f"{path}/submit"))[0] for who in (auditor, staff)]

    assert f'action="{path}' not in page
    assert "起草活动" not in await auditor.page("/desk/campaigns")
    assert answers == [403, 403]


async def test_the_range_of_what_is_over_is_told(office: Office) -> None:
    await a_draft(office)
    officer = await office.visitor(Role.BUREAU)
    over = await a_draft(office)
    finance = an_actor(Role.FINANCE, centre_id=office.house.centre.id)
    await campaigns.countersign(over.id, actor=finance, now=clock.now())
    await campaigns.start(over.id, actor=office.house.officers[0], now=clock.now())
    await campaign_ends.end(over.id, actor=office.house.officers[0], now=clock.now())

    unused = visible(await officer.page(f"{PATH}/new"))

    assert f"{office.house.bureaus[0].name}还没有结束了的、有核销的活动" in unused
