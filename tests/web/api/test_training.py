"""A class from its programme to its certificates, told by machines; each answer is held against the document."""

from __future__ import annotations

import base64
from datetime import timedelta

from livehub import database
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.kit.sheets import decoding
from rooms.models import Broadcast
from streamers.training.course_models import Certificate
from streamers.training.models import Programme
from tests.factories.training import a_roster, an_identity
from tests.web.api.callers import Caller, a_person
from tests.web.api.town import Town, a_live_broadcast


async def test_a_class_is_told_from_its_programme_to_its_certificates(town: Town) -> None:
    await tell_a_class(town, broadcast=await a_live_broadcast(town))


async def what_came_of_it(
    town: Town, manager: Caller, second: Caller, cohort: str, enrolment: str, programme: str
) -> None:
    """Outcomes, calls, incubation, the claim and the files of a class that is over."""
    here, officer = f"/cohorts/{cohort}", town.officer
    payer = await a_person(town.site, Role.FINANCE, centre=town.house.centre)
    report = await officer.get("/reports/training", period=str(clock.local_day(clock.now()).year))
    wrong = await officer.get("/reports/training", period="soon")
    outcomes = await officer.get(f"{here}/outcomes")
    hers = await officer.get(f"/enrolments/{enrolment}/outcomes")
    long_ago = clock.to_ms(clock.now() - timedelta(days=40))
    await loosened("graduation_decision", f"UPDATE graduation_decision SET at = {long_ago}")
    due = await officer.get("/followups/due")
    called = await manager.post(
        f"/enrolments/{enrolment}/followups", {"day": 30, "employment": "streaming", "note": "每周两场"}
    )
    early = await manager.post(f"/enrolments/{enrolment}/followups", {"day": 90, "employment": "employed"})
    someone = await manager.post("/people", {"name": "符姐", "identity": an_identity()})
    mentor = await manager.post("/mentors", {"person": someone["id"], "field": "选品"})
    twice = await manager.post("/mentors", {"person": someone["id"], "field": "选品"})
    known = (await manager.get("/mentors"))["items"]
    wanted = {"person": someone["id"], "bureau": town.bureau.public_id, "mentor": mentor["id"]}
    incubation = await manager.post("/incubations", wanted)
    again = await manager.post("/incubations", wanted)
    there = f"/incubations/{incubation['id']}"
    too_long = await manager.post(f"{there}/admit", {"months": 37})
    await manager.post(f"{there}/admit", {"months": 12})
    begun = await manager.post(f"{there}/begin", {})
    visited = await manager.post(
        f"{there}/visits", {"on_day": str(clock.local_day(clock.now())), "note": "看了账本"}
    )
    extended = await manager.post(f"{there}/extend", {"months": 6, "reason": "旺季还没到"})
    one = await officer.get(there)
    out = await manager.post(f"{there}/leave", {"into": "graduated", "reason": "开了网店"})
    listed = await officer.get("/incubations", stage="graduated")
    terms = '{"per_head_fen": 40001}'
    await Programme.filter(public_id=programme).update(terms=terms)
    fresh = (await officer.get(f"{here}/claim"))["total_fen"]
    drawn = await manager.post(f"{here}/claim")
    paper = (await Certificate.filter(enrolment__public_id=enrolment).order_by("-id").first()).public_id
    back = await manager.post(f"/certificates/{paper}/replace", {"reason": "查明不是替考"})
    changed = await manager.post(f"{here}/claim/submit", {})
    drawn_again = await manager.post(f"{here}/claim")
    await manager.post(f"{here}/claim/submit", {})
    returned = await second.post(f"{here}/claim/return", {"reason": "缺签到表"})
    await manager.post(f"{here}/claim")
    await manager.post(f"{here}/claim/submit", {})
    await manager.post(f"{here}/claim/publicise")
    unchecked = await second.post(f"{here}/claim/approve")
    await manager.post(f"/enrolments/{enrolment}/spot-checks", {"method": "phone", "confirmed": True})
    own = await manager.post(f"{here}/claim/approve")
    await second.post(f"{here}/claim/approve")
    paid = await payer.post(f"{here}/claim/pay", {"reference": "P-2026-1"})
    raw = {"kind": "photo", "name": "合影.pdf", "content_base64": base64.b64encode(b"%PDF-1.7 x").decode()}
    kept = await manager.post(f"{here}/evidence", raw)
    same = await manager.post(f"{here}/evidence", raw)
    broken = await manager.post(f"{here}/evidence", {**raw, "content_base64": "not base64"})
    files = (await officer.get(f"{here}/evidence"))["items"]

    assert (report["total"]["graduated"], wrong.status, outcomes["cohort"]["id"]) == (1, 422, cohort)
    assert (hers["graduate"]["first_stream_on"], hers["items"], outcomes["items"][0]["retained"]) == (
        None, [], None,
    )  # fmt: skip
    assert [(each["enrolment"], each["day"]) for each in due["items"]] == [(enrolment, 30)]
    assert (called["broadcasts"], called["employment"], early.status) == (0, "streaming", 422)
    assert (twice["code"], [each["name"] for each in known]) == ("MENTOR_KNOWN", ["符姐"])
    assert (again["code"], too_long.status, begun["stage"]) == ("ALREADY_INCUBATED", 422, "incubating")
    assert (len(visited["visits"]), extended["extension_months"], one["mentor_name"]) == (1, 6, "符姐")
    assert (out["stage"], listed["total"], listed["success"]) == ("graduated", 1, "1")
    assert (fresh, drawn["total_fen"], back["state"], changed["code"]) == (
        0, 0, "issued", "SUBSIDY_CLAIM_CHANGED",
    )  # fmt: skip
    assert (drawn_again["total_fen"], returned["state"], returned["reason"]) == (
        40001,
        "returned",
        "缺签到表",
    )
    assert (unchecked["code"], own.status, paid["state"]) == ("SPOT_CHECKS_MISSING", 403, "paid")
    assert (kept["size"], same["code"], broken.status, len(files)) == (10, "EVIDENCE_KNOWN", 422, 1)


