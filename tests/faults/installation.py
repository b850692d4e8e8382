"""A whole installation under load: real processes on one database, its town, its recorder, and the reckoning."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from livehub import settings as knobs
from livehub.settings import Settings
from livehub.supervisor import LONGEST_WAIT_SECONDS
from tests.conftest import ROOT
from tests.faults import load, reckoning, sabotage
from tests.faults.load import Load
from tests.faults.processes import Serving, serve
from tests.faults.reckoning import Buckets
from tests.faults.recorder import Recorder
from tests.faults.town import Town, a_town

LEASE_SECONDS = 2  # the tests wait for leases to run out


def seconds(short: float, *, long: float) -> float:
    """How long a test works on an installation: the long way when LIVEHUB_FAULTS_LONG is set."""
    return long if os.environ.get("LIVEHUB_FAULTS_LONG") else short


class Installation:
    """A database with a town in it, and the ``livehub serve`` that run on it."""

    def __init__(self, settings: Settings, town: Town, recorder: Recorder, seed: int) -> None:
        self.settings = settings
        self.town = town
        self.recorder = recorder
        self.seed = seed
        self.poison = ""
        self.serving: Serving
        self.fuses = settings.data_dir / "fuses"
        self.fuses.mkdir()

    def serve(self, *options: str, port: int = 0) -> AbstractAsyncContextManager[Serving]:
        """One ``livehub serve`` of it, with the holes of ``sabotage``."""
        return serve(
            replace(self.settings, port=port),
            *options,
            module=sabotage.__name__,
            environ=self._environ,
        )

    @asynccontextmanager
    async def jobs(self) -> AsyncIterator[Jobs]:
        """One more jobs process."""
        environ = knobs.environment(self.settings) | self._environ
        jobs = Jobs(environ, self.settings.data_dir / "serve.log")
        await jobs.start()
        try:
            yield jobs
        finally:
            await jobs.kill()

    @property
    def _environ(self) -> dict[str, str]:
        return {
            sabotage.FUSES: str(self.fuses),
            sabotage.POISON: self.poison,
            sabotage.PATIENCE: str(seconds(0.5, long=LONGEST_WAIT_SECONDS)),
        }

    def arm(self, point: str, manner: str = "kill") -> Path:
        """Let the next process that gets to a point of ``sabotage`` die there; the file is gone when one did."""
        fuse = self.fuses / point
        draft = self.settings.data_dir / "draft"
        draft.write_text(manner)
        draft.rename(fuse)
        return fuse

    @asynccontextmanager
    async def under_load(self, *urls: str, **paces: float) -> AsyncIterator[Load]:
        """Push while the block runs (``per_second``, ``claims_per_second``); everything is answered after it."""
        aims = urls or (self.serving.url,)
        async with load.pushing(aims, self.town, self.recorder, seed=self.seed, **paces) as pushed:
            yield pushed
        assert pushed.errors == []

    async def reckon(self, **how: Any) -> Buckets:
        """What was acknowledged is kept, once, and adds up."""
        return await reckoning.reckon(self.settings, self.town, self.recorder, **how)


class Jobs:
    """``python -m jobs`` by itself, without a supervisor."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        self._environ = environ
        self._log = log
        self.process: asyncio.subprocess.Process

    async def start(self) -> None:
        with self._log.open("ab") as stderr:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", sabotage.__name__, "jobs"),
                cwd=ROOT,
                env=self._environ,
                stderr=stderr,
            )

    async def kill(self) -> None:
        """Without warning."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def founded(settings: Settings, *, people: int = 200, stock: int = 150) -> AsyncIterator[Installation]:
    """A new town in a migrated database; nobody serves it yet."""
    settings = replace(settings, lease_seconds=LEASE_SECONDS)
    seed = load.chosen_seed()
    town = await a_town(settings, people=people, stock=stock)
    recorder = Recorder(settings.data_dir / "acknowledged.jsonl")
    try:
        yield Installation(settings, town, recorder, seed)
    finally:
        recorder.close()


@asynccontextmanager
async def installed(settings: Settings, *options: str, **sizes: int) -> AsyncIterator[Installation]:
    """Serve a new town with its jobs; more ``options`` are those of ``livehub serve``."""
    async with (
        founded(settings, **sizes) as installation,
        installation.serve("--with-jobs", *options) as installation.serving,
    ):
        yield installation
