"""Each race is won as it is, and lost when its guard is taken out: the test of the tests."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import asyncpg
import pytest
from msgspec import Struct
from tortoise.backends.base.executor import EXECUTOR_CACHE

from livehub import database
from livehub.settings import Settings
from tests.conftest import KEYS, Server
from tests.conftest import database_url as url_of
from tests.database.test_constraints import REFUSED, outcome, something_of_everything
from tests.faults import sabotage
from tests.faults.guarding import LOST, Guard, Race
from tests.faults.guards import GUARDS, NOT_TAKEN_OUT
from tests.faults.removing import UNIQUES, Cut, Dropped, Unique, plain

_SWEEP = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    DO $$ DECLARE name text; BEGIN
        SET LOCAL session_replication_role = replica;  -- no trigger, no foreign key
        FOR name IN SELECT relname FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'tortoise_migrations'
        LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
        FOR name IN SELECT relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
        LOOP EXECUTE format('ALTER SEQUENCE %I RESTART', name); END LOOP;
    END $$
"""
_DEFINITIONS = """
    SELECT conname AS name, format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
            pg_get_constraintdef(oid)) AS statement
        FROM pg_constraint WHERE contype IN ('c', 'x', 'u') AND connamespace = 'public'::regnamespace
    UNION ALL SELECT c.relname, pg_get_indexdef(c.oid)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace
          AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid)
    UNION ALL SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
"""


@pytest.fixture(scope="module")
def shared(postgres: Server) -> Iterator[Shared]:
    """One PostgreSQL database for all: a new one takes longer than most races."""
    name = f"livehub_{uuid.uuid4().hex[:12]}"
    postgres.run(f'CREATE DATABASE "{name}" TEMPLATE "{postgres.template}"')
    yield Shared(url_of(name), asyncio.run(_definitions(url_of(name))))
    postgres.run(f'DROP DATABASE "{name}" WITH (FORCE)')


class Shared(Struct, frozen=True):
    """A database and how each of its guards is made, by name."""

    url: str
    guards: dict[str, str]

    async def restore(self) -> None:
        """Empty every table, begin every sequence anew, and make again what was dropped."""
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(_SWEEP)
            left = {row["name"] for row in await connection.fetch(_DEFINITIONS)}
            for name, statement in self.guards.items():
                if name not in left:
                    await connection.execute(statement)
        finally:
            await connection.close()


