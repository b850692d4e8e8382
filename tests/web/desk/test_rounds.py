"""安排轮次 in the browser's place: counted before anything is written, planned as the domain has it, opened, closed."""

from __future__ import annotations

from typing import Any

import pytest

from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.vouchers import campaigns, ledger
from livehub.vouchers.models import Account, Campaign, Round, Template, Validity
from livehub.vouchers.pack_models import Pack, PackItem
from tests.factories.accounts import an_actor
from tests.web.desk.office import Office, Visitor
from tests.web.desk.test_money import a_draft
from tests.web.phones import visible

FORM: dict[str, Any] = {
    "kinds": 1,
    "packs": 0,
    "mode": "rush",
    "claim_from": "2026-03-03T10:00",
    "claim_until": "2026-03-10T10:00",
    "k1-face": "20",
    "k1-threshold": "100",
    "k1-quantity": "1000",
    "k1-validity": "days_from_claim",
    "k1-n": "7",
    "k1-per_person": "2",
}
PACKED = FORM | {
    "kinds": 2,
    "packs": 1,
    "p1-name": "惠民券包",
    "p1-quantity": "300",
    "p1-per_person": "1",
    "k1-pack": "1",
    "k1-quantity": "3",
    "k2-pack": "1",
    "k2-face": "35",
    "k2-threshold": "200",
    "k2-quantity": "1",
    "k2-validity": "fixed",
    "k2-since": "2026-03-03T10:00",
    "k2-until": "2026-03-20T00:00",
    "k2-merchants_only": "true",
    "k2-shop_day": "2",
}


async def a_signed(office: Office) -> str:
    """The officers' page of a campaign with 60,000 yuan."""
    draft = await a_draft(office)
    finance = an_actor(Role.FINANCE, centre_id=office.house.centre.id)
    await campaigns.countersign(draft.id, actor=finance, now=clock.now())
    return f"/bureau/campaigns/{draft.public_id}"


async def sent(
    who: Visitor, path: str, form: dict[str, Any], step: str = "plan", **changes: Any
) -> tuple[int, str, str]:
    """The form with one of its buttons, as the page of the desk gives its token."""
    return await who.post(f"{path}/rounds", step=step, **form | changes)


def wrong(body: str, field: str) -> str:
    return body.partition(f'id="{field}-wrong">')[2].partition("<")[0]


async def test_a_rush_is_counted_planned_opened_and_closed(office: Office) -> None:
    path = await a_signed(office)
    officer = await office.visitor(Role.BUREAU)

    offered = await officer.page(path)
    empty = visible(await officer.page(f"{path}/rounds/new"))
    counted, body, _ = await sent(officer, path, FORM, "count")
    nothing = await Round.all().count()
    planned, _, where = await sent(officer, path, FORM, "plan", **{"k1-platform": "doudian"})
    page = visible(await officer.page(where))
    made, template = await Round.get(), await Template.get()
    at = f"{path}/rounds/{made.public_id}"
    opened = visible(await officer.page((await officer.post(f"{at}/open"))[2]))
    twice, _, _ = await officer.post(f"{at}/open")
    closed = visible(await officer.page((await officer.post(f"{at}/close"))[2]))

    assert f"{path}/rounds/new" in offered
    assert "可分配 ¥60,000.00" in empty
    assert (counted, nothing) == (200, 0)
    assert "合计 最坏情况：全部领完、用满 20,000.00 可分配 60,000.00 还剩 40,000.00" in visible(body)
    assert "Σ 门槛 100,000.00 ÷ Σ 面额 20,000.00 5.00 倍" in visible(body)
    assert (planned, where) == (303, f"{path}?done=round-planned")
    assert ("轮次已安排" in page, "满100减20" in page, "每人 2 张" in page) == (True, True, True)
    assert (template.face_fen, template.threshold_fen, template.quantity) == (2000, 10_000, 1000)
    assert (template.validity, template.validity_n) == (Validity.DAYS_FROM_CLAIM, 7)
    assert template.rules == '{"per_person":{"limit":2},"platform_scope":{"only":["doudian"]}}'
    assert ("已开放领取" in opened, "领取中" in opened, twice) == (True, True, 409)
    assert ("已截止领取" in closed, "已释放 过期、差额、退回 20,000.00" in closed) == (True, True)