async def loosened(table: str, statement: str) -> None:
    """A statement that an append-only table refuses, with its guard away for that long."""
    if database.dialect() == "sqlite":
        (guard,) = await database.fetch(
            "SELECT name, sql FROM sqlite_master WHERE name = $1", f"{table}_append_only_update"
        )
        await database.execute(f"DROP TRIGGER {guard['name']}")
        await database.execute(statement)
        await database.execute(guard["sql"])
        return
    await database.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_append_only")
    await database.execute(statement)
    await database.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_append_only")


async def tell_a_class(town: Town, *, broadcast: str) -> None:
    """The whole story, with a broadcast of the town that somebody practised in."""
    # by people: a machine cannot answer what a machine has asked for
    manager = await a_person(town.site, Role.MANAGER, centre=town.house.centre)
    second = await a_person(town.site, Role.MANAGER, centre=town.house.centre)
    now = clock.now()
    await Broadcast.filter(public_id=broadcast).update(started_at=now - timedelta(minutes=40), ended_at=now)
    staff, officer, today = manager, town.officer, clock.local_day(clock.now())

    cities = [each["name"] for each in (await officer.get("/training-presets"))["items"]]
    programme = await manager.post(
        "/programmes",
        {"name": "直播培训", "occupation": "主播", "preset": "plain", "bureau": town.bureau.public_id},
    )
    wrong = await manager.post(f"/programmes/{programme['id']}/bar", {"bar": {"min_attendance": "3/2"}})
    await manager.post(
        f"/programmes/{programme['id']}/bar", {"bar": {"min_attendance": "0", "min_skill_tenths": 0}}
    )
    assert [each["bar_version"] for each in (await officer.get("/programmes"))["items"]] == [2]
    cohort = await manager.post(
        "/cohorts",
        {
            "programme": programme["id"], "code": "2026-01", "name": "第一期", "starts_on": str(today - timedelta(1)),
            "ends_on": str(today + timedelta(9)), "capacity": 3, "plan": {"audience": "青年", "goal": "会开播"},
        },
    )  # fmt: skip
    here = f"/cohorts/{cohort['id']}"
    late = await staff.post(f"{here}/apply", {})
    await staff.post(f"{here}/apply", {"late_reason": "临时要求"})
    own = await manager.post(f"{here}/approve")
    await second.post(f"{here}/reject", {"reason": "补大纲"})
    await staff.post(f"{here}/apply", {"late_reason": "临时要求"})
    approved = await second.post(f"{here}/approve")
    for step in ("open", "start"):
        await staff.post(f"{here}/{step}")
    raw = a_roster(("林海", an_identity(), "", ""), ("陈月", "990101199501010019", "", ""))
    file = {"name": "名册.xlsx", "content_base64": base64.b64encode(raw).decode()}
    looked = await staff.post(f"{here}/roster/import", {**file, "mode": "dry_run"})
    strict = await staff.post(f"{here}/roster/import", {**file, "mode": "strict"})
    taken = await staff.post(f"{here}/roster/import", {**file, "mode": "partial"})
    book = list(decoding.read(base64.b64decode(taken["errors_xlsx_base64"])).rows)
    registered = await manager.post("/people/import", {**file, "mode": "partial"})
    person = await manager.post("/people", {"name": "庞明", "identity": an_identity()})
    again = await manager.post("/people", {"name": "庞明", "identity": "990101199501010019"})
    shown = await manager.post(f"/people/{person['id']}/reveal", {"reason": "核对报名表"})
    place = await staff.post(f"{here}/enrolments", {"person": person["id"]})
    twice = await staff.post(f"{here}/enrolments", {"person": person["id"]})
    begins = clock.now() - timedelta(minutes=5)
    lesson = await staff.post(
        f"{here}/lessons",
        {"title": "选品", "kind": "theory", "starts_at": begins.isoformat(), "minutes": 60, "tenths": 20},
    )
    spare = await staff.post(
        f"{here}/lessons",
        {"title": "备课", "kind": "field", "starts_at": begins.isoformat(), "minutes": 30, "tenths": 5},
    )
    await staff.post(f"/lessons/{spare['id']}/cancel", {"reason": "下雨"})
    code = await staff.get(f"/lessons/{lesson['id']}/checkin")
    listed = (await officer.get(f"{here}/enrolments"))["items"]
    first = next(each for each in listed if each["name"] == "林海")
    marks = {"marks": [{"enrolment": each["id"], "status": "present"} for each in listed]}
    noted = await staff.post(f"/lessons/{lesson['id']}/attendance", marks)
    same = await staff.post(f"/lessons/{lesson['id']}/attendance", marks)
    attended = (await officer.get(f"/lessons/{lesson['id']}/attendance"))["items"]
    exam = await staff.post(f"{here}/assessments", {"kind": "theory", "name": "理论", "held_on": str(today)})
    scores = {"marks": [{"enrolment": first["id"], "tenths": 855}]}
    scored = await staff.post(f"/assessments/{exam['id']}/scores", scores)
    practice = await staff.post(f"/enrolments/{first['id']}/practice", {"broadcast": broadcast})
    practised = await staff.post(f"/enrolments/{first['id']}/practice", {"broadcast": broadcast})
    left = await staff.post(f"/enrolments/{place['id']}/leave", {"into": "withdrawn", "reason": "搬家"})
    await staff.post(f"{here}/examine")
    judged = (await officer.get(f"{here}/graduation/evaluate"))["items"]
    confirmed = (await manager.post(f"{here}/graduation/confirm"))["items"]
    (paper,) = (await manager.post(f"{here}/certificates"))["items"]
    pdf = await officer.get(f"/certificates/{paper['id']}/paper")
    fresh = await manager.post(f"/certificates/{paper['id']}/replace", {"reason": "姓名打错"})
    ended = await manager.post(f"/certificates/{fresh['id']}/revoke", {"reason": "替考"})
    for step in ("close", "archive"):
        await staff.post(f"{here}/{step}")
    (seen,) = (await officer.get("/cohorts", state="archived"))["items"]
    other = await manager.post(
        "/cohorts",
        {
            "programme": programme["id"], "code": "2026-02", "name": "第二期", "starts_on": str(today + timedelta(60)),
            "ends_on": str(today + timedelta(70)), "capacity": 3, "plan": {"audience": "青年", "goal": "会开播"},
        },
    )  # fmt: skip
    there = f"/cohorts/{other['id']}"
    await staff.post(f"{there}/apply", {})
    await second.post(f"{there}/approve")
    cancelled = await staff.post(f"{there}/cancel", {"reason": "报名太少"})
    alone = await officer.get(there)
    timetable = (await officer.get(f"{here}/lessons"))["items"]
    await what_came_of_it(town, manager, second, cohort["id"], first["id"], programme["id"])

    assert "qinzhou" in cities
    assert (wrong.status, late["code"], own.status, approved["state"]) == (
        422, "COHORT_APPLIED_LATE", 403, "approved",
    )  # fmt: skip
    assert (looked["ok"], looked["enrolled"], strict["code"]) == (1, 1, "ROSTER_REFUSED")
    assert (taken["created"], [each["code"] for each in taken["wrong"]]) == (1, ["ID_CHECKSUM"])
    assert book[-1][1][-1] == taken["wrong"][0]["reason"]
    assert (registered["unchanged"], again["code"], shown["identity"][:6]) == (1, "PERSON_REFUSED", "990101")
    assert (place["state"], twice["code"], left["state"]) == ("enrolled", "ALREADY_ENROLLED", "withdrawn")
    assert (code["lesson"], noted["changed"], same["changed"], len(attended)) == (lesson["id"], 2, 0, 2)
    assert scored["changed"] == 1
    assert (practice["minutes"], practised.status) == (40, 409)
    assert (cancelled["state"], alone["state"], alone["reason"]) == ("cancelled", "cancelled", "报名太少")
    assert [(each["name"], each["graduated"]) for each in judged] == [("林海", True)]
    assert confirmed[0]["state"] == "graduated"
    assert base64.b64decode(pdf["pdf_base64"])[:5] == b"%PDF-"
    assert (paper["serial"][-6:], fresh["serial"][-6:], ended["state"]) == ("000001", "000002", "revoked")
    assert (seen["state"], seen["taken"], [each["cancelled"] for each in timetable]) == (
        "archived", 1, [False, True],
    )  # fmt: skip
