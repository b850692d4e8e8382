"""Web workers, jobs and the supervisor are killed under load: nothing acknowledged is lost, nothing counted twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from time import monotonic

import pytest

from livehub.settings import Settings
from tests.faults.installation import Installation, installed, seconds
from tests.faults.processes import becomes
from tests.faults.twin import buckets_of_twin

pytestmark = pytest.mark.faults


async def kill_again_and_again(installation: Installation, of: str, *, for_seconds: float) -> float:
    """Kill -9 one process of a name every half to two seconds; how long the slowest was away."""
    chance = random.Random(installation.seed)
    until, slowest = monotonic() + for_seconds, 0.0
    while monotonic() < until:
        family = sorted(installation.serving.children(of))
        victim = chance.choice(family)
        os.kill(victim, signal.SIGKILL)
        killed = monotonic()
        await becomes(
            lambda: len(installation.serving.children(of) - {victim}) == len(family),  # noqa: B023 -- awaited here
            seconds=5,
        )
        slowest = max(slowest, monotonic() - killed)
        await asyncio.sleep(chance.uniform(0.5, 2.0))
    return slowest


async def test_web_workers_are_killed_under_load(settings: Settings, twin: Settings) -> None:
    workers = () if settings.is_sqlite else ("--workers", "2")
    async with installed(settings, *workers) as installation:
        async with installation.under_load(per_second=100, claims_per_second=20) as load:
            before = await load.steady(3)
            slowest = await kill_again_and_again(installation, "livehub-web", for_seconds=seconds(6, long=60))
            await load.reaches(before)

        buckets = await installation.reckon()
    assert buckets == await buckets_of_twin(twin, installation.recorder)
    print(f"the slowest was back after {slowest:.2f} s")
