"""What a killed jobs process held waits for its successor, not for the end of its lease."""

from __future__ import annotations

import sys
from functools import partial
from time import monotonic

import pytest
from msgspec.structs import replace

from livehub import database
from livehub.settings import Settings
from tests.faults.installation import founded
from tests.faults.processes import becomes
from tests.faults.reckoning import opened
from tests.faults.test_processes_killed import BACK_WITHIN_SECONDS, back, quick_on, reached
from tests.faults.twin import buckets_of_twin

POINTS = ("intake.after_lease", "outbox.after_lease", "intake.before_commit")
LEASE_SECONDS = Settings().lease_seconds


async def database_ms() -> int:
    row = await database.fetch_one(f"SELECT {database.now_ms()} AS ms")
    assert row is not None
    return int(row["ms"])


async def is_worked_off(*, until: int) -> bool:
    """Whether no message and no fact of before that instant of the database's clock waits."""
    row = await database.fetch_one(
        "SELECT count(*) AS n FROM (SELECT received_at AS at FROM inbox_message"
        " WHERE status IN ('received', 'processing')"
        " UNION ALL SELECT created_at FROM outbox_message WHERE status = 'waiting') waiting WHERE at <= $1",
        until,
    )
    return row == {"n": 0}


@pytest.mark.faults
@quick_on("sqlite")
async def test_the_figures_are_behind_for_a_moment_only(settings: Settings, twin: Settings) -> None:
    """With leases of the usual length, many times longer than anybody may wait here."""
    assert LEASE_SECONDS > 4 * BACK_WITHIN_SECONDS
    slowest: dict[str, float] = dict.fromkeys(POINTS, 0.0)
    async with founded(settings) as installation:
        installation.settings = replace(installation.settings, lease_seconds=LEASE_SECONDS)
        async with installation.serve("--with-jobs") as installation.serving, opened(installation.settings):
            async with installation.under_load(per_second=60, claims_per_second=15):
                for point in POINTS:  # once each: who dies young again and again is started later each time
                    (jobs,) = installation.serving.children("livehub-jobs")
                    await reached(installation.arm(point))
                    killed, until = monotonic(), await database_ms()
                    await becomes(partial(is_worked_off, until=until), seconds=BACK_WITHIN_SECONDS)
                    slowest[point] = max(slowest[point], monotonic() - killed)
                    await back(installation.serving, "livehub-jobs", without=jobs, count=1)
            buckets = await installation.reckon()
    print(f"what came before the kill was in the figures after {slowest} s", file=sys.stderr)
    assert buckets == await buckets_of_twin(twin, installation.recorder)
