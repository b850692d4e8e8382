"""Lines that are slow, silent or torn, to PostgreSQL and to one of two platforms: late where it must be, twice never."""

from __future__ import annotations

import asyncio
import sys
from time import monotonic

import pytest
from msgspec.structs import replace

from livehub import database, sandbox
from livehub.settings import Settings
from tests.faults.cables import HONEST, LATE, SILENT, SLOW, TORN, Cable, Manner
from tests.faults.installation import founded, installed, seconds
from tests.faults.platform import Shops, overdue_seconds
from tests.faults.processes import becomes, memory_mib
from tests.faults.reckoning import opened
from tests.faults.test_postgres_away import GROWTH_MIB
from tests.faults.twin import buckets_of_twin

pytestmark = [pytest.mark.faults, pytest.mark.long]

HURT, SOUND = "910001", "910002"  # shops: whose platform is hard to reach, and the other one
OTHERS_WAIT_SECONDS = 2.5
COMMAND_SECONDS = 15.0  # how long a statement of a page is waited for

each_manner = pytest.mark.parametrize("manner", [LATE, SLOW, SILENT, TORN], ids=lambda each: each.name)


@each_manner
async def test_a_platform_that_is_hard_to_reach_keeps_no_other_waiting(
    settings: Settings, twin: Settings, manner: Manner
) -> None:
    async with (
        sandbox.running() as box,
        Cable(box.base_url).laid() as cable,
        installed(settings, people=1, stock=1) as installation,
    ):
        shops = Shops(box, {HURT: cable.url, SOUND: box.base_url})
        await shops.open(installation)
        await shops.go_live(per_second=5, seed=installation.seed)
        await asyncio.sleep(1)
        cable.manner = manner
        until, slowest = monotonic() + seconds(4, long=20), 0.0
        async with opened(installation.settings):
            while monotonic() < until:
                slowest = max(slowest, await overdue_seconds(SOUND))
                await asyncio.sleep(0.05)
            cable.manner = HONEST
            healed = await fetched(HURT)
            await becomes(lambda: more_than(healed), seconds=5)
        await shops.stop()

        buckets = await shops.reckon(installation.settings)
        assert buckets == await shops.buckets_of_twin(twin)
    print(f"the other shop waited {slowest:.2f} s at most; {cable.torn} torn", file=sys.stderr)
    assert slowest < OTHERS_WAIT_SECONDS


async def fetched(shop_ref: str) -> int:
    """How many replies of a shop's platform are in the inbox."""
    rows = await database.fetch(
        "SELECT count(*) AS n FROM inbox_message WHERE source = 'pull' AND shop_ref = $1", shop_ref
    )
    return int(rows[0]["n"])


async def more_than(count: int) -> bool:
    return await fetched(HURT) > count


@pytest.mark.postgres
@pytest.mark.parametrize("settings", ["postgres"], indirect=True)
@pytest.mark.parametrize("claims_per_second", [0, 10])
@each_manner
async def test_a_bad_line_to_postgresql(
    settings: Settings, twin: Settings, manner: Manner, claims_per_second: int
) -> None:
    """Webhooks are back at once.

    Pages, which people claim by, may hold a dead connection for as long as it is waited for, and senders with
    them, who share the connections of this load.
    """
    within_seconds = COMMAND_SECONDS if manner is SILENT and claims_per_second else 3.0
    async with Cable(settings.database).laid() as cable, founded(settings) as installation:
        direct = installation.settings
        installation.settings = replace(direct, database_url=cable.url)
        async with installation.serve("--with-jobs") as installation.serving:
            (worker,) = installation.serving.children("livehub-web")
            async with installation.under_load(per_second=60, claims_per_second=claims_per_second) as load:
                before, calm = await load.steady(2.5), memory_mib(worker)
                cable.manner = manner
                acknowledged = len(load.acknowledged_at)
                await asyncio.sleep(seconds(3, long=20))
                acknowledged = len(load.acknowledged_at) - acknowledged
                assert await installation.serving.status("/healthz") == 200
                cable.manner = HONEST
                await load.reaches(before, within_seconds=within_seconds)
                grown = memory_mib(worker) - calm
            installation.settings = direct
            buckets = await installation.reckon()
            assert installation.serving.children("livehub-web") == {worker}
    print(f"{acknowledged} acknowledged meanwhile, {grown:.0f} MiB more, {cable.torn} torn", file=sys.stderr)
    assert "500" not in load.troubles, "a bad line is no fault of ours: see serve.log"
    assert buckets == await buckets_of_twin(twin, installation.recorder)
    assert grown < GROWTH_MIB


@pytest.mark.postgres
@pytest.mark.parametrize("settings", ["postgres"], indirect=True)
async def test_a_fetched_order_whose_commit_was_not_heard_of_is_booked_once(
    settings: Settings, twin: Settings
) -> None:
    """The reply of COMMIT is lost under the loops: whatever they did is done, and done again it changes nothing."""
    async with (
        sandbox.running() as box,
        Cable(settings.database).laid() as cable,
        founded(settings, people=1, stock=1) as installation,
    ):
        direct = installation.settings
        installation.settings = replace(direct, database_url=cable.url)
        async with installation.serve("--with-jobs") as installation.serving:
            installation.settings = direct
            shops = Shops(box, {HURT: box.base_url})
            await shops.open(installation)
            await shops.go_live(per_second=10, seed=installation.seed)
            for lost in range(1, int(seconds(6, long=30))):
                cable.manner = Manner("commits unheard", tears_at=b"COMMIT\0")
                await becomes(lambda lost=lost: cable.torn == lost, seconds=10)
                await asyncio.sleep(0.3)
            await shops.stop()

            buckets = await shops.reckon(direct)
        assert buckets == await shops.buckets_of_twin(twin)
