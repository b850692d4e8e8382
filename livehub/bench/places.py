"""Databases of a benchmark's own: made and filled once, copied for each contender, dropped at the end."""

from __future__ import annotations

import secrets
import shutil
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg
import msgspec

from livehub import process
from livehub.bench.contract import Plan
from livehub.database.migrate import migrate
from livehub.settings import Settings

T = TypeVar("T")


class Places:
    """Settings of databases that end with the benchmark."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.folder = folder
        self._plan = plan
        self._keys = f"bench:{b64encode(secrets.token_bytes(32)).decode()}"
        self._made: list[str] = []

    async def empty(self, name: str) -> Settings:
        """A migrated database."""
        settings = self._settings(name)
        if self._plan.engine == "postgres":
            await self._admin(f'CREATE DATABASE "{_of(settings)}"')
            self._made.append(_of(settings))
        await migrate(settings)
        return settings

    async def copy(self, source: Settings, name: str) -> Settings:
        """The same database again; nobody may be connected to the source."""
        settings = self._settings(name)
        if self._plan.engine == "postgres":
            await self._admin(f'CREATE DATABASE "{_of(settings)}" TEMPLATE "{_of(source)}"')
            self._made.append(_of(settings))
        else:
            shutil.copyfile(_file(source), _file(settings))
        return settings

    async def drop(self) -> None:
        """Drop what was made on a server; files go with their folder."""
        for each in reversed(self._made):
            await self._admin(f'DROP DATABASE IF EXISTS "{each}" WITH (FORCE)')

    def _settings(self, name: str) -> Settings:
        data_dir = self.folder / name
        data_dir.mkdir()
        url = f"sqlite://{data_dir / 'livehub.db'}"
        if self._plan.engine == "postgres":
            server = urlsplit(self._plan.postgres_url)
            url = server._replace(path=f"/livehub_bench_{name}_{secrets.token_hex(4)}").geturl()
        return Settings(data_dir=data_dir, database_url=url, keys=self._keys, port=0, log_level="WARNING")

    async def _admin(self, sql: str) -> None:
        connection = await asyncpg.connect(self._plan.postgres_url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


@asynccontextmanager
async def places(plan: Plan) -> AsyncIterator[Places]:
    """A folder and databases for one benchmark."""
    with TemporaryDirectory(prefix="livehub-bench-") as folder:
        made = Places(plan, Path(folder))
        try:
            yield made
        finally:
            await made.drop()


async def inside(settings: Settings, work: Callable[[], Awaitable[T]]) -> T:
    """Do some work on a database in this process."""
    try:
        await process.start(msgspec.structs.replace(settings, pool_size=2))
        return await work()
    finally:
        await process.stop()


def _of(settings: Settings) -> str:
    return urlsplit(settings.database).path.lstrip("/")


def _file(settings: Settings) -> Path:
    return Path(settings.database.removeprefix("sqlite://"))
