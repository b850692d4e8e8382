"""What the database's own administrator could do to the audit trail, and how it shows."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from livehub import database, process
from livehub.accounts import anchors, audit, chain
from livehub.accounts.invariants import anchored
from livehub.accounts.invariants.chain import INVARIANT
from livehub.accounts.models import AuditEntry, AuditLink, Role
from livehub.settings import Settings
from tests.accounts.test_audit import tampered_copy, write
from tests.factories.accounts import NOW, an_actor

ENTRY = (
    "INSERT INTO audit_entry (id, at, centre_id, bureau_id, actor_kind, actor_id, actor_name, action, object_kind,"
    " object_id, result, ip, request_id, detail) SELECT {id}, at, centre_id, bureau_id, actor_kind, actor_id,"
    " actor_name, 'inserted', object_kind, object_id, result, ip, request_id, detail FROM audit_entry WHERE id = {of}"
)


async def linked(*bureaus: int) -> list[int]:
    await write(*bureaus)
    while await chain.chain_tail(NOW):
        pass
    return [row.id for row in await AuditEntry.all().order_by("id")]


async def test_entries_that_changed_places_are_found(db: Settings, tmp_path: Path) -> None:
    first, second, third = await linked(7, 7, 7)
    swap = (
        f"UPDATE audit_link SET entry_id = CASE entry_id WHEN {first} THEN -{second} ELSE -{first} END"
        f" WHERE entry_id IN ({first}, {second})"
    )
    copy = await tampered_copy(db, tmp_path, swap)
    await process.start(copy)
    await database.execute("UPDATE audit_link SET entry_id = -entry_id WHERE entry_id < 0")

    assert [row.entry_id for row in await AuditLink.all().order_by("seq")] == [second, first, third]
    assert await INVARIANT.check() == [f"bureau 7: entry {second} of link 1 was changed"]


async def test_an_entry_put_into_the_past_is_found(db: Settings, tmp_path: Path) -> None:
    """Whether it is linked anew at the end, or laid far back where nobody links."""
    (*_, last) = await linked(7, 7)
    far = last + chain.LATE_IDS + 10
    copy = await tampered_copy(db, tmp_path, ENTRY.format(id=far, of=last))
    await process.start(copy)
    while await chain.chain_tail(NOW):
        pass
    await database.execute(ENTRY.format(id=last + 1, of=last))

    assert await INVARIANT.check() == ["1 audit entries will never be linked"]


@pytest.mark.parametrize("how", ["made anew", "cut"])
async def test_a_chain_that_is_whole_again_no_longer_fits_its_anchor(
    db: Settings, tmp_path: Path, how: str
) -> None:
    await linked(7, 7, 8)
    assert await anchors.write(NOW) == 2
    assert await anchored.INVARIANT.check() == []
    last = (await AuditLink.get(bureau_id=7, seq=2)).entry_id

    changed = f"DELETE FROM audit_link WHERE bureau_id = 7 AND seq > {1 if how == 'cut' else 0}"
    copy = await tampered_copy(db, tmp_path, changed)
    await process.start(copy)
    anchors.install(db.anchors)
    if how == "cut":
        await database.execute(f"DELETE FROM audit_entry WHERE id = {last}")
    else:
        await database.execute(f"UPDATE audit_entry SET actor_name = 'x' WHERE id = {last}")
        while await chain.chain_tail(NOW):
            pass

    assert await chain.verify(7) == []
    (wrong,) = await anchored.INVARIANT.check()
    assert wrong == "bureau 7: link 2 is not the one anchored at 2026-05-20T10:00:00.000+08:00"


async def test_the_first_anchor_of_a_day_stays(db: Settings) -> None:
    await linked(7)
    await anchors.write(NOW)
    before = [path.read_bytes() for path in db.anchors.iterdir()]
    await linked(7)

    assert await anchors.write(NOW + timedelta(hours=1)) == 0
    assert [path.read_bytes() for path in db.anchors.iterdir()] == before
    assert await anchors.write(NOW + timedelta(days=1)) == 1
    assert await anchored.INVARIANT.check() == []
    (db.anchors / "2026-01-01.jsonl").write_text("not an anchor\n")
    assert await anchored.INVARIANT.check() == ["2026-01-01.jsonl: this is no anchor file"]


async def test_writers_at_once_make_whole_chains(db: Settings) -> None:
    """Forty transactions, some undone, while two processes link."""
    officer = an_actor(Role.BUREAU, bureau_id=7)

    async def one(n: int) -> None:
        async def work() -> None:
            await audit.write("x", actor=officer, now=NOW, bureau_id=n % 3)
            await asyncio.sleep(0.001 * (n % 5))
            if n % 10 == 0:
                raise ZeroDivisionError

        await database.unit(work)

    async def link() -> None:
        for _ in range(20):
            await chain.chain_tail(NOW, limit=7)
            await asyncio.sleep(0.002)

    await asyncio.gather(*map(one, range(40)), link(), link(), return_exceptions=True)
    while await chain.chain_tail(NOW):
        pass

    assert await AuditLink.all().count() == await AuditEntry.all().count() == 36
    assert await INVARIANT.check() == []


async def test_the_trail_is_told_with_offsets_and_links(db: Settings) -> None:
    first, second = await linked(7, 8)
    await write(7)

    told = [entry async for entry in chain.trail()]
    rest = [entry async for entry in chain.trail(after=second)]

    assert [(each["id"], each["seq"]) for each in told[:2]] == [(first, 1), (second, 1)]
    assert told[0]["at"] == "2026-05-20T10:00:00.000+08:00"
    assert (len(told), len(rest), rest[0]["hash"]) == (3, 1, None)
