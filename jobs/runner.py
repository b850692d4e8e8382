"""Scheduled tasks: a clock that only ticks, and a table in which inserting a row is how a process gets a run.

A slot is due by the database's time and run once in the whole installation: the row (job, due_at) is
unique. Its lease is renewed while the task runs; when the process dies, another takes the run over with a
newer token, and the finishing write of a process that only slept finds its token gone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger
from msgspec import Struct
from prometheus_client import Counter, Histogram

from jobs.schedule import Task
from livehub import database
from livehub.database import DatabaseUnavailable
from livehub.inbox.queue import database_now
from livehub.kit import clock

log = structlog.get_logger(__name__)

TICK_SECONDS = 5
LEASE_SECONDS = 60
MAX_ATTEMPTS = 5  # a run whose process died so often is given up
NOTE_LENGTH = 500

RUNS = Counter("livehub_job_runs_total", "Runs of scheduled tasks", ["job", "status"])
SECONDS = Histogram("livehub_job_seconds", "Time of a run", ["job"])


class Run(Struct, frozen=True):
    """A run in our hands."""

    id: int
    job: str
    due_at: datetime
    token: int


class Runner:
    """Ticks, claims what is due, runs it; every process of an installation may have one."""

    def __init__(self, tasks: Mapping[str, Task], *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._tasks = tasks
        self._lease_ms = int(lease_seconds * 1000)
        self._claimed: dict[str, datetime] = {}  # the newest slot of each task that somebody has
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Tick until told to stop, then wait for what runs."""
        scheduler = AsyncIOScheduler(timezone=clock.SHANGHAI)
        scheduler.add_job(
            self._tick_safely,
            IntervalTrigger(seconds=TICK_SECONDS, timezone=clock.SHANGHAI),
            next_run_time=clock.now(),
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )
        scheduler.start()
        await stop.wait()
        scheduler.shutdown(wait=False)
        await self.idle()

    async def idle(self) -> None:
        """Wait until nothing runs in this process."""
        while self._running:
            await asyncio.wait(self._running.values())

    async def tick(self) -> None:
        """Claim every run that is due or was left behind by a dead process, and start it."""
        now = await database_clock()
        for task in self._tasks.values():
            if task.name in self._running:
                continue
            run = await self._left_behind(task) or await self._due(task, now=now)
            if run is not None:
                self._start(task, run)

    async def _tick_safely(self) -> None:
        try:
            await self.tick()
        except DatabaseUnavailable:
            log.warning("jobs.database_away")
        except Exception:
            log.exception("jobs.tick_failed")

    async def _due(self, task: Task, *, now: datetime) -> Run | None:
        slot = task.latest_slot(now)
        if self._claimed.get(task.name) == slot:
            return None
        row = await database.fetch_one(
            "INSERT INTO job_run (job, due_at, status, token, lease_until, attempts, started_at, note)"
            f" VALUES ($1, $2, 'running', 1, {database_now()} + $3, 1, {database_now()}, '')"
            " ON CONFLICT (job, due_at) DO NOTHING RETURNING id, token",
            task.name,
            clock.to_ms(slot),
            self._lease_ms,
        )
        self._claimed[task.name] = slot
        return Run(row["id"], task.name, slot, row["token"]) if row else None

    async def _left_behind(self, task: Task) -> Run | None:
        """A run of a process that died, with a newer token; those that died too often are marked failed."""
        stale = f"job = $1 AND status = 'running' AND lease_until < {database_now()}"
        seen = await database.fetch_one(
            f"SELECT id, token FROM job_run WHERE {stale} ORDER BY due_at LIMIT 1", task.name
        )
        if seen is None:
            return None
        row = await database.fetch_one(
            "UPDATE job_run SET token = token + 1, attempts = attempts + 1,"
            f" lease_until = {database_now()} + $3,"
            f" status = CASE WHEN attempts >= {MAX_ATTEMPTS} THEN 'failed' ELSE 'running' END"
            f" WHERE id = $2 AND token = $4 AND {stale} RETURNING id, due_at, token, status",
            task.name,
            seen["id"],
            self._lease_ms,
            seen["token"],
        )
        if row is None:
            return None
        if row["status"] == "failed":
            log.error("job.given_up", job=task.name, run=row["id"])
            return None
        log.warning("job.taken_over", job=task.name, run=row["id"], token=row["token"])
        return Run(row["id"], task.name, clock.from_ms(row["due_at"]), row["token"])

    def _start(self, task: Task, run: Run) -> None:
        work = asyncio.create_task(self._perform(task, run), name=f"job-{task.name}")
        self._running[task.name] = work
        work.add_done_callback(lambda _: self._running.pop(task.name, None))

    async def _perform(self, task: Task, run: Run) -> None:
        structlog.contextvars.bind_contextvars(job=task.name, run=run.id)  # this task's alone
        began = time.monotonic()
        renewing = asyncio.create_task(self._renew(run))
        try:
            note = await task.run(clock.now())
            status = "done"
        except DatabaseUnavailable:
            log.warning("job.database_away")
            return  # the lease runs out and somebody takes the run over
        except Exception as error:
            log.exception("job.failed")
            status, note = "failed", f"{type(error).__name__}: {error}"
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError):
                await renewing
        SECONDS.labels(task.name).observe(time.monotonic() - began)
        RUNS.labels(task.name, status).inc()
        with suppress(DatabaseUnavailable):
            await finish(run, status=status, note=note)

    async def _renew(self, run: Run) -> None:
        while True:
            await asyncio.sleep(self._lease_ms / 3000)
            with suppress(DatabaseUnavailable):
                await database.execute(
                    f"UPDATE job_run SET lease_until = {database_now()} + $1 WHERE id = $2 AND token = $3",
                    self._lease_ms,
                    run.id,
                    run.token,
                )


async def finish(run: Run, *, status: str, note: Any) -> bool:
    """Write the end of a run; False, and nothing written, when it has been taken over."""
    written = await database.execute(
        f"UPDATE job_run SET status = $1, finished_at = {database_now()}, note = $2"
        " WHERE id = $3 AND token = $4 AND status = 'running'",
        status,
        "" if note is None else str(note)[:NOTE_LENGTH],
        run.id,
        run.token,
    )
    if not written:
        log.warning("job.fenced_off", job=run.job, run=run.id, token=run.token)
    return written == 1


async def database_clock() -> datetime:
    """The database's own present."""
    row = await database.fetch_one(f"SELECT {database_now()} AS now")
    assert row is not None  # noqa: S101 -- a SELECT without FROM has one row
    return clock.from_ms(int(row["now"]))


async def prune(*, before: datetime) -> int:
    """Forget runs that were due before an instant."""
    return await database.execute("DELETE FROM job_run WHERE due_at < $1", clock.to_ms(before))
