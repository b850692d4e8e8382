"""Cases on the pages: opened, looked at by one person, released by another; the merchant sees only that it waits."""

from __future__ import annotations

from livehub.accounts.actors import system
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.merchants.models import Merchant
from livehub.settlement import case_queries, evaluating, opening, signals
from livehub.settlement.case_models import IntegrityCase, MerchantPhone, Subject
from livehub.settlement.models import SettlementHold
from livehub.vouchers.models import Redemption
from tests.web.desk.office import Office
from tests.web.desk.test_redemptions import a_use
from tests.web.desk.test_settlement import a_merchants_phone
from tests.web.phones import visible

LIST = "/desk/integrity"


async def test_a_case_is_opened_by_hand_and_released_by_a_second_person(office: Office) -> None:
    used = await a_use(office)
    finance, manager = await office.visitor(Role.FINANCE), await office.visitor(Role.MANAGER)
    auditor, officer = await office.visitor(Role.AUDITOR), await office.visitor(Role.BUREAU)
    staff = await office.visitor(Role.STAFF)
    phone = await a_merchants_phone(office, used.merchant_id)
    about = {"subject": "redemption", "subject_ref": used.public_id, "reason": "顾客说没有用过"}
    empty = visible(await finance.page(LIST))

    opened = await finance.post(LIST, **about)
    again = await finance.post(LIST, **about)
    nobody = await finance.post(LIST, **{**about, "subject_ref": "nobody"})
    case = await IntegrityCase.get()
    path = f"{LIST}/{case.public_id}"
    wall = await manager.page("/wall")
    today = [visible(await each.page("/desk")) for each in (finance, staff)]
    waits = visible(await phone.page("/m/settlements/"))
    short = await finance.post(f"{path}/look", text="")
    noted = await manager.post(f"{path}/note", text="已联系商户")
    early = await manager.post(f"{path}/release", text="核对无误")
    looked = await finance.post(f"{path}/look", text="小票与订单一致")
    alone = await finance.post(f"{path}/release", text="核对无误")
    page = visible(await manager.page(path))
    seen = [(await each.get(path))[0] for each in (auditor, officer, staff)]
    forbidden = await auditor.get(LIST)
    trail = [
        f"/desk/trail?kind=case&amp;object={case.public_id}" in await each.page(path)
        for each in (auditor, manager)
    ]
    released = await manager.post(f"{path}/release", text="核对无误")

    assert "没有案件" in empty
    assert (opened[0], again[0], nobody[0]) == (303, 409, 404)
    assert "核查案件" in wall
    assert 'class="blink"' in wall
    assert ["1 件核查案件没有人看过" in each for each in today] == [True, False]
    assert "正在核查，暂缓结算" in waits
    assert "顾客说没有用过" not in waits
    assert (short[0], noted[0], early[0], looked[0], alone[0]) == (422, 303, 409, 303, 403)
    assert "恢复结算" in page
    assert "小票与订单一致" in page
    assert "¥20.00" in page
    assert seen == [200, 200, 403]
    assert forbidden[0] == 200
    assert trail == [True, True]
    assert released[0] == 303
    assert "正在核查" not in visible(await phone.page("/m/settlements/"))
    assert "已恢复结算" in visible(await finance.page(f"{LIST}?state=released"))
    assert 'class="blink"' not in await manager.page("/wall")
    assert "核查案件没有人看过" not in visible(await finance.page("/desk"))


