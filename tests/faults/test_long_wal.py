"""SQLite's -wal grows while somebody reads for long, and processes die as it is brought in: nothing is lost, it shrinks."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import struct
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep

import pytest

from livehub.settings import Settings
from tests.faults.alarms import alarm
from tests.faults.installation import Installation, installed, seconds
from tests.faults.processes import becomes
from tests.faults.twin import buckets_of_twin

pytestmark = [pytest.mark.faults, pytest.mark.long]

MIB = 2**20
GROWN_MIB = int(seconds(160, long=1024))
LEFT_MIB = 64  # of the file, once everything in it is in the database
SHRINKS_WITHIN_SECONDS = seconds(20, long=60)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_a_long_reader_and_a_death_in_the_checkpoint_lose_nothing(
    settings: Settings, twin: Settings
) -> None:
    grows = alarm("WalGrows")
    assert settings.file is not None
    file, wal = settings.file, settings.file.with_name(f"{settings.file.name}-wal")
    async with installed(settings) as installation:
        async with installation.under_load(per_second=60, claims_per_second=20) as load:
            before = await load.steady(2)
            with closing(sqlite3.connect(file, isolation_level=None)) as reader:
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM inbox_message").fetchone()
                await asyncio.to_thread(fill, file, lambda: size_mib(wal) < GROWN_MIB)
                await load.reaches(before, within_seconds=0)
                await asyncio.sleep(2.5)  # figures are kept for two
                told, grown = await grows.told(installation.serving), size_mib(wal)
            await asyncio.to_thread(kill_in_checkpoint, installation, file)
            await load.reaches(before)
            await becomes(lambda: size_mib(wal) <= LEFT_MIB, seconds=SHRINKS_WITHIN_SECONDS)

        buckets = await installation.reckon()
    print(f"the -wal had {grown:.0f} MiB, and has {size_mib(wal):.0f}", file=sys.stderr)
    assert buckets == await buckets_of_twin(twin, installation.recorder)
    assert 0.8 * GROWN_MIB <= told / MIB <= grown
    assert grows.rings_at(told) == (GROWN_MIB > 512)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def fill(file: Path, go_on: Callable[[], bool]) -> None:
    """Another program writes a lot, a few megabytes in each transaction."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as writer:
        writer.execute("CREATE TABLE filler (page BLOB)")
        while go_on():
            writer.execute(
                "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 40)"
                " INSERT INTO filler SELECT zeroblob(100000) FROM n"
            )
            sleep(0.02)  # the service wants its turn


def kill_in_checkpoint(installation: Installation, file: Path) -> None:
    """Once the reader has gone the next commit brings all of it in: whoever does that dies on the way."""
    until = monotonic() + 20
    while not is_checkpointing(file):
        assert monotonic() < until, "nobody began to checkpoint"
    victims = installation.serving.children("livehub-web") | installation.serving.children("livehub-jobs")
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    assert len(victims) == 2
    assert is_checkpointing(file), "it was through before anybody was dead"


def is_checkpointing(file: Path) -> bool:
    """Whether frames are being copied, as the -shm says; see WalCkptInfo in SQLite's wal.c."""
    with file.with_name(f"{file.name}-shm").open("rb") as shm:
        header = shm.read(136)
    done, attempted = struct.unpack_from("=I", header, 96)[0], struct.unpack_from("=I", header, 128)[0]
    return bool(attempted > done)


def size_mib(path: Path) -> float:
    return path.stat().st_size / MIB if path.exists() else 0.0