async def _definitions(url: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    try:
        return {row["name"]: row["statement"] for row in await connection.fetch(_DEFINITIONS)}
    finally:
        await connection.close()


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """A migrated database: a copied file, or the shared one, which is restored afterwards."""
    EXECUTOR_CACHE.clear()  # Tortoise keeps one engine's SQL by the connection's name
    if request.param == "sqlite":
        file = tmp_path / "livehub.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield Settings(data_dir=tmp_path, database_url=f"sqlite://{file}", keys=KEYS, port=0)
        return
    shared = request.getfixturevalue("shared")
    yield Settings(data_dir=tmp_path, database_url=shared.url, keys=KEYS, port=0)
    asyncio.run(shared.restore())


def _mark(engine: str, *, slow: bool) -> list[pytest.MarkDecorator]:
    return [pytest.mark.postgres] * (engine == "postgres") + [pytest.mark.faults, pytest.mark.long] * slow


def _races() -> Sequence[object]:
    """Each once, quick if any guard of it is."""
    races = {f"{guard.engine}-{guard.race.name}": guard for guard in GUARDS}
    quick = {f"{guard.engine}-{guard.race.name}" for guard in GUARDS if not guard.slow}
    return [
        pytest.param(guard.engine, guard.race, id=name, marks=_mark(guard.engine, slow=name not in quick))
        for name, guard in races.items()
    ]


def _guards() -> Sequence[object]:
    return [
        pytest.param(
            guard.engine,
            guard,
            id=f"{guard.engine}-{guard.of.replace(' ', '_')}",
            marks=_mark(guard.engine, slow=guard.slow),
        )
        for guard in GUARDS
    ]


@pytest.mark.parametrize(("settings", "race"), _races(), indirect=["settings"])
async def test_the_race_is_won(db: Settings, race: Race, monkeypatch: pytest.MonkeyPatch) -> None:
    await race.run(db, monkeypatch)


@pytest.mark.parametrize(("settings", "guard"), _guards(), indirect=["settings"])
async def test_the_race_is_lost_without(db: Settings, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    for removal in guard.removed:
        await removal(monkeypatch)
    before = asyncio.all_tasks()

    with pytest.raises(LOST) as caught:
        await guard.race.run(db, monkeypatch)

    print(f"without {guard.of}: {str(caught.value).splitlines()[0]}")
    await _end(asyncio.all_tasks() - before)


async def _end(left_behind: set[asyncio.Task[object]]) -> None:
    """Who still races when a race is lost would fail when its database is closed, and tell so in another test."""
    for task in left_behind:
        task.cancel()
    await asyncio.gather(*left_behind, return_exceptions=True)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param("sqlite"),
        pytest.param("postgres", marks=pytest.mark.postgres),
    ],
    indirect=True,
)
async def test_what_the_database_refuses_goes_through_without_its_guard(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each named constraint and trigger by itself, and put back by the end of the transaction."""
    still_refused = []
    async with something_of_everything(db):
        for guard, statements in REFUSED.items():
            for statement in statements:
                with pytest.raises(Undone):
                    async with database.transaction():
                        await Dropped(guard)(monkeypatch)
                        refusal = await outcome(statement)
                        raise Undone
                if refusal:
                    still_refused.append((guard, statement, refusal))

    assert still_refused == []


class Undone(Exception):
    """Ends a transaction so that nothing of it stays."""


@pytest.mark.parametrize(
    "cut", [cut for cuts in sabotage.GUARDS.values() for cut in cuts], ids=lambda cut: cut.where
)
def test_what_the_long_tests_take_out_is_still_there(cut: Cut) -> None:
    assert cut.changed()


@pytest.mark.parametrize("point", sabotage.points())
def test_where_processes_are_killed_is_still_there(point: str) -> None:
    place, name, _ = sabotage.points()[point]

    assert callable(getattr(place, name))


@pytest.mark.parametrize("settings", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_every_constraint_is_in_the_table_or_has_a_reason(db: Settings) -> None:
    uniques = {f"{row['table']} ({row['columns']})" for row in await database.fetch(UNIQUES)}
    unnamed = {row["constraint"] for row in await database.fetch(UNIQUES)}
    named = {row["name"] for row in await database.fetch(_DEFINITIONS)} - unnamed
    removed = {each.name for guard in GUARDS for each in guard.removed if isinstance(each, Dropped | Unique)}
    public = {each for each in uniques if each.endswith(" (public_id)")}  # random, and nobody's race

    assert uniques - public - removed == set(NOT_TAKEN_OUT)
    assert named == set(REFUSED)
    assert removed <= uniques | named


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_sqlite_has_the_same_guards(db: Settings) -> None:
    rows = await database.fetch(
        "SELECT type, name FROM sqlite_master WHERE type = 'trigger' OR (type = 'index' AND sql LIKE '%UNIQUE%')"
    )
    tables = await database.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")
    uniques = {
        f"{table['name']} ({', '.join(column['name'] for column in columns)})"
        for table in tables
        for index in await database.fetch(f"PRAGMA index_list({table['name']})")
        if index["origin"] == "u"
        for columns in [await database.fetch(f"PRAGMA index_info({index['name']})")]
    }

    assert {plain(row["name"]) if row["type"] == "trigger" else row["name"] for row in rows} == set(REFUSED)
    removed = {each.name for guard in GUARDS for each in guard.removed if isinstance(each, Unique)}
    assert {each for each in uniques if not each.endswith(" (public_id)")} == removed | set(NOT_TAKEN_OUT)
