"""Whatever the document allows and much that it does not: no call ever answers what it did not announce."""

from __future__ import annotations

import asyncio
import copy
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tortoise.models import Model

from livehub.accounts.models import AuditEntry, Role, User
from livehub.inbox.models import InboxMessage
from livehub.kit import clock
from livehub.merchants.models import Qualification
from livehub.orders.pull_models import SyncDifference
from livehub.orders.statements.models import SettlementDifference
from livehub.platforms.models import Shop
from livehub.reports import documents
from livehub.reports.documents import NewReport
from livehub.reports.models import BureauReport
from livehub.settings import Settings
from livehub.vouchers.models import Voucher
from livehub.web.api.declared import ROOT
from streamers.models import Person
from streamers.training import certificates, graduation, incubations
from streamers.training.course_models import Assessment
from tests.factories.differences import a_difference
from tests.factories.merchants import a_product
from tests.factories.statements import a_file, a_row, imported, looked_at
from tests.factories.training import LATER, a_lesson, a_school, a_trainee, an_ended_school
from tests.site import running
from tests.web.api.callers import Reply, a_token, document
from tests.web.api.test_lotteries import a_lottery
from tests.web.api.town import (
    Town,
    a_live_broadcast,
    a_redemption,
    a_running_campaign,
    a_settlement,
    a_spare_wish,
    a_town,
    push,
)

Row = TypeVar("Row", bound=Model)
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,unsupported_method,ignored_auth"
)


async def a_report(town: Town) -> BureauReport:
    """A draft of the town's bureau."""
    today = clock.local_day(clock.now())
    wanted = NewReport(
        kind="monthly",
        bureau=town.bureau.public_id,
        since=today.replace(day=1),
        until=today + timedelta(days=1),
    )
    return await documents.prepare(wanted, actor=town.house.officers[0], now=clock.now())


async def newest(model: type[Row]) -> Row:
    """The last row of a table."""
    row = await model.all().order_by("-id").first()
    assert row is not None
    return row


async def existing(town: Town) -> dict[str, list[str]]:
    """Names that stand for something, and one that does not, for each name in a path or a body."""
    campaign, round_id, template = await a_running_campaign(town)
    broadcast = await a_live_broadcast(town)
    drop = await town.manager.post(
        f"/broadcasts/{broadcast}/drops", {"template": template, "quantity": 20, "window_s": 600}
    )
    spare = await town.officer.post("/bookings", await a_spare_wish(town))
    delivery = await push(town, "ERP-1", room_ref="R-2")
    message = (await InboxMessage.get(delivery_id=delivery)).id
    centre, shop = town.house.centre.id, town.shop.public_id
    taken = await imported(a_file([a_row("ERP-9", "1")]), centre_id=centre, shop=shop)
    statement = (await looked_at(a_file([a_row("ERP-1", "1")]), centre_id=centre, shop=shop)).public_id
    difference = (await SettlementDifference.get(statement_id=taken.seen.id)).id
    await a_difference(await Shop.get(id=town.shop.id))
    product = await a_product(town.house.centre)
    kept = f"/broadcasts/{broadcast}"
    incident = await town.manager.post(f"{kept}/incidents", {"category": "price", "text": "说错"})
    recording = await town.manager.post(f"{kept}/recordings", {"ref": "r-1", "seconds": 60})
    again = await town.officer.post("/series", {**await a_spare_wish(town), "rrule": "FREQ=WEEKLY;COUNT=2"})
    redemption = await a_redemption(town, campaign, round_id)
    case = await town.finance.post(
        "/cases", {"subject": "broadcast", "subject_ref": broadcast, "reason": "买家集中"}
    )
    found = {
        **await a_settlement(town),
        "case_id": case["id"], "subject_ref": redemption, "phone": "13900990101",
        "product_id": product.public_id, "qualification_id": (await Qualification.get()).public_id,
        "week": "2026-W10", "number": "1", "feed_id": "nosuchfeed", "series_id": again["id"],
        "incident_id": incident["id"], "recording_id": recording["id"],
        "owner": product.public_id, "product": product.public_id,
        **await something_shared(town, spare),
        "redemption_id": redemption, "voucher_id": (await newest(Voucher)).public_id,
        "streamer_id": town.house.streamer.public_id, "link_id": "1", "merchant_id": town.merchant.public_id,
        "user_id": (await newest(User)).public_id,
        "audit_id": str((await newest(AuditEntry)).id),
        "found_id": (await SyncDifference.get()).public_id,
        "statement_id": statement, "difference_id": str(difference), "shop": shop, "source": "generic",
        "booking_id": spare["id"], "broadcast_id": broadcast, "campaign_id": campaign, "round_id": round_id,
        "drop_id": drop["id"], "shop_id": town.shop.public_id, "order_ref": "ERP-1", "message_id": str(message),
        "delivery_id": str(delivery), "room": town.house.room.public_id, "streamer": town.house.streamer.public_id,
        "template": template, "bureau": town.bureau.public_id, "merchant": town.merchant.public_id,
        "store": town.store.public_id, "platform": "standard_webhooks",
        **await a_class(town),
        "report_id": (await a_report(town)).public_id, "kind": "monthly", "piece": "1",
    }  # fmt: skip
    names = {name: [value, "nosuchname"] for name, value in found.items()}
    lottery = await town.officer.post(f"/campaigns/{campaign}/lotteries", a_lottery(clock.now()))
    return {**names, "round_id": [round_id, lottery["round"], "nosuchname"]}


