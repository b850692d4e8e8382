"""The loops: fast when there is work, patient when there is none, alive when something fails."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

from jobs import loops
from jobs.loops import Health, Loop, Loops
from jobs.models import LoopBeat
from livehub.database import DatabaseUnavailable
from livehub.orders.fetching import Fetcher
from livehub.orders.pulling import Puller
from livehub.settings import Settings


class Work:
    """A step that does what the table says, then nothing."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.calls: list[float] = []

    async def __call__(self) -> int:
        self.calls.append(time.monotonic())
        answer = self.answers.pop(0) if self.answers else 0
        if isinstance(answer, Exception):
            raise answer
        return answer


async def run_for(running: Loops, seconds: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    await asyncio.wait_for(running.run(stop), seconds + 2)


async def test_a_loop_with_work_goes_on_at_once_and_then_polls() -> None:
    work = Work(5, 5, 5)

    await run_for(Loops([Loop("work", work, idle_seconds=0.5)]), 0.9)

    gaps = [after - before for before, after in pairwise(work.calls)]
    assert sum(gaps[:3]) < 0.3
    assert gaps[3] >= 0.5
    assert len(work.calls) == 5
    assert loops.IDLE_SECONDS == 0.03


async def test_a_failing_loop_is_started_again_and_stops_nobody() -> None:
    broken, sound = Work(RuntimeError("first"), RuntimeError("second"), 1), Work()
    running = Loops([Loop("broken", broken), Loop("sound", sound)], first_wait_seconds=0.05)

    await run_for(running, 0.4)

    waits = [after - before for before, after in pairwise(broken.calls)]
    assert waits[0] >= 0.05
    assert waits[1] >= 0.1
    assert running.health["broken"] == Health("broken", rounds=running.health["broken"].rounds)
    assert running.health["broken"].rounds > 0
    assert len(sound.calls) > 8


async def test_a_failure_is_shown_until_it_is_over(db: Settings) -> None:
    broken = Work(*[RuntimeError("no such order")] * 50)

    await run_for(Loops([Loop("broken", broken)], first_wait_seconds=0.1), 1.3)

    beat = await LoopBeat.get(name="broken")
    assert (beat.failures >= 2, beat.note) == (True, "RuntimeError: no such order")
    await run_for(Loops([Loop("broken", Work())]), 1.3)
    healed = await LoopBeat.get(name="broken")
    assert (healed.failures, healed.note) == (0, "")
    assert healed.at > beat.at


async def test_an_outage_is_waited_for_but_never_long() -> None:
    away = Loops([Loop("away", Work(*[DatabaseUnavailable()] * 3))], first_wait_seconds=0.01)

    assert away._wait(DatabaseUnavailable(), 30) == loops.LONGEST_OUTAGE_WAIT_SECONDS
    assert away._wait(RuntimeError(), 30) == loops.LONGEST_WAIT_SECONDS
    await run_for(away, 0.3)
    assert away.health["away"].failures == 0


async def test_a_stop_lets_the_batch_in_hand_finish() -> None:
    finished: list[bool] = []

    async def slow() -> int:
        await asyncio.sleep(0.2)
        finished.append(True)
        return 1

    await run_for(Loops([Loop("slow", slow)]), 0.1)

    assert finished == [True]


async def test_every_loop_runs_on_an_empty_installation(db: Settings) -> None:
    fetcher = Fetcher()
    running = Loops(loops.every_loop(fetcher=fetcher, puller=Puller(), lease_seconds=30))

    await run_for(running, 1.3)
    await fetcher.close()

    names = ["intake", "fetch", "pull", "outbox", "notices", "audit chain", "packs"]
    assert {name: running.health[name].note for name in names} == dict.fromkeys(names, "")
    assert sorted(await LoopBeat.all().values_list("name", flat=True)) == sorted(names)
