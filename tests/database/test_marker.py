"""A SQLite file says that it is open: a copy without its -wal is refused, and what was killed never is."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from tortoise.backends.base.executor import EXECUTOR_CACHE

from livehub import database, process
from livehub import settings as knobs
from livehub.database import marker, sqlite
from livehub.database.backup import backup
from livehub.database.sqlite import Client
from livehub.settings import Settings
from tests.conftest import KEYS
from tests.faults.processes import becomes, serve

# Far in the future: what is past is pruned every hour, also while a test has the jobs running.
NOTE = "INSERT INTO rate_window (key, starts_at, count) VALUES ($1, 4102444800000, 1)"


@pytest.fixture
def county(tmp_path: Path, sqlite_template: Path) -> Settings:
    EXECUTOR_CACHE.clear()
    shutil.copy(sqlite_template, tmp_path / "livehub.db")
    return Settings(data_dir=tmp_path, database_url=f"sqlite://{tmp_path}/livehub.db", keys=KEYS, port=0)


def file_of(settings: Settings) -> Path:
    assert settings.file is not None
    return settings.file


def wal_of(settings: Settings) -> Path:
    file = file_of(settings)
    return file.with_name(f"{file.name}-wal")


def copied(settings: Settings, folder: Path, *, with_wal: bool) -> Settings:
    """What ``cp`` makes of a database."""
    folder.mkdir()
    shutil.copy(file_of(settings), folder / "livehub.db")
    if with_wal:
        shutil.copy(wal_of(settings), folder / "livehub.db-wal")
    return replace(settings, data_dir=folder, database_url=f"sqlite://{folder}/livehub.db")


def told(settings: Settings, *command: str) -> tuple[int, str]:
    """How a command ends and what it says."""
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        env=knobs.environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def notes(settings: Settings) -> list[str]:
    with closing(sqlite3.connect(file_of(settings))) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM rate_window ORDER BY key")]


async def note(settings: Settings, key: str) -> None:
    EXECUTOR_CACHE.clear()
    await process.start(settings)
    await database.execute(NOTE, key)
    await process.stop()


async def test_a_copy_without_its_wal_is_refused_by_everybody_until_it_is_accepted(
    county: Settings, tmp_path: Path
) -> None:
    await process.start(county)
    await database.execute(NOTE, "acknowledged")
    torn = copied(county, tmp_path / "torn", with_wal=False)
    whole = copied(county, tmp_path / "whole", with_wal=True)
    await process.stop()

    commands = (
        ("livehub", "serve"),
        ("livehub", "serve", "--no-migrate"),
        ("jobs",),
        *(("livehub", name) for name in ("migrate", "audit", "backup")),
    )
    refusals = await asyncio.gather(*(asyncio.to_thread(told, torn, *command) for command in commands))
    assert [(status, "livehub.db-wal is not beside it" in said) for status, said in refusals] == (
        [(1, True)] * len(commands)
    ), refusals
    assert not wal_of(torn).exists()  # looking made none, which would hide that it is missing
    assert (await asyncio.to_thread(told, torn, "livehub", "migrate", "--accept-missing-wal"))[0] == 0

    async with serve(torn) as loser, serve(whole) as winner:
        assert (await loser.status(), await winner.status()) == (200, 200)
    assert (notes(torn), notes(whole)) == ([], ["acknowledged"])


async def test_the_last_to_leave_takes_the_mark_away(county: Settings) -> None:
    async with serve(county, "--with-jobs") as serving:
        assert marker.is_open(file_of(county))
        (jobs,) = serving.children("livehub-jobs")
        os.kill(jobs, signal.SIGKILL)
        await note(county, "a guest that leaves first")
        with closing(sqlite3.connect(file_of(county))) as connection:
            connection.execute("PRAGMA wal_checkpoint")
        assert marker.is_open(file_of(county))

    assert not marker.is_open(file_of(county))
    assert not wal_of(county).exists()
    await note(county, "once more")
    assert notes(county) == ["a guest that leaves first", "once more"]


async def test_what_was_killed_starts_again(county: Settings) -> None:
    for n in range(2):
        async with serve(county, "--with-jobs") as serving:
            family = [serving.process.pid, *serving.children("livehub-")]
            for pid in family:
                os.kill(pid, signal.SIGKILL)
            await becomes(partial(nobody_has, file_of(county)), seconds=10)
        assert marker.is_open(file_of(county))
        assert wal_of(county).exists()
        if n == 0:
            await backup(county, county.data_dir / "copy.db")  # the last to close: it folds the -wal in
            assert not wal_of(county).exists()
        await note(county, f"after {n}")

    assert notes(county) == ["after 0", "after 1"]


async def test_a_backup_of_an_open_file_is_not_marked(county: Settings, tmp_path: Path) -> None:
    await process.start(county)
    await database.execute(NOTE, "acknowledged")
    await backup(county, tmp_path / "copy.db")
    await process.stop()

    assert not marker.is_open(tmp_path / "copy.db")
    assert notes(replace(county, database_url=f"sqlite://{tmp_path}/copy.db")) == ["acknowledged"]


def test_kill_9_at_any_moment_of_two_processes_is_no_reason_to_refuse(county: Settings) -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)

    for n in range(60):
        pair = [forked(county, f"{n}-{i}") for i in range(2)]
        for pid in pair:
            signal.sigtimedwait([], chance.random() * 0.03)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        marker.refuse_copy(file_of(county))

    pid = forked(county, "the last")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert not marker.is_open(file_of(county))


@pytest.mark.parametrize("closing_too", ["a process", "a visitor"])
def test_kill_9_of_the_other_after_the_look_who_is_last_is_no_reason_to_refuse(
    county: Settings, monkeypatch: pytest.MonkeyPatch, closing_too: str
) -> None:
    sitting = forked_and_sitting(county)
    looked = marker.Guest.is_last

    def look_and_kill(guest: marker.Guest) -> bool:
        last = looked(guest)
        if not last:
            killed(sitting)
        return last

    monkeypatch.setattr(marker.Guest, "is_last", look_and_kill)
    if closing_too == "a process":
        asyncio.run(note(county, "the one that leaves"))
    else:
        asyncio.run(backup(county, county.data_dir / "copy.db"))
    with pytest.raises(ChildProcessError):
        os.waitpid(sitting, os.WNOHANG)

    marker.refuse_copy(file_of(county))
    asyncio.run(note(county, "the next"))
    assert {"who sits there", "the next"} <= set(notes(county))
    assert not marker.is_open(file_of(county))


def test_a_start_that_is_cancelled_after_a_kill_is_no_reason_to_refuse(
    county: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(forked_and_sitting(county))

    async def cancelled(_: Client) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(Client, "_mark_open", cancelled)
        with pytest.raises(asyncio.CancelledError):
            starting = Client(str(file_of(county)), connection_name="default")
            asyncio.run(starting.create_connection(with_db=True))

    assert wal_of(county).exists()
    asyncio.run(note(county, "the next"))
    assert notes(county) == ["the next", "who sits there"]


def test_a_mark_that_never_reached_the_header_is_no_reason_to_refuse(
    county: Settings, tmp_path: Path
) -> None:
    if (pid := os.fork()) == 0:
        connection = sqlite3.connect(file_of(county), isolation_level=None)
        connection.execute(f"PRAGMA user_version = {marker.OPEN}")
        os.kill(os.getpid(), signal.SIGKILL)  # before its checkpoint
    os.waitpid(pid, 0)
    assert not marker.is_open(file_of(county))

    asyncio.run(backup(county, tmp_path / "copy.db"))

    assert not wal_of(county).exists()
    marker.refuse_copy(file_of(county))


async def test_a_mark_that_cannot_be_taken_away_keeps_the_wal(
    county: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    await process.start(county)
    await database.execute(NOTE, "acknowledged")
    other = sqlite3.connect(file_of(county), isolation_level=None)
    with marker.wal_kept(file_of(county)), closing(other):  # also from the program that is in the way
        other.execute("BEGIN IMMEDIATE")
        await process.stop()

    assert marker.is_open(file_of(county))
    assert wal_of(county).exists()
    await note(county, "the next")
    assert notes(county) == ["acknowledged", "the next"]


def test_many_that_open_and_close_at_once_refuse_nobody(county: Settings) -> None:
    crowd = [forked(county, f"crowd-{i}", rounds=25) for i in range(6)]

    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in crowd] == [0] * 6
    assert not marker.is_open(file_of(county))


def forked_and_sitting(settings: Settings) -> int:
    """A process that has the database open and written to, and is stopped there."""

    async def sit() -> None:
        EXECUTOR_CACHE.clear()
        await process.start(settings)
        await database.execute(NOTE, "who sits there")
        os.kill(os.getpid(), signal.SIGSTOP)

    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(sit())
        finally:
            os._exit(1)
    assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    return pid


def killed(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def nobody_has(file: Path) -> bool:
    guest = marker.Guest(file)
    try:
        return guest.is_last()
    finally:
        guest.leave()


def forked(settings: Settings, key: str, *, rounds: int = 3) -> int:
    """A process that opens the database, writes, closes it, and so on."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            for round_ in range(rounds):
                asyncio.run(note(settings, f"{key}-{round_}"))
            status = 0
        finally:
            os._exit(status)
    return pid