async def a_class(town: Town) -> dict[str, str]:
    """A class in its examinations with one of everything; its certificate is another's."""
    ended, _ = await an_ended_school(house=town.house)
    await graduation.confirm(ended.cohort.public_id, actor=ended.manager, now=LATER)
    (paper,) = await certificates.issue(ended.cohort.public_id, actor=ended.manager, now=LATER)
    school = await a_school(house=town.house)
    trainee = await a_trainee(school)
    lesson = await a_lesson(school)
    exam = await Assessment.get(cohort_id=ended.cohort.id)
    person = await Person.get(id=trainee.person_id)
    incubation = await incubations.nominate(
        person.public_id, bureau_id=school.bureau.id, actor=school.manager, now=LATER
    )
    return {
        "programme_id": school.programme.public_id,
        "programme": school.programme.public_id,
        "preset": "plain",
        "cohort_id": school.cohort.public_id,
        "enrolment_id": trainee.public_id,
        "enrolment": trainee.public_id,
        "person_id": person.public_id,
        "person": person.public_id,
        "lesson_id": lesson.public_id,
        "assessment_id": exam.public_id,
        "certificate_id": paper.public_id,
        "incubation_id": incubation.public_id,
    }


async def something_shared(town: Town, spare: Reply) -> dict[str, str]:
    """A camera, a closure of another week, and somebody who waits for the spare booking."""
    wish = {**await a_spare_wish(town), "title": "候补"}
    entry = await town.officer.post("/waitlist", wish)
    at = clock.at_local(clock.local_day(clock.now()) + timedelta(days=20), hour=10)
    plan = {
        "rooms": [town.house.room.public_id],
        "starts_at": at.isoformat(),
        "ends_at": (at + timedelta(hours=2)).isoformat(),
        "reason": "检修",
    }
    closure = await town.manager.post("/closures", plan)
    return {
        "entry_id": entry["id"],
        "closure_id": closure["id"],
        "room_id": town.house.room.public_id,
        "booking": spare["id"],
    }


def with_names(names: dict[str, list[str]]) -> dict[str, Any]:
    """The document, asking for names that exist where it asks for names."""
    made = copy.deepcopy(document())
    for methods in made["paths"].values():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                if parameter["in"] == "path":
                    parameter["schema"] = {"type": "string", "enum": names[parameter["name"]]}
    for name, schema in made["components"]["schemas"].items():
        if name.startswith("New") or name == "Binding":
            for field in schema["properties"].keys() & names.keys():
                schema["properties"][field] = {"type": "string", "enum": names[field]}
    return made


def cases() -> list[object]:
    """Each role on SQLite; on PostgreSQL, which refuses other values, those who write, and every odd value."""
    table = (
        ("sqlite", Role.MANAGER, 8, False),
        ("postgres", Role.MANAGER, 4, False),
        ("sqlite", Role.MANAGER, 25, True),
        ("postgres", Role.MANAGER, 8, True),
        ("sqlite", Role.BUREAU, 12, True),
        ("postgres", Role.BUREAU, 6, True),
        ("sqlite", Role.MERCHANT, 8, True),
        ("postgres", Role.MERCHANT, 8, True),
        ("sqlite", Role.FINANCE, 8, True),
        ("sqlite", Role.STAFF, 5, True),
        ("sqlite", Role.AUDITOR, 5, True),
    )
    return [
        pytest.param(engine, *rest, marks=[pytest.mark.postgres] * (engine == "postgres"))
        for engine, *rest in table
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "role", "examples", "known"), cases(), indirect=["settings"])
async def test_schemathesis_finds_nothing(
    db: Settings, role: Role, examples: int, known: bool, tmp_path: Path
) -> None:
    async with running(db) as site:
        town = await a_town(site)
        spec = with_names(await existing(town)) if known else document()
        (tmp_path / "openapi.json").write_text(json.dumps(spec))
        merchant_id = town.merchant.id if role is Role.MERCHANT else 0
        bureau_id = town.bureau.id if role is Role.BUREAU else 0
        token = await a_token(
            role, centre_id=town.house.centre.id, merchant_id=merchant_id, bureau_id=bureau_id
        )
        run = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("schemathesis")), "run", "openapi.json", "--url", str(site.url).rstrip("/") + ROOT,
            "--checks", CHECKS, "--header", f"Authorization: Bearer {token}", "--max-examples", str(examples),
            "--seed", "20260306", "--phases", "fuzzing" if known else "coverage,fuzzing", "--no-shrink",
            "--warnings", "off", "--request-timeout", "10", "--suppress-health-check", "all", "--continue-on-failure",
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output = (await run.communicate())[0].decode()

    assert run.returncode == 0, output[-6000:]
    assert "No issues found" in output, output[-3000:]
