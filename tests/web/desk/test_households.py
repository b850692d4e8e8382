"""定向发放 on the desk: a roster is looked at, given its vouchers, and told what was not given."""

from __future__ import annotations

from datetime import timedelta

import pytest

from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.kit.sheets import decoding
from livehub.vouchers import campaigns, rounds
from livehub.vouchers.models import Campaign, Voucher
from livehub.vouchers.pack_models import DirectImport
from tests.factories.accounts import an_actor
from tests.factories.vouchers import a_pack
from tests.vouchers.test_direct import a_roster, numbered
from tests.vouchers.test_packs import ZHONGWEI
from tests.web.desk.office import Office
from tests.web.desk.test_money import a_draft
from tests.web.desk.test_training import send
from tests.web.phones import visible


async def a_direct_round(office: Office, *, households: int = 3) -> str:
    """The page of a direct round of the first bureau's running campaign."""
    officer, now = office.house.officers[0], clock.now()
    campaign = await a_draft(office)
    finance = an_actor(Role.FINANCE, centre_id=office.house.centre.id)
    await campaigns.countersign(campaign.id, actor=finance, now=now)
    await campaigns.start(campaign.id, actor=officer, now=now)
    planned = await rounds.schedule(
        campaign.id,
        packs=[a_pack(*ZHONGWEI, quantity=households, name="沙坡头惠农券包")],
        claim_from=now,
        claim_until=now + timedelta(days=3),
        actor=officer,
        now=now,
        mode="direct",
    )
    await rounds.open_round(planned.id, actor=officer, now=now)
    return f"/desk/campaigns/{campaign.public_id}/direct/{planned.public_id}"


async def test_a_roster_is_looked_at_given_and_told(office: Office) -> None:
    path = await a_direct_round(office)
    officer = await office.visitor(Role.BUREAU)
    raw = a_roster(*numbered(4), ("H9", "123"))

    begun = visible(await officer.page(path))
    looked = await send(officer, f"{path}/import", raw, "dry_run")
    strict = await send(officer, f"{path}/import", raw, "strict")
    assert await Voucher.all().count() == 0
    given = await send(officer, f"{path}/import", raw, "partial")
    again = await send(officer, f"{path}/import", a_roster(*numbered(3)), "strict")
    campaign = await Campaign.get()
    whole = await officer.page(f"/desk/campaigns/{campaign.public_id}")

    assert ("已发放 0 / 3 户" in begun, "每户 9 张" in begun, "共 ¥90.00" in begun) == (True,) * 3
    assert ("还没有导入名册" in begun, "/c/at/" in begun) == (True, True)
    assert (looked[0], "没有写入任何数据" in looked[1]) == (200, True)
    assert "可以发给 3 户，共 27 张；以前已发、不变 0 户； 2 行没有发放" in visible(looked[1])
    assert (strict[0], "rows[5].手机号：名额已经发完，这一户没有发放" in visible(strict[1])) == (422, True)
    assert (given[0], "发给 3 户" in visible(given[1])) == (200, True)
    assert "手机号不正确，应为 11 位" in visible(given[1])
    assert "不变 3 户" in visible(again[1])
    assert await Voucher.all().count() == 27
    assert ("定向" in visible(whole), f"{path}" in whole, "沙坡头惠农券包" in whole) == (True,) * 3
    book = f"/desk/campaigns/direct/imports/{(await DirectImport.get()).public_id}/errors.xlsx"
    async with officer.session.get(book) as answer:
        rows = [cells for _, cells in decoding.read(await answer.read()).rows]
    assert [row[-1] for row in rows[1:]] == ["名额已经发完，这一户没有发放", "手机号不正确，应为 11 位"]
    async with officer.session.get("/desk/campaigns/direct/template.xlsx") as answer:
        assert [cells for _, cells in decoding.read(await answer.read()).rows] == [["户号", "手机号"]]


async def test_who_may_not_draft_reads_only(office: Office) -> None:
    path = await a_direct_round(office)
    auditor, other = await office.visitor(Role.AUDITOR), await office.visitor(Role.BUREAU, bureau=1)

    page = await auditor.page(path)

    assert 'type="file"' not in page
    assert (await send(auditor, f"{path}/import", a_roster(*numbered(1)), "partial"))[0] == 403
    assert (await other.get(path))[0] == 404
    assert (await send(other, f"{path}/import", a_roster(*numbered(1)), "partial"))[0] == 404
    assert await Voucher.all().count() == 0


@pytest.mark.parametrize(("mode", "raw"), [("", b"x"), ("partial", b""), ("partial", "户号\n1".encode())])
async def test_a_wrong_upload_says_so_on_the_page(office: Office, mode: str, raw: bytes) -> None:
    path = await a_direct_round(office)
    officer = await office.visitor(Role.BUREAU)

    status, html = await send(officer, f"{path}/import", raw, mode)

    assert status in (422, 400)
    assert 'class="alert bad"' in html or "wrong" in html
