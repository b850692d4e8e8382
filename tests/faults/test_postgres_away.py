"""PostgreSQL is restarted, cut off and stopped under load: a 503 where it must be, never a false yes, nothing lost."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import aiohttp
import asyncpg
import pytest

from livehub.settings import Settings
from tests.faults.clusters import Cluster, a_cluster
from tests.faults.installation import Installation, installed
from tests.faults.load import Load
from tests.faults.processes import becomes, memory_mib
from tests.faults.twin import buckets_of_twin

pytestmark = [pytest.mark.faults, pytest.mark.postgres]

GROWTH_MIB = 150  # of a web worker while its database is away: full queues and their bodies
PER_SECOND = 60
FASTER = 3  # than orders arrive, is how fast the backlog goes


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster that may be hurt; the tests of this file share it."""
    with asyncio.Runner() as runner:
        making = a_cluster(max_connections="60")
        yield runner.run(making.__aenter__())
        runner.run(making.__aexit__(None, None, None))


class Trial(NamedTuple):
    """A loaded installation on a cluster, and what can be done to it."""

    cluster: Cluster
    installation: Installation
    load: Load

    async def restart_at_once(self) -> None:
        """As after a power cut: no checkpoint, the write-ahead log is replayed."""
        await self.cluster.restart("immediate")

    async def end_sessions(self, *, seconds: float) -> None:
        """Somebody, or a fail-over, ends sessions of the service each second."""
        for _ in range(int(seconds)):
            connection = await asyncpg.connect(self.cluster.url())
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'livehub' AND random() < 0.7"
            )
            await connection.close()
            await asyncio.sleep(1)

    async def stay_away(self, *, seconds: float) -> None:
        """Stopped for a while; then what has piled up is worked off faster than more arrives."""
        await self.cluster.stop("immediate")
        until, answers = monotonic() + seconds, set()
        while monotonic() < until:
            answers.add(await self._knock())
            await asyncio.sleep(0.3)
        assert answers == {(503, True)}
        await self.cluster.start()
        back, before = monotonic(), len(self.load.acknowledged_at)
        await becomes(self._has_caught_up, seconds=seconds + 10)
        rate = (len(self.load.acknowledged_at) - before) / (monotonic() - back)
        print(f"{rate:.0f} a second while catching up, {PER_SECOND} arrive", file=sys.stderr)
        assert rate >= FASTER * PER_SECOND

    async def _knock(self) -> tuple[int, bool]:
        """A page that reads the database: its status, and whether it says when to come again."""
        url = f"{self.installation.serving.url}/c/{self.installation.town.slug}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, int(answer.headers.get("Retry-After", "0")) > 0

    async def _has_caught_up(self) -> bool:
        """Whether less than a second's worth waits, at the door and in the inbox."""
        connection = await asyncpg.connect(self.installation.settings.database)
        try:
            waiting = await connection.fetchval(
                "SELECT count(*) FROM inbox_message WHERE status IN ('received', 'processing')"
            )
        finally:
            await connection.close()
        return max(self.load.unanswered, waiting) <= PER_SECOND


async def all_of_it_shortly(trial: Trial) -> None:
    await trial.end_sessions(seconds=2)
    await trial.restart_at_once()
    await trial.stay_away(seconds=4)


async def restarts(trial: Trial) -> None:
    for _ in range(6):
        await trial.restart_at_once()
        await asyncio.sleep(5)


async def ended_sessions(trial: Trial) -> None:
    await trial.end_sessions(seconds=30)


async def a_minute_away(trial: Trial) -> None:
    await trial.stay_away(seconds=60)


@pytest.mark.parametrize(
    "hurt",
    [
        all_of_it_shortly,
        pytest.param(restarts, marks=pytest.mark.long),
        pytest.param(ended_sessions, marks=pytest.mark.long),
        pytest.param(a_minute_away, marks=pytest.mark.long),
    ],
)
async def test_nothing_acknowledged_is_lost(
    cluster: Cluster, tmp_path: Path, twin: Settings, hurt: Callable[[Trial], Awaitable[None]]
) -> None:
    settings = await cluster.settings(tmp_path)
    async with installed(settings) as installation:
        (worker,) = installation.serving.children("livehub-web")
        async with installation.under_load(per_second=PER_SECOND, claims_per_second=20) as load:
            before = await load.steady(3)
            calm = memory_mib(worker)
            await hurt(Trial(cluster, installation, load))
            await load.reaches(before)
            grown = memory_mib(worker) - calm

        assert "500" not in load.troubles, "an outage is no fault of ours: see serve.log"
        assert installation.serving.children("livehub-web") == {worker}
        buckets = await installation.reckon()
    assert buckets == await buckets_of_twin(twin, installation.recorder)
    print(f"the web worker grew by {grown:.0f} MiB", file=sys.stderr)
    assert grown < GROWTH_MIB
