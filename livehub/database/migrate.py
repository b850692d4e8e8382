"""The guarded migrate command: lock, back up, migrate, check, and only then commit.

All that is pending is one transaction: what fails or is killed half-way has not happened, and is run again.
Tortoise rebuilds a SQLite table by dropping it, and with foreign keys on that deletes every child that
cascades. So foreign keys are off while a migration runs, the file is copied first, and
``foreign_key_check`` has the last word.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

from tortoise import Tortoise
from tortoise.connection import get_connection
from tortoise.transactions import in_transaction

from livehub.database import marker
from livehub.database.backup import copy_of_sqlite
from livehub.database.config import LABEL, tortoise_config
from livehub.database.executor import Executor
from livehub.kit import clock
from livehub.settings import Settings

_ADVISORY_LOCK = 0x6C697665687562  # "livehub"


class MigrationFailed(Exception):
    """The database was left as it was; a copy from before is named in the text."""


async def migrate(settings: Settings, *, say: Callable[[str], None] = lambda _: None) -> int:
    """Bring the database to the newest schema; returns how many migrations ran."""
    path = settings.file
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with marker.held(path.with_name(f"{path.name}.migrate-lock")):
            return await _migrate_sqlite(settings, path, say)
    return await _migrate_postgres(settings, say)


async def pending(settings: Settings) -> int:
    """How many migrations have not run yet, on an open connection."""
    executor = _executor(settings)
    try:
        return len(await executor.plan())
    except Exception:  # noqa: BLE001 -- no table of applied migrations yet: all are pending
        await executor.loader.build_graph()
        return len(executor.loader.graph.nodes)


async def _migrate_sqlite(settings: Settings, path: Path, say: Callable[[str], None]) -> int:
    async with _opened(settings, {"foreign_keys": "OFF"}):
        executor = _executor(settings)
        count = await _count(executor)
        if count == 0:
            return 0
        backup = _backup(path) if await _has_rows(executor) else None
        if backup:
            say(f"backed up to {backup}")
        try:
            async with in_transaction("default"):
                await _migrate_all(settings, say)
                broken = await get_connection("default").execute_query_dict(
                    "SELECT * FROM pragma_foreign_key_check"
                )
                if broken:
                    raise MigrationFailed(f"{len(broken)} rows lost their parent: {broken[:3]}")
        except Exception as error:
            copy = f"; a copy from before is {backup}" if backup else ""
            raise MigrationFailed(f"{error}; nothing was changed{copy}") from error
        return count


async def _migrate_postgres(settings: Settings, say: Callable[[str], None]) -> int:
    async with _opened(settings, {"maxsize": 2, "command_timeout": None}):
        connection = get_connection("default")
        pool = connection._pool  # noqa: SLF001 -- the lock must live on one connection of our own
        if pool is None:
            await connection.execute_query("SELECT 1")
            pool = connection._pool  # noqa: SLF001 -- as above
        async with pool.acquire() as holder:
            await holder.execute(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})")
            try:
                count = await _count(_executor(settings))
                if count:
                    async with in_transaction("default"):
                        await _migrate_all(settings, say)
            finally:
                await holder.execute(f"SELECT pg_advisory_unlock({_ADVISORY_LOCK})")
        return count


async def _migrate_all(settings: Settings, say: Callable[[str], None]) -> None:
    """What is pending, with the notes of what was applied, in the current transaction."""
    await _executor(settings).migrate(progress=lambda event, _label, name: say(f"{event} {name}"))


@asynccontextmanager
async def _opened(settings: Settings, credentials: dict[str, object]) -> AsyncIterator[None]:
    config = tortoise_config(settings)
    config["connections"]["default"]["credentials"].update(credentials)
    if not settings.is_sqlite:
        config["connections"]["default"]["credentials"]["server_settings"].update(
            {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
        )
    await Tortoise.init(config=config, init_connections=False, _enable_global_fallback=True)
    try:
        yield
    finally:
        await Tortoise.close_connections()


def _executor(settings: Settings) -> Executor:
    """On the connection of the moment: inside a transaction, the transaction's."""
    return Executor(get_connection("default"), _apps(settings))


def _apps(settings: Settings) -> dict[str, dict[str, object]]:
    return {LABEL: tortoise_config(settings)["apps"][LABEL]}


async def _count(executor: Executor) -> int:
    await executor.recorder.ensure_schema(executor._schema_editor(atomic=False))  # noqa: SLF001 -- as migrate() does
    return len(await executor.plan())


async def _has_rows(executor: Executor) -> bool:
    return bool(await executor.recorder.applied_migrations())


def _backup(path: Path) -> Path:
    stamp = clock.local(clock.now()).strftime("%Y%m%d-%H%M%S")
    backup = path.with_name(f"{path.stem}.before-migration-{stamp}{path.suffix}")
    backup.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as source:
        copy_of_sqlite(source, backup)
    return backup
