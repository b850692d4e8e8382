"""A backup put back, into an empty place only; what was there before is never touched."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path

import asyncpg

from livehub.database import marker
from livehub.database.backup import copy_of_sqlite, pg_client, sha256_of
from livehub.settings import Settings


class RestoreFailed(Exception):
    """The database was left as it was; the text says why."""


async def restore(settings: Settings, path: Path, *, sha256: str = "") -> None:
    """Put the copy into the empty database of the settings; its schema may be older than ours."""
    await asyncio.to_thread(_look_at, path, sha256)
    if settings.file is not None:
        await asyncio.to_thread(_restore_sqlite, path, settings.file)
    else:
        await _restore_postgres(settings, path)


def _look_at(path: Path, sha256: str) -> None:
    if not path.is_file():
        raise RestoreFailed(f"{path} does not exist")
    if sha256 and sha256_of(path) != sha256.lower():
        raise RestoreFailed(f"{path} does not have that SHA-256: it was changed or cut on its way")


def _restore_sqlite(copy: Path, target: Path) -> None:
    left = [each for each in _files_of(target) if each.exists() and each.stat().st_size]
    if left:  # a -wal alone is refused too: SQLite would play it into the restored file
        raise RestoreFailed(
            f"{', '.join(str(each) for each in left)} would be overwritten; stop everything and move"
            " what is there to another folder first"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.part")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    try:
        with marker.visiting(copy) as source:
            broken = source.execute("PRAGMA integrity_check").fetchall()
            if broken != [("ok",)]:
                raise RestoreFailed(f"{copy} is damaged: {broken[0][0]}")
            copy_of_sqlite(source, draft)
        _on_the_disk(draft)
        for each in _files_of(target):
            each.unlink(missing_ok=True)  # empty ones
        draft.rename(target)
        _on_the_disk(target.parent)
    except sqlite3.Error as error:
        raise RestoreFailed(f"{copy} is no whole SQLite database: {error}") from error
    finally:
        draft.unlink(missing_ok=True)


def _files_of(file: Path) -> list[Path]:
    return [file, *(file.with_name(f"{file.name}-{suffix}") for suffix in ("wal", "shm", "journal"))]


def _on_the_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _restore_postgres(settings: Settings, path: Path) -> None:
    try:
        connection = await asyncpg.connect(settings.database, timeout=10)
    except (OSError, asyncpg.PostgresError) as error:
        raise RestoreFailed(f"the database to restore into: {error}; make it first: createdb") from error
    try:
        tables = await connection.fetchval(
            "SELECT count(*) FROM pg_class"
            " WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        )
    finally:
        await connection.close()
    if tables:
        raise RestoreFailed(f"the database has {tables} tables already; restore into an empty one: createdb")
    ended, told = await pg_client(
        settings, "pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", str(path)
    )
    if ended:
        raise RestoreFailed(told or f"pg_restore ended with {ended}")
