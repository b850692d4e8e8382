"""Twenty times as much as usual arrives: what has no room is refused and told when to come again, nothing is lost."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter

import aiohttp
import pytest
from msgspec.structs import replace

from livehub.settings import Settings
from tests.faults.installation import Installation, installed, seconds
from tests.faults.load import an_order, signed
from tests.faults.processes import memory_mib
from tests.faults.recorder import Delivered
from tests.faults.twin import buckets_of_twin

USUAL, TIMES = 50, 20
BURST_SECONDS = 0.1  # a flood comes in waves
CONNECTIONS = 400
QUEUE = 20  # so short that a wave fills it: a sender in Python cannot fill one of the usual length
GROWTH_MIB = 60


class Flood:
    """Senders that do not wait for each other and come again only when they were told to."""

    def __init__(self, installation: Installation) -> None:
        self.answers: Counter[tuple[int, bool]] = Counter()  # status, and whether it says when to come again
        self._installation = installation
        self._number = 0

    async def pour(self, *, for_seconds: float) -> None:
        """Push new orders at the pace of a flood, and note each that was acknowledged."""
        loop = asyncio.get_running_loop()
        until = loop.time() + for_seconds
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
            due = loop.time()
            while (due := due + BURST_SECONDS) < until:
                await asyncio.sleep(max(0.0, due - loop.time()))
                for _ in range(int(USUAL * TIMES * BURST_SECONDS)):
                    self._number += 1
                    group.create_task(self._push(session, f"F{self._number:06d}"))

    async def _push(self, session: aiohttp.ClientSession, order: str) -> None:
        town = self._installation.town
        body = an_order(town.shop_ref, order, paid_fen=500, refunded_fen=0, at_ms=1_780_000_000_000)
        what = Delivered(f"{order}-paid", order, 1_780_000_000_000, 500, 0, body)
        url = f"{self._installation.serving.url}/hooks/standard_webhooks/{town.endpoint_key}"
        async with session.post(url, data=body.encode(), headers=signed(what, town)) as answer:
            await answer.read()
            self.answers[answer.status, int(answer.headers.get("Retry-After", "0")) > 0] += 1
            if answer.status == 200:
                self._installation.recorder.note(what)


@pytest.mark.faults
@pytest.mark.long
async def test_a_flood_is_refused_beyond_the_queue_and_leaves_nothing_behind(
    settings: Settings, twin: Settings
) -> None:
    async with installed(replace(settings, queue_limit=QUEUE), people=1, stock=1) as installation:
        (worker,) = installation.serving.children("livehub-web")
        async with installation.under_load(per_second=USUAL) as load:
            before, calm = await load.steady(2), memory_mib(worker)
            flood = Flood(installation)
            await flood.pour(for_seconds=seconds(3, long=30))
            grown = memory_mib(worker) - calm
            await load.reaches(before)

        buckets = await installation.reckon(drains_within=120)
        assert installation.serving.children("livehub-web") == {worker}
    print(f"the flood was answered {dict(flood.answers)}, {grown:.0f} MiB more", file=sys.stderr)
    assert set(flood.answers) <= {(200, False), (503, True)}
    assert flood.answers[503, True] > 0, "the queue was never full: this proves nothing"
    assert set(load.troubles) <= {"503"}
    assert grown < GROWTH_MIB
    assert buckets == await buckets_of_twin(twin, installation.recorder)
