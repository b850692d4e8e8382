"""A consistent copy of the database while it is in use. The keys are not in it and never will be."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from livehub.database import marker
from livehub.kit import clock
from livehub.settings import Settings


class BackupFailed(Exception):
    """No copy was made; the text says why."""


def default_path(settings: Settings, *, now: datetime) -> Path:
    """Where a backup goes when nobody says otherwise."""
    stamp = clock.local(now).strftime("%Y%m%d-%H%M%S")
    suffix = "db" if settings.is_sqlite else "dump"
    return settings.data_dir / "backups" / f"livehub-{stamp}.{suffix}"


async def backup(settings: Settings, path: Path) -> str:
    """Write the copy and return its SHA-256; BackupFailed leaves nothing behind."""
    draft = _begun(path)
    try:
        if settings.file is not None:
            await asyncio.to_thread(_copy_sqlite, settings.file, draft)
        else:
            await _dump_postgres(settings, draft)
        digest = await asyncio.to_thread(sha256_of, draft)
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
    return digest


def _begun(path: Path) -> Path:
    """An empty file beside the copy to be, readable by its owner only."""
    if path.exists():
        raise BackupFailed(f"{path} exists already")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_WRONLY, 0o600))
    return draft


def _copy_sqlite(source: Path, draft: Path) -> None:
    if not source.exists():
        raise BackupFailed(f"{source} does not exist")
    try:
        with marker.visiting(source) as connection:
            copy_of_sqlite(connection, draft)
    except sqlite3.Error as error:
        raise BackupFailed(f"SQLite: {error}") from error


def copy_of_sqlite(source: sqlite3.Connection, target: Path) -> None:
    """Write everything that is committed into a new file, which nobody has open."""
    source.execute("VACUUM INTO ?", (str(target),))  # an empty file is taken as a new one
    with closing(sqlite3.connect(target)) as copy:
        copy.execute("PRAGMA user_version = 0")


async def _dump_postgres(settings: Settings, draft: Path) -> None:
    ended, told = await pg_client(settings, "pg_dump", "--format=custom", f"--file={draft}")
    if ended:
        raise BackupFailed(told or f"pg_dump ended with {ended}")


async def pg_client(settings: Settings, program: str, *options: str) -> tuple[int, str]:
    """Run one of PostgreSQL's own programs on the database: how it ended, and what it said."""
    url = urlsplit(settings.database)
    with TemporaryDirectory() as folder:
        parts = {
            "host": url.hostname or "127.0.0.1",
            "port": str(url.port or 5432),
            "user": unquote(url.username or "postgres"),
            "dbname": url.path.lstrip("/") or "livehub",
        }
        if url.password:  # not on the command line, where everybody on the machine could read it
            passfile = Path(folder) / "pgpass"
            passfile.touch(mode=0o600)
            passfile.write_text(f"*:*:*:*:{_escaped(unquote(url.password))}\n")
            parts["passfile"] = str(passfile)
        target = " ".join(f"{name}={_quoted(value)}" for name, value in parts.items())
        try:
            running = await asyncio.create_subprocess_exec(
                *(program, "--no-password", f"--dbname={target}", *options),
                stdin=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        except FileNotFoundError:
            return 127, f"{program} is not installed here (Debian: postgresql-client)"
        _, told = await running.communicate()
        return await running.wait(), told.decode(errors="replace").strip()


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace(":", r"\:")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace("'", r"\'")
    return f"'{escaped}'"


def sha256_of(path: Path) -> str:
    """As ``sha256sum`` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
