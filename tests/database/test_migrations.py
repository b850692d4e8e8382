"""The migrations say what the models say, and one that was killed has not happened."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from tortoise.context import TortoiseContext
from tortoise.migrations.autodetector import MigrationAutodetector

from livehub import settings as knobs
from livehub.database.config import DRAFT
from livehub.settings import Settings
from tests.conftest import KEYS, ROOT, Server, database_url

MIGRATIONS = sorted(path.stem for path in (ROOT / "livehub" / "migrations").glob("0*.py"))
TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    "postgres": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}


async def test_no_change_of_a_model_waits_for_its_migration() -> None:
    async with TortoiseContext() as context:
        await context.init(config=DRAFT, init_connections=False)
        waiting = await MigrationAutodetector(context.apps, DRAFT["apps"]).changes()

    assert [writer.operations for writer in waiting] == []


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """A database without anything in it."""
    if request.param == "sqlite":
        yield Settings(data_dir=tmp_path, database_url=f"sqlite://{tmp_path}/livehub.db", keys=KEYS)
        return
    server: Server = request.getfixturevalue("postgres")
    name = f"livehub_test_{uuid.uuid4().hex}"
    server.run(f'CREATE DATABASE "{name}"')
    yield Settings(data_dir=tmp_path, database_url=database_url(name), keys=KEYS)
    server.run(f'DROP DATABASE "{name}" WITH (FORCE)')


async def tables(settings: Settings) -> set[str]:
    if settings.file is not None:
        # For reading only: whoever closes a file last takes its -wal away.
        with closing(sqlite3.connect(f"file:{settings.file}?mode=ro", uri=True)) as connection:
            return {name for (name,) in connection.execute(TABLES["sqlite"])}
    connection = await asyncpg.connect(settings.database_url)
    try:
        return {name for (name,) in await connection.fetch(TABLES["postgres"])}
    finally:
        await connection.close()


async def migrate(settings: Settings, *, kill_at: str = "") -> int:
    """``livehub migrate``; killed when it says ``kill_at``."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "livehub", "migrate"),
        env=knobs.environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    async for line in process.stdout:
        if kill_at and kill_at in line.decode():
            process.kill()
    return await process.wait()


@pytest.mark.slow
async def test_migrations_that_are_killed_have_not_happened(empty: Settings) -> None:
    assert await migrate(empty, kill_at=f"apply_done {MIGRATIONS[-2]}") == -9
    left = await tables(empty)

    assert await migrate(empty) == 0

    assert left <= {"tortoise_migrations"}
    assert {"inbox_message", "voucher", "broadcast_review"} <= await tables(empty)
