"""The process that fetches is killed between a reply and its commit, and after it: each order is read and booked once."""

from __future__ import annotations

import asyncio

import pytest

from livehub import sandbox
from livehub.settings import Settings
from tests.faults.installation import installed
from tests.faults.platform import Shops
from tests.faults.test_processes_killed import back, quick_on, reached

POINTS = ("fetch.after_lease", "fetch.after_reply", "fetch.before_commit", "fetch.after_commit")


@pytest.mark.faults
@quick_on("postgres")
async def test_jobs_die_at_every_point_of_a_fetch(settings: Settings, twin: Settings) -> None:
    async with sandbox.running() as box, installed(settings, people=1, stock=1) as installation:
        shops, serving = Shops(box, {"910001": box.base_url}), installation.serving
        await shops.open(installation)
        await shops.go_live(per_second=10, seed=installation.seed)
        for point in POINTS:
            (jobs,) = serving.children("livehub-jobs")
            await reached(installation.arm(point))
            await back(serving, "livehub-jobs", without=jobs, count=1)
            await asyncio.sleep(0.5)
        await shops.stop()

        buckets = await shops.reckon(installation.settings)
        assert buckets == await shops.buckets_of_twin(twin)
