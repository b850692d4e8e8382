"""The audit trail: nothing in it changes, and its chain shows what was changed all the same."""

import asyncio
import shutil
import sqlite3
from datetime import timedelta

import asyncpg
import pytest

from livehub import database, process
from livehub.accounts import audit, chain, trail
from livehub.accounts.actors import system
from livehub.accounts.errors import PermissionMissing
from livehub.accounts.invariants.chain import INVARIANT
from livehub.accounts.models import AuditEntry, AuditLink, Role
from livehub.accounts.trail import Search
from livehub.kit import invariants
from livehub.settings import Settings
from tests.factories.accounts import NOW, a_bureau, an_actor

OFFICER = an_actor(Role.BUREAU, bureau_id=7)


async def write(*bureaus, action="booking.approved"):
    entries = [
        audit.Entry(action=action, actor=OFFICER, about=("booking", "b1"), bureau_id=each) for each in bureaus
    ]
    async with database.transaction():
        await audit.write_many(entries, now=NOW)


async def links():
    return [
        (row.bureau_id, row.seq, row.entry_id) for row in await AuditLink.all().order_by("bureau_id", "seq")
    ]


async def test_an_entry_says_who_when_where_what_and_with_what_result(db):
    await audit.write(
        "booking.approved",
        actor=OFFICER,
        now=NOW,
        about=("booking", "b1"),
        bureau_id=7,
        detail={"first": True},
    )

    entry = await AuditEntry.get()

    assert (entry.at, entry.centre_id, entry.bureau_id, entry.actor_kind, entry.actor_id) == (
        NOW,
        1,
        7,
        "user",
        OFFICER.id,
    )
    assert (entry.actor_name, entry.action, entry.object_kind, entry.object_id) == (
        "李四",
        "booking.approved",
        "booking",
        "b1",
    )
    assert (entry.result, entry.ip, entry.request_id, entry.detail) == (
        "ok",
        "198.51.100.7",
        "req-1",
        '{"first":true}',
    )


@pytest.mark.parametrize("table", ["audit_entry", "audit_link"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET bureau_id = 9", "DELETE FROM {}"])
async def test_the_database_refuses_to_change_the_past(db, table, statement):
    await write(7)
    await chain.chain_tail(NOW)

    with pytest.raises(Exception, match="append-only"):
        await database.execute(statement.format(table))

    assert (await AuditEntry.get()).bureau_id == 7
    assert (await AuditLink.get()).bureau_id == 7


async def test_an_entry_is_gone_with_its_transaction(db):
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            await audit.write("x", actor=OFFICER, now=NOW)
            raise ZeroDivisionError

    assert await AuditEntry.all().count() == 0


async def test_each_bureau_has_its_chain_without_gaps(db):
    await write(7, 8, 7, 0)
    first = await chain.chain_tail(NOW, limit=3)
    rest = await chain.chain_tail(NOW)
    none = await chain.chain_tail(NOW)
    await write(7)
    waiting = await chain.tail_size()
    again = await chain.chain_tail(NOW)

    ids = [row.id for row in await AuditEntry.all().order_by("id")]
    assert (first, rest, none, waiting, again) == (3, 1, 0, 1, 1)
    assert await links() == [(0, 1, ids[3]), (7, 1, ids[0]), (7, 2, ids[2]), (7, 3, ids[4]), (8, 1, ids[1])]
    assert [(head.bureau_id, head.seq) for head in await chain.heads()] == [(0, 1), (7, 3), (8, 1)]
    assert await INVARIANT.check() == []


async def test_a_hash_covers_the_one_before(db):
    await write(7, 7)
    await chain.chain_tail(NOW)

    first, second = await AuditLink.all().order_by("seq")

    row = (await chain._page(7, after=0))[0]
    assert bytes(first.hash) == chain._next(bytes(32), row)
    assert bytes(first.hash) != chain._next(b"\x01" * 32, row)
    assert bytes(first.hash) != bytes(second.hash)


async def test_linking_from_two_processes_links_each_entry_once(db):
    await write(*[7] * 50)

    done = await asyncio.gather(*(chain.chain_tail(NOW, limit=20) for _ in range(6)))
    while await chain.chain_tail(NOW):
        pass

    assert sum(done) <= 50
    assert [seq for _, seq, _ in await links()] == list(range(1, 51))
    assert await chain.verify(7) == []


async def test_a_long_chain_verifies_over_its_pages(db, monkeypatch):
    monkeypatch.setattr(chain, "PAGE", 7)
    await write(*[7] * 30)
    await chain.chain_tail(NOW)

    assert await chain.verify(7) == []
    assert await chain.verify(8) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "UPDATE audit_entry SET detail = '{\"fen\":1}' WHERE id = {second}",
            "entry {second} of link 2 was changed",
        ),
        (
            "UPDATE audit_entry SET actor_name = '王五' WHERE id = {second}",
            "entry {second} of link 2 was changed",
        ),
        ("UPDATE audit_entry SET at = at + 1 WHERE id = {second}", "entry {second} of link 2 was changed"),
        ("DELETE FROM audit_entry WHERE id = {second}", "the entry of link 2 is missing"),
        ("DELETE FROM audit_link WHERE entry_id = {second}", "link 2 is missing"),
        ("UPDATE audit_link SET entry_id = 999 WHERE entry_id = {second}", "the entry of link 2 is missing"),
    ],
)
async def test_a_tampered_copy_fails(db, tmp_path, statement, found):
    await write(7, 7, 7)
    await chain.chain_tail(NOW)
    second = (await AuditLink.get(bureau_id=7, seq=2)).entry_id
    assert await chain.verify(7) == []

    copy = await tampered_copy(db, tmp_path, statement.replace("{second}", str(second)))
    await process.start(copy)

    assert await INVARIANT.check() == [f"bureau 7: {found.format(second=second)}"]


