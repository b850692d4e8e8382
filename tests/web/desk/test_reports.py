"""报表 in a browser's place: prepared by one officer, signed by another, opened down to a message, downloaded."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from pathlib import Path

import time_machine

from livehub.accounts import chain
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.reports import packing
from livehub.reports.packs import checking
from livehub.vouchers.models import Campaign
from tests.web.desk.office import EVENING, Office, Visitor, links
from tests.web.desk.test_broadcasts import a_template
from tests.web.phones import hidden, visible

PATH = "/bureau/reports"
OTHER = Role.ADMIN  # under whom a second officer's browser is closed
APRIL = EVENING + timedelta(days=31)
MARCH = {"kind": "monthly", "from": "2026-03-01", "to": "2026-03-31", "basis": "G3"}


async def another(office: Office, *, bureau: int = 0) -> Visitor:
    """A second officer beside the first."""
    first = office.visitors[Role.BUREAU]
    made = await office.visitor(Role.BUREAU, bureau=bureau)
    office.visitors[Role.BUREAU], office.visitors[OTHER] = first, made
    return made


async def drafted(office: Office, who: Visitor) -> str:
    """The page of a new draft."""
    status, body, where = await who.post(PATH, bureau=office.house.bureaus[0].public_id, **MARCH)
    assert status == 303, visible(body)
    return where


async def test_a_month_is_prepared_opened_signed_packed_and_submitted(office: Office, tmp_path: Path) -> None:
    await office.sell("A1", paid_fen=12_800)
    with time_machine.travel(APRIL, tick=True):
        officer = await office.visitor(Role.BUREAU)
        signer = await another(office)
        auditor = await office.visitor(Role.AUDITOR)
        empty = visible(await officer.page(PATH))
        form = await officer.page(f"{PATH}/new")
        where = await drafted(office, officer)
        page = await officer.page(where)
        lines = await officer.page(links(page, "/desk/sales/lines")[0])
        order = visible(await officer.page(links(lines, "/desk/orders/")[0]))
        at = where.partition("?")[0]
        theirs = await signer.page(at)
        seen = {name: hidden(theirs, name) for name in ("as_of", "sha256")}
        moved = await signer.post(f"{at}/sign", **{**seen, "sha256": "0" * 64})
        own = await officer.post(f"{at}/sign", **seen)
        done = await signer.post(f"{at}/sign", **seen)
        waits = await signer.page(done[2])
        early = await auditor.get(f"{at.replace('/bureau', '/desk')}/pack.zip")
        await chain.chain_tail(clock.now())
        assert await packing.build_next(now=clock.now()) == 1
        ready = await auditor.page(at.replace("/bureau", "/desk"))
        async with auditor.session.get(f"{at.replace('/bureau', '/desk')}/pack.zip") as answer:
            body, length = await answer.read(), answer.headers["Content-Length"]
        handed_in = await signer.post(f"{at}/submit", reference="农发 7 号")
        back = await signer.post(f"{at}/return", reason="缺盖章")
        listed = visible(await auditor.page("/desk/reports?state=returned"))

    assert "还没有报表" in empty
    assert 'value="2026-03-01"' in form
    assert "128.00" in visible(page)
    assert "您编制的报表由另一位同事签字" in visible(page)
    assert "A1" in visible(lines)
    assert "签名有效" in order
    assert (moved[0], own[0], done[0]) == (409, 403, 303)
    assert "正在生成资料包" in visible(waits)
    assert 'http-equiv="refresh"' in waits
    assert early[0] == 409
    assert hashlib.sha256(body).hexdigest() in ready
    assert int(length) == len(body)
    path = tmp_path / "pack.zip"
    path.write_bytes(body)
    assert checking.check(path).is_whole
    assert (handed_in[0], back[0]) == (303, 303)
    assert "被退回" in listed


async def test_others_are_kept_out_and_mistakes_stand_beside_their_fields(office: Office) -> None:
    with time_machine.travel(APRIL, tick=True):
        officer = await office.visitor(Role.BUREAU)
        at = (await drafted(office, officer)).partition("?")[0]
        stranger = await another(office, bureau=1)
        staff = await office.visitor(Role.STAFF)
        manager = await office.visitor(Role.MANAGER)
        elsewhere = [await stranger.get(at), await stranger.get(f"{at}/pack.zip")]
        closed = await staff.get("/desk/reports")
        not_hers = await manager.post(f"{at.replace('/bureau', '/desk')}/sign", as_of=1, sha256="0" * 64)
        wrong = await officer.post(PATH, bureau="nobody", **{**MARCH, "to": "2026-02-01"})
        blank = await officer.post(PATH)
        campaign = await stranger.get("/desk/campaigns/nosuchcampaign/audit-pack.zip")
        mine = visible(await stranger.page(PATH))

    assert [each[0] for each in elsewhere] == [404, 404]
    assert (closed[0], not_hers[0], campaign[0]) == (403, 403, 404)
    assert (wrong[0], blank[0]) == (422, 422)
    assert re.search(r'id="bureau-wrong">没有这个主管部门', wrong[1])
    assert re.search(r'id="kind-wrong"', blank[1])
    assert "还没有报表" in mine


async def test_a_campaigns_audit_pack_is_downloaded_and_whole(office: Office, tmp_path: Path) -> None:

    await a_template(office)
    with time_machine.travel(EVENING + timedelta(minutes=20), tick=True):
        auditor = await office.visitor(Role.AUDITOR)
        name = (await Campaign.get()).public_id
        page = await auditor.page(f"/desk/campaigns/{name}")
        async with auditor.session.get(f"/desk/campaigns/{name}/audit-pack.zip") as answer:
            assert answer.status == 200
            body = await answer.read()

    assert f"/desk/campaigns/{name}/audit-pack.zip" in page
    path = tmp_path / "campaign.zip"
    path.write_bytes(body)
    found = checking.check(path)
    assert [line for each in found.checks for line in each.wrong] == []