async def test_packs_hold_kinds_with_their_own_validity(office: Office) -> None:
    path = await a_signed(office)
    officer = await office.visitor(Role.BUREAU)

    _, body, _ = await sent(officer, path, PACKED, "count")
    planned, refused, _ = await sent(officer, path, PACKED, mode="direct")
    pack, second = await Pack.get(), await Template.get(name="满200减35")
    each = {item.template_id: item.n for item in await PackItem.all()}

    assert "惠民券包 95.00 × 300 包 28,500.00" in visible(body)
    assert "门槛最低的券 5.00" in visible(body)
    assert planned == 303, visible(refused)
    assert (pack.rules, sorted(each.values())) == ('{"per_person":{"limit":1}}', [1, 3])
    assert (second.validity, second.merchants_only, second.quantity) == (Validity.FIXED, True, 300)
    assert (second.rules, each[second.id]) == ('{"per_shop_day":{"limit":2}}', 1)
    assert str(clock.local(second.valid_until))[:16] == "2026-03-20 00:00"
    assert (await Round.get()).mode == "direct"
    campaign = await Campaign.get()
    assert await ledger.balance(ledger.Key(campaign.id, Account.AVAILABLE)) == 6_000_000 - 2_850_000


@pytest.mark.parametrize(
    ("form", "changes", "field", "reason"),
    [
        (FORM, {"claim_from": ""}, "claim_from", "请填写"),
        (FORM, {"claim_until": "2026-03-03T09:59"}, "claim_until", "要晚于领取开始"),
        (
            FORM,
            {"claim_from": "2026-03-01T09:00", "claim_until": "2026-03-02T09:59"},
            "claim_until",
            "已经过去了",
        ),
        (FORM, {"mode": "other"}, "mode", "请填写一种发放方式"),
        (FORM, {"k1-face": "二十"}, "k1-face", "请填写金额"),
        (FORM, {"k1-threshold": "19.99"}, "k1-threshold", "门槛不能低于面额"),
        (FORM, {"k1-quantity": "0"}, "k1-quantity", "请填写大于 0 的整数"),
        (
            FORM,
            {"k1-quantity": "3001"},
            "k1-quantity",
            "合计 60,020.00 元，可分配只有 60,000.00 元，多 20.00 元",
        ),
        (FORM, {"k1-validity": "ever"}, "k1-validity", "请填写一种有效期"),
        (FORM, {"k1-n": ""}, "k1-n", "请填写几天或几小时"),
        (FORM, {"k1-per_person": "0"}, "k1-per_person", "请填写 1 至 50 的整数"),
        (FORM, {"k1-platform": "nowhere"}, "k1-platform", "没有这个平台"),
        (
            FORM,
            {"mode": "direct", "k1-platform": "doudian"},
            "k1-platform",
            "定向发放没有平台，不能限定平台",
        ),
        (FORM, {"k1-shop_day": "no"}, "k1-shop_day", "请填写 1 至 50 的整数"),
        (FORM, {"k1-name": "券" * 61}, "k1-name", "最多 60 个字"),
        (FORM, {"k1-pack": "2"}, "k1-pack", "没有这个券包"),
        (PACKED, {"p1-name": ""}, "p1-name", "请填写"),
        (PACKED, {"k1-pack": "", "k2-pack": ""}, "p1-name", "还没有券种放进这个券包"),
        (PACKED, {"k1-quantity": "50"}, "p1-name", "一个券包里最多 50 张券"),
        (PACKED, {"k2-since": ""}, "k2-since", "固定日期的有效期要填起止时间"),
        (PACKED, {"k2-until": "2026-03-03T10:00"}, "k2-until", "要晚于开始时间"),
        (
            PACKED,
            {"k2-since": "2026-03-02T10:00", "k2-until": "2026-03-03T09:00"},
            "k2-until",
            "开放领取之前就过期了",
        ),
        (PACKED, {"mode": "direct", "k1-pack": ""}, "mode", "定向发放的轮次只能有一个券种或一个券包"),
    ],
)
async def test_what_is_wrong_stands_at_its_field_and_nothing_is_written(
    office: Office, form: dict[str, Any], changes: dict[str, str], field: str, reason: str
) -> None:
    path = await a_signed(office)
    officer = await office.visitor(Role.BUREAU)

    status, body, _ = await sent(officer, path, form, **changes)

    assert (status, "还没有写入任何内容" in visible(body)) == (422, True)
    assert reason in wrong(body, field)
    kept = {name: (form | changes)[name] for name in ("k1-face", "k1-threshold", "k1-quantity")}
    assert all(f'name="{name}" type="text" value="{text}"' in body for name, text in kept.items())
    assert await Round.all().count() == 0


