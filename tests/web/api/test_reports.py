"""Reports over the API: prepared, read, signed by somebody else, packed, submitted, returned."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from datetime import timedelta
from io import BytesIO

from livehub.accounts import chain
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.reports import packing
from tests.factories.accounts import a_bureau
from tests.web.api.callers import Caller, a_caller, a_person
from tests.web.api.town import Town, a_running_campaign, push


async def tell_reports(town: Town, campaign: str) -> None:
    """The life of a report, and a campaign's audit pack."""
    today = clock.local_day(clock.now())
    wanted = {
        "kind": "monthly",
        "bureau": town.bureau.public_id,
        "from": today.replace(day=1).isoformat(),
        "to": (today + timedelta(days=1)).isoformat(),
    }
    assert (await town.auditor.post("/reports", wanted)).status == 403
    assert (await town.officer.post("/reports", {**wanted, "kind": "weekly"}))["details"][0][
        "field"
    ] == "kind"
    assert (await town.officer.post("/reports", {**wanted, "to": wanted["from"]})).status == 422
    made = await town.officer.post("/reports", wanted)
    assert (made.status, made["state"]) == (201, "draft")
    path = f"/reports/{made['id']}"
    assert [each["id"] for each in (await town.auditor.get("/reports", state="draft"))["items"]] == [
        made["id"]
    ]
    read = await town.auditor.get(path)
    assert (read["pack"], read["changes"], read["tables"][0]["name"]) == (None, [], "broadcasts")
    assert all(each["evidence_url"] for row in read["tables"][1]["rows"] for each in row["figures"])

    seen = {"as_of": read["as_of"], "sha256": read["sha256"]}
    signer = await a_person(town.site, Role.BUREAU, centre=town.house.centre, bureau_id=town.bureau.id)
    assert (await town.manager.post(f"{path}/sign", seen)).status == 403
    assert (await town.officer.post(f"{path}/sign", seen))["code"] == "SECOND_PERSON_NEEDED"
    assert (await signer.post(f"{path}/sign", {**seen, "sha256": "0" * 64}))["code"] == "REPORT_MOVED"
    assert (await town.auditor.get(f"{path}/pack")).status == 404
    assert (await signer.post(f"{path}/sign", seen))["state"] == "signed"
    assert (await signer.post(f"{path}/sign", seen))["code"] == "WRONG_STATE"
    assert (await town.auditor.get(f"{path}/pack"))["code"] == "PACK_NOT_READY"
    await chain.chain_tail(clock.now())
    assert await packing.build_next(now=clock.now()) == 1
    kept = await _whole(town.auditor, f"{path}/pack")
    state = (await town.auditor.get(path))["pack"]
    assert (state["state"], state["sha256"]) == ("done", hashlib.sha256(kept).hexdigest())
    assert (await signer.post(f"{path}/return", {"reason": "还没有上报"}))["code"] == "WRONG_STATE"
    assert (await signer.post(f"{path}/submit", {"reference": "7 号"}))["reference"] == "7 号"
    assert (await signer.post(f"{path}/return", {"reason": "缺盖章"}))["state"] == "returned"

    other = await a_bureau(town.house.centre, name="别的局")
    stranger = await a_caller(town.site, Role.BUREAU, centre_id=town.house.centre.id, bureau_id=other.id)
    assert (await stranger.get(path)).status == 404
    assert (await stranger.get("/reports"))["total"] == 0
    audit = f"/campaigns/{campaign}/audit-pack"
    assert (await stranger.get(audit)).status == 404
    first = await town.auditor.get(audit)
    assert first["is_last"]
    again = await town.auditor.get(audit, as_of=first["as_of"])
    assert again["content_base64"] == first["content_base64"]
    assert (await town.auditor.get(audit, piece=9)).status == 404
    names = zipfile.ZipFile(BytesIO(base64.b64decode(first["content_base64"]))).namelist()
    assert {"evidence/ledger.csv", "evidence/vouchers.csv", "evidence/rules.csv"} <= set(names)


async def _whole(caller: Caller, path: str) -> bytes:
    found, number = b"", 1
    while (piece := await caller.get(path, piece=number)).status == 200:
        found += base64.b64decode(piece["content_base64"])
        number += 1
    return found


async def test_the_life_of_a_report(town: Town) -> None:
    campaign, _, _ = await a_running_campaign(town)
    await push(town, "ERP-1")

    await tell_reports(town, campaign)
