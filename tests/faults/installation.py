"""A whole installation under load: real processes on one database, its town, its recorder, and the reckoning."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace

from livehub.settings import Settings
from tests.faults import load, reckoning
from tests.faults.load import Load
from tests.faults.processes import Serving, serve
from tests.faults.reckoning import Buckets
from tests.faults.recorder import Recorder
from tests.faults.town import Town, a_town

LEASE_SECONDS = 3  # the tests wait for leases to run out


def seconds(short: float, *, long: float) -> float:
    """How long a test works on an installation: the long way when LIVEHUB_FAULTS_LONG is set."""
    return long if os.environ.get("LIVEHUB_FAULTS_LONG") else short


class Installation:
    """``livehub serve --with-jobs`` on a database with a town in it."""

    def __init__(
        self, settings: Settings, town: Town, recorder: Recorder, serving: Serving, seed: int
    ) -> None:
        self.settings = settings
        self.town = town
        self.recorder = recorder
        self.serving = serving
        self.seed = seed

    @asynccontextmanager
    async def under_load(self, **paces: float) -> AsyncIterator[Load]:
        """Push while the block runs (``per_second``, ``claims_per_second``); everything is answered after it."""
        async with load.pushing(
            self.serving.url, self.town, self.recorder, seed=self.seed, **paces
        ) as pushed:
            yield pushed
        assert pushed.errors == []

    async def reckon(self, **how: Any) -> Buckets:
        """What was acknowledged is kept, once, and adds up."""
        return await reckoning.reckon(self.settings, self.town, self.recorder, **how)


@asynccontextmanager
async def installed(
    settings: Settings, *options: str, people: int = 200, stock: int = 150
) -> AsyncIterator[Installation]:
    """Serve a new town with its jobs; more ``options`` are those of ``livehub serve``."""
    settings = replace(settings, lease_seconds=LEASE_SECONDS)
    seed = load.chosen_seed()
    town = await a_town(settings, people=people, stock=stock)
    recorder = Recorder(settings.data_dir / "acknowledged.jsonl")
    try:
        async with serve(settings, "--with-jobs", *options) as serving:
            yield Installation(settings, town, recorder, serving, seed)
    finally:
        recorder.close()