async def tampered_copy(db: Settings, tmp_path, statement: str) -> Settings:
    """Do what somebody with the database's own password could do."""
    await process.stop()
    if db.is_sqlite:
        copy = tmp_path / "tampered.db"
        with sqlite3.connect(db.database.removeprefix("sqlite://")) as original:
            original.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        original.close()
        shutil.copy(db.database.removeprefix("sqlite://"), copy)
        connection = sqlite3.connect(copy)
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE name LIKE 'audit_%append_only%'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
        connection.commit()
        connection.close()
        return Settings(database_url=f"sqlite://{copy}", keys=db.keys)
    connection = await asyncpg.connect(db.database)
    await connection.execute(
        "ALTER TABLE audit_entry DISABLE TRIGGER USER; ALTER TABLE audit_link DISABLE TRIGGER USER"
    )
    await connection.execute(statement)
    await connection.close()
    return db


@pytest.mark.parametrize("settings", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_an_entry_of_a_slow_transaction_is_never_passed_over(db):
    """A lower id that commits later: the chain waits for it, and links it before the higher one."""
    slow = await asyncpg.connect(db.database)
    transaction = slow.transaction()
    await transaction.start()
    insert = (
        "INSERT INTO audit_entry (at, centre_id, bureau_id, actor_kind, actor_id, actor_name, action, object_kind,"
        " object_id, result, ip, request_id, detail)"
        " VALUES (1, 1, 7, 'user', 1, '', 'slow', '', '', 'ok', '', '', '{}') RETURNING id"
    )
    low = await slow.fetchval(insert)
    await write(7)

    early = await chain.chain_tail(NOW)
    await transaction.commit()
    await slow.close()
    late = await chain.chain_tail(NOW)

    assert (early, late) == (0, 2)
    assert (await AuditLink.get(seq=1)).entry_id == low
    assert await INVARIANT.check() == []


async def test_an_entry_far_behind_without_a_link_is_reported(db):
    await write(7)
    forgotten = (await AuditEntry.get()).id
    far = forgotten + chain.LATE_IDS
    await database.execute(
        "INSERT INTO audit_entry (id, at, centre_id, bureau_id, actor_kind, actor_id, actor_name, action, object_kind,"
        " object_id, result, ip, request_id, detail)"
        " VALUES ($1, 1, 1, 7, 'user', 1, '', 'far', '', '', 'ok', '', '', '{}')",
        far,
    )
    row = next(each for each in await chain._waiting(10) if each["id"] == far)
    await AuditLink.create(bureau_id=7, seq=1, entry_id=far, hash=chain._next(chain.GENESIS, row))

    assert await INVARIANT.check() == ["1 audit entries will never be linked"]


def test_the_invariant_is_discovered():
    found = invariants.discover(["livehub.accounts", "livehub.notices"])

    assert INVARIANT in found
    with pytest.raises(ValueError, match=r"accounts\.chain"):
        invariants.discover(["livehub.accounts", "livehub.accounts"])


async def test_the_trail_is_listed_within_the_readers_scope(db):
    await write(7, 8)
    await write(0, action="login.failed")
    officer, auditor = an_actor(Role.BUREAU, bureau_id=7), an_actor(Role.AUDITOR)

    own = await trail.entries(officer, Search())
    everything = await trail.entries(auditor, Search())
    logins = await trail.entries(auditor, Search(action="login."))
    later = await trail.entries(auditor, Search(since=NOW + timedelta(seconds=1)))
    elsewhere = await trail.entries(an_actor(Role.AUDITOR, centre_id=2), Search())
    about = await trail.entries(auditor, Search(object_id=everything.items[-1].object_id))
    nobody = await trail.entries(auditor, Search(object_id="nothing's"))

    assert [row.bureau_id for row in own.items] == [7]
    assert [row.bureau_id for row in everything.items] == [0, 8, 7]
    assert (everything.items[-1] in about.items, nobody.total) == (True, 0)
    assert ([row.action for row in logins.items], later.total, elsewhere.total) == (["login.failed"], 0, 0)
    with pytest.raises(PermissionMissing):
        await trail.entries(an_actor(Role.ADMIN), Search())


async def test_what_jobs_did_is_told_to_the_centre_it_concerns(db):
    ours, theirs = await a_bureau(), await a_bureau()
    for bureau_id in (ours.id, theirs.id, 0):
        await audit.write("voucher.expired", actor=system("jobs"), now=NOW, bureau_id=bureau_id)
    await audit.write("login.failed", actor=system("nobody"), now=NOW)

    page = await trail.entries(an_actor(Role.AUDITOR, centre_id=ours.centre_id), Search())

    assert [(row.action, row.bureau_id) for row in page.items] == [
        ("login.failed", 0),
        ("voucher.expired", ours.id),
    ]