async def test_whoever_lifts_a_hold_is_told_what_comes_of_it(office: Office) -> None:
    """Two cases and a hold by hand on one use: it goes into a batch after the last of them; then there is none."""
    used = await a_use(office)
    merchant = await Merchant.get(id=used.merchant_id)
    finance, manager = await office.visitor(Role.FINANCE), await office.visitor(Role.MANAGER)
    abouts = [
        {"subject": "redemption", "subject_ref": used.public_id},
        {"subject": "merchant", "subject_ref": merchant.public_id},
    ]
    for about in abouts:
        await finance.post(LIST, **about, reason="顾客说没有用过")
    await finance.post("/desk/settlement/holds", redemption=used.public_id, reason="核对小票")
    hold = await SettlementHold.get(case_id=0)
    cases = await IntegrityCase.all().order_by("id")
    for case in cases:
        await finance.post(f"{LIST}/{case.public_id}/look", text="小票与订单一致")

    first = await manager.post(f"{LIST}/{cases[0].public_id}/release", text="核对无误")
    second = await manager.post(f"/desk/settlement/holds/{hold.public_id}/lift")
    page = await manager.page(f"{LIST}/{cases[1].public_id}")
    await Redemption.filter(id=used.id).update(settled_at=clock.now())
    asked = await manager.page(f"{LIST}/{cases[1].public_id}")
    await Redemption.filter(id=used.id).update(settled_at=None)
    third = await manager.post(f"{LIST}/{cases[1].public_id}/release", text="核对无误")
    await Redemption.filter(id=used.id).update(settled_at=clock.now())
    await finance.post("/desk/settlement/holds", redemption=used.public_id, reason="再看一次")
    hold = await SettlementHold.get(lifted_at=None)
    last = await manager.post(f"/desk/settlement/holds/{hold.public_id}/lift")

    assert [each[2].rpartition("=")[2] for each in (first, second, third, last)] == [
        "case-released-held",
        "settlement-lifted-held",
        "case-released-all",
        "settlement-lifted-nothing",
    ]
    assert "20.00 元进入下一批次，还有别的暂缓的除外" in page
    assert "恢复后不会进入批次" in asked
    assert "没有等待结算的核销，不会进入批次" in visible(await manager.page(last[2]))


async def test_a_rules_case_shows_its_number_its_limit_and_its_rows_and_may_be_confirmed(
    office: Office,
) -> None:
    used = await a_use(office)
    finance, manager = await office.visitor(Role.FINANCE), await office.visitor(Role.MANAGER)
    row = await Redemption.get(public_id=used.public_id)
    await a_rules_case(office, row)
    case = await IntegrityCase.get()
    path = f"{LIST}/{case.public_id}"

    page = visible(await manager.page(path))
    await manager.post(f"{path}/look", text="看了监控")
    hers = await manager.page(path)
    alone = await manager.post(f"{path}/confirm", text="店员承认")
    confirmed = await finance.post(f"{path}/confirm", text="店员承认")
    after = visible(await finance.page(path))
    again = await finance.post(f"{path}/look", text="店员说的是另一单")
    released = await manager.post(f"{path}/release", text="核对无误")
    phone = await finance.post(f"{LIST}/phones", merchant="nobody", phone="13900990101")

    assert "集中在凌晨核销" in page
    assert "1 ÷ 1 · 阈值 50 %" in page
    assert used.public_id in page
    assert "最少核销笔数" in page
    assert (confirmed[0], phone[0]) == (303, 404)
    assert "恢复结算或认定须由" in visible(hers)
    assert 'class="btn danger"' not in hers
    assert "认定有问题" in after
    assert "登记复核" in after
    assert (alone[0], again[0], released[0]) == (403, 303, 303)
    assert "已恢复结算" in visible(await finance.page(path))
    assert await MerchantPhone.all().count() == 0


async def a_rules_case(office: Office, row: Redemption) -> None:
    """As the rule of the small hours would have it, had it asked for one use only."""
    rule = signals.registry()["night_share"]
    params = rule.params()
    signal = signals.Signal(
        name=rule.name, label="0–5 点的核销", measure=signals.Measure.SHARE, value=1, of=1, limit=50,
        bars=(signals.Portion("3 点", 1),), rows=(row.id,),
    )  # fmt: skip
    about = opening.About(
        subject=Subject.MERCHANT, subject_id=row.merchant_id, centre_id=office.house.centre.id,
        bureau_id=office.house.bureaus[0].id, day=clock.local_day(clock.now()),
    )  # fmt: skip
    actor = system("jobs.integrity", centre_id=office.house.centre.id)
    assert await opening.by_rule(rule, about, [signal], params=params, actor=actor, now=clock.now())
    assert await evaluating.run_all(now=clock.now()) == 0
    assert await case_queries.open_count(office.house.centre.id) == 1
