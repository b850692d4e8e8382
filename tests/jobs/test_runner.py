"""Scheduled runs: each slot once, by the database's time; the dead are succeeded and the late fenced off."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from jobs import runner, schedule
from jobs.models import JobRun
from jobs.runner import Run, Runner
from jobs.schedule import Task, daily, every
from livehub import database
from livehub.kit import clock
from livehub.settings import Settings
from tests.contention import meet


def counted(name: str, calls: list[str], *, seconds: float = 0.0, slots_seconds: int = 3600) -> Task:
    """A task that notes each of its runs."""

    async def run(now: datetime) -> int:
        calls.append(name)
        await asyncio.sleep(seconds)
        return len(calls)

    def latest(at: datetime) -> datetime:
        step = slots_seconds * 1000
        return clock.from_ms(clock.to_ms(at) // step * step)

    return Task(name, run, latest)


async def test_a_slot_is_run_once_however_often_it_is_seen(db: Settings) -> None:
    calls: list[str] = []
    one = Runner({"count": counted("count", calls)})
    other = Runner({"count": counted("count", calls)})

    await asyncio.gather(*(each.tick() for each in (one, other, one, other)))
    await asyncio.gather(one.idle(), other.idle())
    await other.tick()
    await other.idle()

    run = await JobRun.get()
    assert calls == ["count"]
    assert (run.job, run.status, run.token, run.attempts, run.note) == ("count", "done", 1, 1, "1")
    assert run.started_at <= run.finished_at


async def test_two_processes_share_the_slots_without_losing_or_doubling_one(db: Settings) -> None:
    calls: list[str] = []
    runners = [Runner({"count": counted("count", calls, slots_seconds=1)}) for _ in range(2)]
    until = asyncio.get_running_loop().time() + 3.5

    while asyncio.get_running_loop().time() < until:
        await asyncio.gather(*(each.tick() for each in runners))
        await asyncio.sleep(0.1)
    await asyncio.gather(*(each.idle() for each in runners))

    runs = await JobRun.all().order_by("due_at")
    assert len(calls) == len(runs) >= 4
    assert {after.due_at - before.due_at for before, after in pairwise(runs)} == {timedelta(seconds=1)}
    assert {run.status for run in runs} == {"done"}


async def test_the_run_of_a_dead_process_is_taken_over_and_its_late_end_is_fenced_off(db: Settings) -> None:
    calls: list[str] = []
    task = counted("count", calls)
    now = await runner.database_clock()
    dead = await JobRun.create(
        job="count", due_at=task.latest_slot(now), status="running", token=1, started_at=now,
        lease_until=now - timedelta(seconds=1),
    )  # fmt: skip
    heir = Runner({"count": task})

    await heir.tick()
    late = await runner.finish(Run(dead.id, "count", dead.due_at, 1), status="failed", note="from the dead")
    await heir.idle()

    run = await JobRun.get()
    assert late is False
    assert calls == ["count"]
    assert (run.status, run.token, run.attempts, run.note) == ("done", 2, 2, "1")


async def test_two_heirs_of_a_dead_process_run_its_task_once(db: Settings) -> None:
    calls: list[str] = []
    task = counted("count", calls)
    now = await runner.database_clock()
    await JobRun.create(
        job="count", due_at=task.latest_slot(now), status="running", token=1, started_at=now,
        lease_until=now - timedelta(seconds=1),
    )  # fmt: skip
    heirs = [Runner({"count": task}) for _ in range(2)]

    await meet(db, "SELECT 1 FROM job_run FOR UPDATE", *(each.tick for each in heirs))
    await asyncio.gather(*(each.idle() for each in heirs))

    run = await JobRun.get()
    assert calls == ["count"]
    assert (run.status, run.token, run.attempts) == ("done", 2, 2)


async def test_who_lost_its_run_does_not_lengthen_the_heirs_lease(db: Settings) -> None:
    now = await runner.database_clock()
    run = await JobRun.create(
        job="count", due_at=now, status="running", token=2, started_at=now,
        lease_until=now + timedelta(seconds=30),
    )  # fmt: skip
    slept = Runner({}, lease_seconds=0.09)

    renewing = asyncio.create_task(slept._renew(Run(run.id, "count", run.due_at, 1)))
    await asyncio.sleep(0.2)
    renewing.cancel()

    assert (await JobRun.get()).lease_until == run.lease_until


async def test_a_lease_in_force_is_left_alone(db: Settings) -> None:
    calls: list[str] = []
    task = counted("count", calls)
    now = await runner.database_clock()
    await JobRun.create(
        job="count", due_at=task.latest_slot(now), status="running", token=1, started_at=now,
        lease_until=now + timedelta(seconds=30),
    )  # fmt: skip
    other = Runner({"count": task})

    await other.tick()
    await other.idle()

    assert calls == []


async def test_a_long_run_keeps_its_lease(db: Settings) -> None:
    calls: list[str] = []
    slow = Runner({"count": counted("count", calls, seconds=2.1)}, lease_seconds=1.5)
    other = Runner({"count": counted("count", calls)}, lease_seconds=1.5)

    await slow.tick()
    for _ in range(19):
        await asyncio.sleep(0.1)
        await other.tick()
    await asyncio.gather(slow.idle(), other.idle())

    assert calls == ["count"]
    assert (await JobRun.get()).token == 1


async def test_a_run_that_kills_its_process_again_and_again_is_given_up(db: Settings) -> None:
    calls: list[str] = []
    task = counted("count", calls)
    now = await runner.database_clock()
    await JobRun.create(
        job="count", due_at=task.latest_slot(now), status="running", token=5, started_at=now,
        attempts=runner.MAX_ATTEMPTS, lease_until=now - timedelta(seconds=1),
    )  # fmt: skip
    heir = Runner({"count": task})

    await heir.tick()
    await heir.idle()

    assert (calls, (await JobRun.get()).status) == ([], "failed")


async def test_a_failure_is_noted_and_the_next_slot_runs_again(db: Settings) -> None:
    async def broken(now: datetime) -> None:
        raise RuntimeError("no room")

    failing = Runner({"broken": Task("broken", broken, every(minutes=1)(broken).latest_slot)})

    await failing.tick()
    await failing.idle()

    run = await JobRun.get()
    assert (run.status, run.note) == ("failed", "RuntimeError: no room")
    assert run.finished_at is not None


async def test_the_clock_ticks_and_a_stop_waits_for_what_runs(db: Settings) -> None:
    calls: list[str] = []
    ticking, stop = Runner({"count": counted("count", calls, seconds=0.5)}), asyncio.Event()

    asyncio.get_running_loop().call_later(0.3, stop.set)
    await asyncio.wait_for(ticking.run(stop), 5)

    assert calls == ["count"]
    assert (await JobRun.get()).status == "done"


@pytest.mark.parametrize(
    ("at", "slot"),
    [
        ("2026-11-23T10:04:59.999+08:00", "2026-11-23T10:00:00+08:00"),
        ("2026-11-23T10:05:00.000+08:00", "2026-11-23T10:05:00+08:00"),
    ],
)
def test_slots_every_few_minutes(at: str, slot: str) -> None:
    async def nothing(now: datetime) -> None: ...

    task = every(minutes=5)(nothing)

    assert task.latest_slot(datetime.fromisoformat(at).astimezone(UTC)) == datetime.fromisoformat(slot)


@pytest.mark.parametrize(
    ("at", "slot"),
    [
        ("2026-11-23T03:19:59+08:00", "2026-11-22T03:20:00+08:00"),
        ("2026-11-23T03:20:00+08:00", "2026-11-23T03:20:00+08:00"),
        ("2026-11-23T23:59:59+08:00", "2026-11-23T03:20:00+08:00"),
    ],
)
def test_slots_once_a_day(at: str, slot: str) -> None:
    async def nothing(now: datetime) -> None: ...

    task = daily(hour=3, minute=20)(nothing)

    assert task.latest_slot(datetime.fromisoformat(at).astimezone(UTC)) == datetime.fromisoformat(slot)


async def test_every_task_runs_on_an_empty_installation(db: Settings) -> None:
    every_task = Runner(schedule.discover())

    await every_task.tick()
    await every_task.idle()

    runs = await JobRun.all()
    assert {run.job: run.status for run in runs} == dict.fromkeys(schedule.discover(), "done")
    assert len(runs) >= 9


async def test_old_runs_are_forgotten(db: Settings) -> None:
    now = clock.now()
    for days in (29, 31):
        at = now - timedelta(days=days)
        await JobRun.create(job="count", due_at=at, status="done", token=1, started_at=at, lease_until=at)

    await schedule.discover()["prune_job_runs"].run(now)

    assert [run.due_at for run in await JobRun.all()] == [now - timedelta(days=29)]
    assert await database.fetch("SELECT count(*) AS n FROM job_run") == [{"n": 1}]
