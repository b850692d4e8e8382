"""Processes are killed, stopped and ended under load: nothing acknowledged is lost, nothing is counted twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest
from msgspec.structs import replace

from livehub import database
from livehub.settings import Settings
from tests.faults.installation import Installation, founded, installed, seconds
from tests.faults.load import an_order, signed
from tests.faults.processes import Serving, becomes, is_stopped, name
from tests.faults.reckoning import opened
from tests.faults.recorder import Delivered
from tests.faults.twin import buckets_of_twin

pytestmark = pytest.mark.faults

BACK_WITHIN_SECONDS = 5.0
JOBS_POINTS = (
    "intake.after_lease",
    "intake.after_state",
    "intake.before_rollup",
    "intake.before_commit",
    "intake.after_commit",
    "outbox.after_lease",
    "outbox.before_commit",
    "outbox.after_commit",
)
WEB_POINTS = ("web.before_commit", "web.after_commit")


def quick_on(engine: str) -> pytest.MarkDecorator:
    """CI runs it on one engine, ``make faults`` on both."""
    return pytest.mark.parametrize(
        "settings",
        [
            pytest.param("sqlite", marks=[pytest.mark.long] * (engine != "sqlite")),
            pytest.param(
                "postgres", marks=[pytest.mark.postgres, *[pytest.mark.long] * (engine != "postgres")]
            ),
        ],
        indirect=True,
    )


def with_two_workers(settings: Settings) -> tuple[str, ...]:
    return () if settings.is_sqlite else ("--workers", "2")


async def killed(serving: Serving, of: str, *, chance: random.Random) -> float:
    """Kill one process of a name (-9); after how many seconds there were as many as before."""
    family = serving.children(of)
    victim = chance.choice(sorted(family))
    os.kill(victim, signal.SIGKILL)
    return await back(serving, of, without=victim, count=len(family))


async def back(serving: Serving, of: str, *, without: int, count: int) -> float:
    since = monotonic()
    await becomes(lambda: len(serving.children(of) - {without}) == count, seconds=BACK_WITHIN_SECONDS)
    return monotonic() - since


async def reached(fuse: Path) -> None:
    """Wait until a process got to the armed point."""
    await becomes(lambda: not fuse.exists(), seconds=20)


async def what_was_in_hand_is_booked(settings: Settings) -> None:
    """Before the next one dies: three deaths over the same messages would rightly park them as poison."""

    async def is_booked() -> bool:
        row = await database.fetch_one(
            "SELECT count(*) AS n FROM inbox_message WHERE status IN ('received', 'processing') AND attempts > 1"
        )
        return row == {"n": 0}

    async with opened(settings):
        await becomes(is_booked, seconds=20)


@quick_on("postgres")
async def test_web_workers_are_killed_under_load(settings: Settings) -> None:
    async with installed(settings, *with_two_workers(settings)) as installation:
        chance, slowest = random.Random(installation.seed), 0.0
        async with installation.under_load(per_second=100, claims_per_second=20) as load:
            before = await load.steady(2)
            until = monotonic() + seconds(4, long=60)
            while monotonic() < until:
                slowest = max(slowest, await killed(installation.serving, "livehub-web", chance=chance))
                await asyncio.sleep(chance.uniform(0.5, 2.0))
            for point in WEB_POINTS:
                await reached(installation.arm(point))
            await load.reaches(before)

        await installation.reckon()
    print(f"the slowest was back after {slowest:.2f} s")


@quick_on("postgres")
async def test_jobs_die_at_every_point_of_a_batch(settings: Settings, twin: Settings) -> None:
    # People for a hundred seconds: when all have claimed and redeemed, the points of the outbox are not reached.
    async with installed(settings, people=1500, stock=1200) as installation:
        serving = installation.serving
        async with installation.under_load(per_second=60, claims_per_second=15):
            for point in JOBS_POINTS:
                (jobs,) = await becomes(lambda: serving.children("livehub-jobs"), seconds=BACK_WITHIN_SECONDS)
                await reached(installation.arm(point))
                await back(serving, "livehub-jobs", without=jobs, count=1)
                await what_was_in_hand_is_booked(settings)

        buckets = await installation.reckon()
    assert buckets == await buckets_of_twin(twin, installation.recorder)


@quick_on("postgres")
async def test_jobs_that_slept_through_their_lease_are_fenced_off(settings: Settings, twin: Settings) -> None:
    async with (
        founded(settings) as installation,
        installation.serve("--with-jobs") as installation.serving,
        installation.serve("--with-jobs") as other,
    ):
        async with installation.under_load(per_second=60):
            await sleep_and_wake(installation, installation.serving, other)

        buckets = await installation.reckon()
    assert buckets == await buckets_of_twin(twin, installation.recorder)


async def sleep_and_wake(installation: Installation, *both: Serving) -> None:
    """Stop jobs with a batch in hand for two leases: they wake to find that the others took it over.

    More than once: who is stopped while another of its loops holds SQLite's write lock keeps everybody
    waiting, its heir too.
    """
    for _ in range(4):
        await reached(installation.arm("intake.after_lease", "stop"))
        await asyncio.sleep(2 * installation.settings.lease_seconds)
        jobs = set().union(*(each.children("livehub-jobs") for each in both))
        for pid in filter(is_stopped, jobs):
            os.kill(pid, signal.SIGCONT)
        with suppress(AssertionError):
            await becomes(lambda: told(installation, "intake.lease_lost"), seconds=3)
            return
    raise AssertionError("slept through a lease four times and was never fenced off")


def told(installation: Installation, event: str) -> bool:
    """Whether a process of the installation wrote it into the log."""
    return event in (installation.settings.data_dir / "serve.log").read_text()


@quick_on("sqlite")
async def test_an_end_under_load_answers_what_was_begun(settings: Settings) -> None:
    async with (
        founded(settings) as installation,
        installation.serve("--with-jobs", *with_two_workers(settings)) as first,
        installation.under_load(first.url, per_second=100, claims_per_second=20) as load,
    ):
        await load.steady(1.5)
        first.process.terminate()
        ended = monotonic()
        status = await asyncio.wait_for(first.process.wait(), 15)
        drained = monotonic() - ended
        async with installation.serve("--with-jobs", port=first.port):
            await load.finish()
            await installation.reckon()
    assert status == 0
    assert [trouble for trouble in load.troubles if trouble.isdigit()] == []  # no 5xx, only closed doors
    print(f"drained in {drained:.1f} s")


@quick_on("sqlite")
async def test_an_order_that_ends_its_process_is_parked_and_harms_no_other(settings: Settings) -> None:
    async with founded(settings) as installation:
        installation.poison = "POISON"
        async with installation.serve("--with-jobs") as installation.serving:
            async with installation.under_load(per_second=30):
                await push_poison(installation)
                await becomes(lambda: told(installation, "intake.poison"), seconds=60)

            await installation.reckon(parked={"POISON"})
            assert await fate(installation.settings, "POISON") == ("parked", "poison")


async def push_poison(installation: Installation) -> None:
    town = installation.town
    body = an_order(town.shop_ref, "POISON", paid_fen=100, refunded_fen=0, at_ms=1_760_000_000_000)
    what = Delivered("POISON", "POISON", 0, 100, 0, body)
    path = f"/hooks/standard_webhooks/{town.endpoint_key}"
    assert await installation.serving.post(path, body, signed(what, town)) == 200


async def fate(settings: Settings, native_id: str) -> tuple[str, str]:
    async with opened(settings):
        (row,) = await database.fetch(
            "SELECT status, reason FROM inbox_message WHERE native_id = $1", native_id
        )
    return row["status"], row["reason"]


@quick_on("sqlite")
async def test_a_killed_supervisor_is_succeeded_by_the_next_start(settings: Settings) -> None:
    options = ("--with-jobs", *with_two_workers(settings))
    async with (
        founded(settings) as installation,
        installation.serve(*options) as first,
        installation.under_load(first.url, per_second=100, claims_per_second=20) as load,
    ):
        before = await load.steady(2)
        family = first.children("livehub-")
        first.process.kill()
        await becomes(lambda: not any(name(pid) for pid in family), seconds=15)
        async with installation.serve(*options, port=first.port):
            await load.reaches(before)
            await load.finish()
            await installation.reckon()


@quick_on("postgres")
async def test_two_supervisors_and_two_jobs_on_one_database_count_once(
    settings: Settings, twin: Settings
) -> None:
    async with (
        founded(settings, people=120, stock=60) as installation,
        installation.serve("--with-jobs") as one,
        installation.serve("--with-jobs") as other,
    ):
        async with installation.under_load(one.url, other.url, per_second=100, claims_per_second=40) as load:
            await load.steady(seconds(4, long=60))

        buckets = await installation.reckon()
        await becomes(lambda: each_slot_was_run_once(installation.settings, one, other), seconds=10)
    assert buckets == await buckets_of_twin(twin, installation.recorder)


async def each_slot_was_run_once(settings: Settings, *both: Serving) -> bool:
    """As many runs as slots: a run that is not finished yet is counted by nobody."""
    performed = sum([await each.figure("livehub_job_runs_total") for each in both])
    async with opened(settings):
        rows = await database.fetch("SELECT job, due_at, status, attempts FROM job_run")
    assert len({(row["job"], row["due_at"]) for row in rows}) == len(rows)
    return len(rows) == performed > 0 and {(row["status"], row["attempts"]) for row in rows} == {("done", 1)}


@pytest.mark.long
async def test_the_monkey(settings: Settings, twin: Settings) -> None:
    """Two supervisors with jobs and web workers, and jobs by themselves: one of them dies every second or so."""
    roomy = replace(settings, pool_size=4)
    options = ("--with-jobs", *with_two_workers(settings))
    async with (
        founded(roomy, people=2000, stock=1500) as installation,
        installation.serve(*options) as one,
        installation.serve(*options) as other,
        installation.jobs() as third,
    ):
        chance = random.Random(installation.seed)
        async with installation.under_load(one.url, other.url, per_second=60, claims_per_second=10) as load:
            before = await load.steady(3)
            until = monotonic() + 60 * float(os.environ.get("LIVEHUB_FAULTS_MINUTES", "") or "1")
            while monotonic() < until:
                if chance.random() < 0.2:
                    await third.kill()
                    await third.start()
                else:
                    of = chance.choice(("livehub-web", "livehub-jobs"))
                    await killed(chance.choice((one, other)), of, chance=chance)
                await asyncio.sleep(chance.uniform(0.5, 2.0))
            await load.reaches(before)

        buckets = await installation.reckon()
    assert buckets == await buckets_of_twin(twin, installation.recorder)
