"""PostgreSQL's disk is full: 503 and nothing half written, and all goes on when there is room again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest

from livehub.settings import Settings
from tests.conftest import left_out
from tests.faults.clusters import Cluster, a_cluster
from tests.faults.installation import installed
from tests.faults.processes import becomes
from tests.faults.twin import buckets_of_twin

pytestmark = [pytest.mark.faults, pytest.mark.long, pytest.mark.postgres]

DISK = "320m"
MOUNT = ("mount", "-t", "tmpfs")
FULL_SECONDS = 8.0


async def test_a_full_disk_is_refused_and_resumed(tmp_path: Path, twin: Settings) -> None:
    with a_small_disk() as disk:
        async with a_cluster(disk, max_wal_size="64MB", log_min_messages="warning") as cluster:
            settings = await cluster.settings(tmp_path)
            async with installed(settings) as installation:
                async with installation.under_load(per_second=60, claims_per_second=20) as load:
                    before = await load.steady(3)
                    async with filled(disk):
                        await becomes(lambda: load.troubles.get("503"), seconds=30)
                        acknowledged = len(load.acknowledged_at)
                        await asyncio.sleep(FULL_SECONDS)
                        answered = await installation.serving.status("/healthz")
                    print(
                        f"{len(load.acknowledged_at) - acknowledged} acknowledged meanwhile", file=sys.stderr
                    )
                    started = await back_up(cluster)
                    await load.reaches(before)

                assert answered == 200
                assert set(load.troubles) <= {"503"}
                buckets = await installation.reckon()
            await every_page_is_sound(cluster, settings)
        print(
            f"PostgreSQL {'had ended and was started' if started else 'went on by itself'}", file=sys.stderr
        )
        assert buckets == await buckets_of_twin(twin, installation.recorder)


@contextmanager
def a_small_disk() -> Iterator[Path]:
    """A file system of its own, in memory; only root may make one."""
    if os.geteuid() != 0:
        raise left_out("only root can mount a small file system")
    with tempfile.TemporaryDirectory(prefix="livehub-disk-") as folder:
        mounting = subprocess.run([*MOUNT, "-o", f"size={DISK}", "livehub", folder], check=False)
        if mounting.returncode != 0:
            raise left_out("this machine lets nobody mount a small file system")
        try:
            Path(folder).chmod(0o755)
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@asynccontextmanager
async def filled(disk: Path) -> AsyncIterator[None]:
    """Somebody else's file takes all the room, and what is freed meanwhile too."""
    file = disk / "filler"
    filling = asyncio.create_task(_fill(file))
    try:
        yield
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
        file.unlink()


async def _fill(file: Path) -> None:
    piece = bytes(256 * 1024)
    with file.open("wb", buffering=0) as handle:
        while True:
            try:
                handle.write(piece)
            except OSError:
                piece = bytes(4096)
                await asyncio.sleep(0.05)


async def back_up(cluster: Cluster) -> bool:
    """Start PostgreSQL where it has ended, as its supervisor would; whether it had."""
    if await cluster.is_running():
        return False
    await cluster.start()
    return True


async def every_page_is_sound(cluster: Cluster, settings: Settings) -> None:
    """Read each table and index whole: pages have checksums."""
    connection = await asyncpg.connect(settings.database)
    await connection.execute("CREATE EXTENSION amcheck")
    await connection.execute(
        "SELECT bt_index_parent_check(c.oid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_am am ON am.oid = c.relam WHERE am.amname = 'btree' AND c.relnamespace = 'public'::regnamespace"
    )
    damaged = await connection.fetchval("SELECT sum(checksum_failures) FROM pg_stat_database")
    await connection.close()
    assert damaged == 0