async def test_the_form_grows_and_shrinks_and_keeps_what_was_typed(office: Office) -> None:
    path = await a_signed(office)
    officer = await office.visitor(Role.BUREAU)

    _, two, _ = await sent(officer, path, FORM, "kind")
    _, pack, _ = await sent(officer, path, FORM, "pack")
    _, without, _ = await sent(officer, path, PACKED, "drop-kind-1")
    _, loose, _ = await sent(officer, path, PACKED, "drop-pack-1")
    _, kept, _ = await sent(officer, path, FORM, "drop-kind-1")
    _, odd, _ = await sent(officer, path, FORM, "drop-kind-x", kinds="²", packs="99")

    assert ('name="kinds" value="2"' in two, 'id="k2-face"' in two) == (True, True)
    assert ('id="p1-name"' in pack, "wrong" in pack.partition("<main")[2]) == (True, False)
    assert (
        'name="kinds" value="1"' in without,
        'id="k1-face" name="k1-face" type="text" value="35"' in without,
    ) == (
        True,
        True,
    )
    assert ('id="p1-name"' in loose, "放进券包 1" in loose) == (False, False)
    assert 'id="k1-face"' in kept
    assert 'name="packs" value="3"' in odd
    assert await Round.all().count() == 0


async def test_a_draft_is_counted_by_its_budget_and_not_planned(office: Office) -> None:
    draft = await a_draft(office, submitted=False)
    officer = await office.visitor(Role.BUREAU)
    path = f"/bureau/campaigns/{draft.public_id}"

    empty = await officer.page(f"{path}/rounds/new")
    _, body, _ = await sent(officer, path, FORM, "count")
    status, _, _ = await sent(officer, path, FORM)

    assert ("试算轮次" in visible(empty), "安排这一轮" in empty) == (True, False)
    assert "预算 60,000.00 还剩 40,000.00" in visible(body)
    assert (status, await Round.all().count()) == (409, 0)


async def test_another_bureaus_rounds_are_as_if_they_did_not_exist(office: Office) -> None:
    path = await a_signed(office)
    officer = await office.visitor(Role.BUREAU)
    await sent(officer, path, FORM)
    made = await Round.get()
    await officer.session.close()
    other, auditor = await office.visitor(Role.BUREAU, bureau=1), await office.visitor(Role.AUDITOR)
    at = f"{path}/rounds/{made.public_id}"

    answers = [(await other.get(f"{path}/rounds/new"))[0], (await sent(other, path, FORM))[0]]
    answers += [(await other.post(f"{at}/{step}"))[0] for step in ("open", "close")]
    reads = [(await sent(auditor, path, FORM))[0], (await auditor.post(f"{at}/open"))[0]]

    assert (answers, reads) == ([404] * 4, [403] * 2)
    assert await Round.all().count() == 1
