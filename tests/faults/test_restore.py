"""The drill: a copy made under load, the original lost, the copy restored, and the platforms send again."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import pytest
from msgspec.structs import replace

from livehub import database
from livehub import settings as knobs
from livehub.kit import ids
from livehub.settings import Settings
from tests.faults.clusters import Cluster, a_cluster
from tests.faults.installation import Installation, installed
from tests.faults.load import signed
from tests.faults.processes import becomes
from tests.faults.reckoning import opened
from tests.faults.test_processes_killed import quick_on
from tests.faults.twin import buckets_of_twin

pytestmark = pytest.mark.faults


async def livehub(settings: Settings, *command: str) -> str:
    """What a command said that went well."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "livehub", *command),
        env=knobs.environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await running.communicate()
    assert running.returncode == 0, told.decode()
    return told.decode()


async def send_again(installation: Installation) -> None:
    """The platforms send everything that they ever sent, the missing hour among it."""
    town, deliveries = installation.town, installation.recorder.deliveries().values()
    url = f"{installation.serving.url}/hooks/standard_webhooks/{town.endpoint_key}"
    gate = asyncio.Semaphore(32)
    async with aiohttp.ClientSession() as session:

        async def send(each) -> int:
            headers = signed(each, town)
            async with gate, session.post(url, data=each.body.encode(), headers=headers) as answer:
                return answer.status

        assert {await one for one in asyncio.as_completed([send(each) for each in deliveries])} == {200}


async def kept_deliveries(settings: Settings) -> set[str]:
    async with opened(settings):
        rows = await database.fetch("SELECT native_id FROM inbox_message WHERE source = 'push'")
    return {row["native_id"] for row in rows}


@asynccontextmanager
async def a_new_place(settings: Settings, folder: Path) -> AsyncIterator[Settings]:
    """Where nothing is yet: another folder, or an empty database of the same server."""
    if settings.is_sqlite:
        yield replace(settings, data_dir=folder, database_url=f"sqlite://{folder}/livehub.db")
        return
    name = f"livehub_{ids.public_id()}"
    server = urlsplit(settings.database)._replace(path="/postgres").geturl()
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
        yield replace(
            settings, data_dir=folder, database_url=urlsplit(server)._replace(path=f"/{name}").geturl()
        )
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


@quick_on("postgres")
async def test_a_backup_of_a_busy_installation_is_restored_and_catches_up(
    settings: Settings, twin: Settings, tmp_path: Path
) -> None:
    copy = tmp_path / "copies" / "livehub.copy"
    (tmp_path / "new").mkdir()
    async with installed(settings) as installation:
        async with installation.under_load(per_second=60):
            await asyncio.sleep(1.5)
            before = set(installation.recorder.deliveries())
            told = await livehub(settings, "backup", "--to", str(copy))
            await asyncio.sleep(1.5)
        for process in [installation.serving.process.pid, *installation.serving.children("livehub-")]:
            os.kill(process, 9)

    async with a_new_place(installation.settings, tmp_path / "new") as place:
        said = await livehub(place, "restore", str(copy), "--sha256", told.split()[0])
        assert "invariants hold" in said
        restored = await kept_deliveries(place)
        assert before <= restored < set(installation.recorder.deliveries())

        installation.settings = place
        async with installation.serve("--with-jobs") as installation.serving:
            await send_again(installation)
            await send_again(installation)
            found = await installation.reckon()
        assert found == await buckets_of_twin(twin, installation.recorder)


@pytest.mark.postgres
@pytest.mark.long
async def test_a_point_in_time_is_restored_and_the_missing_hour_comes_again(
    twin: Settings, tmp_path: Path
) -> None:
    async with a_cluster(
        wal_level="replica", archive_mode="on", archive_command="cp %p ../archive/%f"
    ) as lost:
        (lost.folder / "archive").mkdir()
        shutil.chown(lost.folder / "archive", lost.folder.owner(), lost.folder.group())
        settings = await lost.settings(tmp_path)
        async with installed(settings) as installation:
            async with installation.under_load(per_second=60):
                await asyncio.sleep(1)
                await lost._run(
                    *("pg_basebackup", "-h", "127.0.0.1", "-p", str(lost.port), "-U", "postgres"),
                    *("-D", lost.folder / "base", "-c", "fast", "-X", "none"),
                )
                await asyncio.sleep(1)
                before = set(installation.recorder.deliveries())
                point = await asked(lost, "SELECT clock_timestamp()::text")
                point_ms = int(datetime.fromisoformat(point).timestamp() * 1000)
                await asyncio.sleep(2)
                await asked(lost, "SELECT pg_switch_wal()")
            await becomes(lambda: archived(lost), seconds=20)
        await lost.stop("immediate")

        async with recovered(lost, point=point) as cluster:
            place = replace(
                installation.settings,
                database_url=cluster.url(urlsplit(settings.database).path.lstrip("/")),
            )
            await livehub(place, "migrate")
            await livehub(place, "audit")
            restored = await kept_deliveries(place)
            assert before <= restored < set(installation.recorder.deliveries())
            assert await newest_delivery(place) <= point_ms

            installation.settings = place
            async with installation.serve("--with-jobs", "--workers", "2") as installation.serving:
                await send_again(installation)
                found = await installation.reckon()
            assert found == await buckets_of_twin(twin, installation.recorder)


async def newest_delivery(settings: Settings) -> int:
    """When it arrived, in milliseconds."""
    async with opened(settings):
        row = await database.fetch_one("SELECT max(received_at) AS at FROM inbox_delivery")
    assert row is not None
    return int(row["at"])


async def asked(cluster: Cluster, question: str) -> str:
    connection = await asyncpg.connect(cluster.url())
    try:
        return str(await connection.fetchval(question))
    finally:
        await connection.close()


async def archived(cluster: Cluster) -> bool:
    """Whether the newest whole piece of the log is in the archive."""
    newest = await asked(cluster, "SELECT last_archived_wal FROM pg_stat_archiver")
    return (cluster.folder / "archive" / newest).exists() and await asked(
        cluster,
        "SELECT last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 16777216) FROM pg_stat_archiver",
    ) == "True"


@asynccontextmanager
async def recovered(lost: Cluster, *, point: str) -> AsyncIterator[Cluster]:
    """A new cluster from the base backup and the archive of another, as of an instant."""
    folder = Path(tempfile.mkdtemp(prefix="livehub-cluster-"))
    shutil.chown(folder, lost.folder.owner(), lost.folder.group())
    async with a_cluster() as spare:
        port = spare.port
    cluster = Cluster(folder, lost._binaries, port)
    try:
        shutil.move(lost.folder / "base", cluster.data)
        with (cluster.data / "postgresql.conf").open("a") as conf:
            conf.write(
                f"port = '{port}'\nunix_socket_directories = '{folder}'\narchive_mode = off\n"
                f"restore_command = 'cp {lost.folder}/archive/%f %p'\n"
                f"recovery_target_time = '{point}'\nrecovery_target_action = 'promote'\n"
            )
        (cluster.data / "recovery.signal").touch()
        shutil.chown(cluster.data / "recovery.signal", lost.folder.owner(), lost.folder.group())
        await cluster.start()
        await becomes(lambda: is_promoted(cluster), seconds=30)
        yield cluster
    finally:
        with suppress(AssertionError):
            await cluster.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


async def is_promoted(cluster: Cluster) -> bool:
    return await asked(cluster, "SELECT pg_is_in_recovery()") == "False"
