"""A PostgreSQL cluster of a test's own, which may be stopped, killed and filled without harming anybody else."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

import asyncpg
from tortoise.backends.base.executor import EXECUTOR_CACHE

from livehub.database.migrate import migrate
from livehub.kit import ids
from livehub.serving import listen
from livehub.settings import Settings
from tests.conftest import KEYS, left_out

Mode = Literal["smart", "fast", "immediate"]


class Cluster:
    """Belongs to an unprivileged user where we are root, since initdb refuses root."""

    def __init__(self, folder: Path, binaries: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self._binaries = binaries

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str = "postgres", *, user: str = "postgres") -> str:
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}"

    async def initialise(self, options: dict[str, str]) -> None:
        """Make it; fsync stays on, for what is acknowledged must survive."""
        if os.geteuid() == 0:
            owner = _owner()
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        await self._run(
            "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C", "-k"
        )
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "fsync": "on",
            **options,
        }
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    async def start(self) -> None:
        await self._run("pg_ctl", "-D", self.data, "-l", self.folder / "log", "-w", "-t", "60", "start")

    async def stop(self, mode: Mode = "fast") -> None:
        await self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    async def restart(self, mode: Mode = "fast") -> None:
        await self.stop(mode)
        await self.start()

    async def is_running(self) -> bool:
        """Whether it accepts connections, or will when it has recovered."""
        try:
            await self._run("pg_ctl", "-D", self.data, "status")
        except AssertionError:
            return False
        return True

    async def settings(self, data_dir: Path, *, user: str = "postgres", **changes: object) -> Settings:
        """Settings of a fresh, migrated database in it, of a user of its own if that is wanted."""
        EXECUTOR_CACHE.clear()  # Tortoise keeps one engine's SQL by the connection's name
        name = f"livehub_{ids.public_id()}"
        connection = await asyncpg.connect(self.url())
        try:
            if user != "postgres":
                await connection.execute(f'CREATE USER "{user}"')
            await connection.execute(f'CREATE DATABASE "{name}" OWNER "{user}"')
        finally:
            await connection.close()
        url = self.url(name, user=user)
        made = Settings(data_dir=data_dir, database_url=url, keys=KEYS, port=0, **changes)
        await migrate(made)
        return made

    async def _run(self, program: str, *arguments: str | Path) -> None:
        command = [str(self._binaries / program), *map(str, arguments)]
        if os.geteuid() == 0:
            command = [
                "setpriv",
                f"--reuid={_owner().pw_uid}",
                f"--regid={_owner().pw_gid}",
                "--clear-groups",
                *command,
            ]
        running = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        _, told = await running.communicate()
        assert running.returncode == 0, f"{program}: {told.decode()}"


def _owner() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _binaries() -> Path:
    """Where initdb and pg_ctl are; a test that finds none is left out."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(":") if folder]
    with suppress(OSError, subprocess.CalledProcessError):
        told = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
        folders.insert(0, Path(told.stdout.strip()))
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    raise left_out("no PostgreSQL server programs on this machine")


@asynccontextmanager
async def a_cluster(disk: Path | None = None, **options: str) -> AsyncIterator[Cluster]:
    """A running cluster; ``options`` go into its postgresql.conf. It is gone at the end, whatever happened."""
    folder = Path(tempfile.mkdtemp(prefix="livehub-cluster-", dir=disk))
    with listen("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
    cluster = Cluster(folder, _binaries(), port)
    try:
        await cluster.initialise(options)
        await cluster.start()
        yield cluster
    finally:
        with suppress(AssertionError):
            await cluster.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
