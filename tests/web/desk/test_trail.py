"""审计记录: searched, one entry with its link, a file, and a chain that is verified and tells of a change."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts import audit, chain
from livehub.accounts.actors import system
from livehub.accounts.models import AuditEntry, Role
from livehub.kit import clock
from tests.factories.accounts import an_actor
from tests.web.desk.office import Office
from tests.web.phones import visible


async def told(office: Office, action: str = "booking.approved", *, bureau: int = 0, **more) -> AuditEntry:
    """One entry of a bureau."""
    actor = an_actor(Role.MANAGER, centre_id=office.house.centre.id)
    bureau_id = office.house.bureaus[bureau].id
    await audit.write(
        action,
        actor=actor,
        now=clock.now(),
        about=("booking", f"b-{action}-{bureau}"),
        bureau_id=bureau_id,
        **more,
    )
    entry = await AuditEntry.all().order_by("-id").first()
    assert entry is not None
    return entry


async def link() -> None:
    while await chain.chain_tail(clock.now()):
        pass


async def test_an_entry_is_found_and_read_with_its_link(office: Office) -> None:
    auditor = await office.visitor(Role.AUDITOR)
    entry = await told(office, detail={"before": {"minutes": 60}, "after": {"minutes": 90}})
    fresh = visible(await auditor.page(f"/desk/trail/{entry.id}"))
    await link()

    found = await auditor.page(f"/desk/trail/?object={entry.object_id}&who=李四&action=booking.&result=ok")
    page = visible(await auditor.page(f"/desk/trail/{entry.id}"))

    assert f'href="/desk/trail/{entry.id}"' in found
    assert "正在入链" in fresh
    for part in ('"minutes": 90', "198.51.100.7", "req-1", "批准排期", "一致"):
        assert part in page, part
    stored = await database.fetch_one("SELECT hash FROM audit_link WHERE entry_id = $1", entry.id)
    assert stored
    assert bytes(stored["hash"]).hex() in page


async def test_filters_narrow_and_a_month_is_shown_unless_asked(office: Office) -> None:
    auditor = await office.visitor(Role.AUDITOR)
    old = clock.now() - timedelta(days=60)
    await audit.write("room.rules", actor=system("tests"), now=old, about=("room", "r1"))
    entry = await told(office, result="refused")

    async def numbers(query: str) -> bool:
        page = await auditor.page(f"/desk/trail/?{query}")
        return f'href="/desk/trail/{entry.id}"' in page

    assert await numbers("result=refused")
    assert not await numbers("result=ok")
    assert not await numbers("who=nobody")
    assert not await numbers("action=drop.")
    assert not await numbers("kind=room")
    assert not await numbers("to=2020-01-01")
    assert "r1" not in visible(await auditor.page("/desk/trail/?kind=room"))
    assert "r1" in visible(await auditor.page("/desk/trail/?object=r1"))
    for query, says in (
        ("from=soon", "请填写日期"),
        ("from=2026-03-02&to=2026-03-01", "不能早于开始日期"),
        ("result=x", "不在可选范围内"),
    ):
        status, page, _ = await auditor.get(f"/desk/trail/?{query}")
        assert (status, says in visible(page)) == (422, True), query


async def test_an_officer_reads_what_concerns_her_bureau(office: Office) -> None:
    ours, theirs = await told(office), await told(office, "booking.rejected", bureau=1)
    officer = await office.visitor(Role.BUREAU)

    page = await officer.page("/desk/trail/")

    assert (ours.object_id in page, theirs.object_id in page) == (True, False)
    assert [(await officer.get(f"/desk/trail/{each.id}"))[0] for each in (ours, theirs)] == [200, 404]
    assert (await officer.post("/desk/trail/verify", chain="centre", since="2026-03-01", until="2026-03-09"))[
        0
    ] == 422
    for role in (Role.STAFF, Role.FINANCE, Role.ADMIN):
        visitor = await office.visitor(role)
        assert (await visitor.get("/desk/trail/"))[0] == 403, role
        assert (await visitor.get("/desk/trail/export.csv"))[0] == 403, role


async def test_the_list_is_a_file_too(office: Office) -> None:
    auditor = await office.visitor(Role.AUDITOR)
    entry = await told(office, detail={"after": "=cmd"})

    async with auditor.session.get(f"/desk/trail/export.csv?object={entry.object_id}") as answer:
        text = (await answer.read()).decode("utf-8-sig")

    head, row = csv.reader(io.StringIO(text))
    assert (head[0], row[0], row[4], row[6]) == ("记录号", str(entry.id), "booking.approved", entry.object_id)
    assert row[11] == '{"after":"=cmd"}'


async def test_a_chain_is_verified_and_a_changed_entry_is_told(office: Office) -> None:
    auditor = await office.visitor(Role.AUDITOR)
    bureau = office.house.bureaus[0]
    entry = await told(office)
    await link()
    today = clock.local_day(clock.now()).isoformat()
    asked = {"chain": bureau.public_id, "since": today, "until": today}

    assert (await auditor.post("/desk/trail/verify", **asked))[0] == 303
    whole = visible(await auditor.page("/desk/trail/"))
    await _force("UPDATE audit_entry SET actor_name = '别人' WHERE id = $1", entry.id)
    assert (await auditor.post("/desk/trail/verify", **asked))[0] == 303
    broken = visible(await auditor.page("/desk/trail/"))
    one = visible(await auditor.page(f"/desk/trail/{entry.id}"))

    assert (f"{auditor.name} 第" in whole, "完整" in whole) == (True, True)
    assert f"entry {entry.id} of link" in broken
    assert "不一致" in one
    said = await AuditEntry.filter(action="audit.verified").order_by("id").values_list("result", "bureau_id")
    assert said == [("ok", bureau.id), ("broken", bureau.id)]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"chain": "nothing"}, "chain"),
        ({"since": "soon"}, "since"),
        ({"since": "2026-03-05"}, "until"),
    ],
)
async def test_what_cannot_be_verified_names_its_field(
    office: Office, fields: dict[str, str], field: str
) -> None:
    auditor = await office.visitor(Role.AUDITOR)
    given = {"chain": "centre", "since": "2026-03-01", "until": "2026-03-02", **fields}

    status, page, _ = await auditor.post("/desk/trail/verify", **given)

    assert (status, f'id="{field}-wrong"' in page) == (422, True), visible(page)


async def _force(statement: str, *args: object) -> None:
    """As somebody with the database's own password would."""
    if database.dialect() == "sqlite":
        for verb in ("update", "delete"):
            await database.execute(f"DROP TRIGGER audit_entry_append_only_{verb}")
    else:
        await database.execute("ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_append_only")
    await database.execute(statement, *args)
