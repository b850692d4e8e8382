"""The jobs process, ``python -m jobs``: loops and scheduled tasks; any number of them may run."""

from __future__ import annotations

import argparse
import asyncio

import structlog
import uvloop

from jobs import loops, schedule
from jobs.runner import Runner
from livehub import process
from livehub import settings as knobs
from livehub.database import DatabaseUnavailable
from livehub.kit import logging
from livehub.kit.lifeline import stopping
from livehub.orders.fetching import Fetcher

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 14.0  # below the supervisor's own patience


def main() -> None:
    """Work until told to stop, then finish what is in hand."""
    parser = argparse.ArgumentParser(
        prog="python -m jobs",
        description="Loops (intake, fetch, outbox, notices, audit chain) and scheduled tasks.",
        epilog="example: LIVEHUB_DATABASE_URL=postgres://… python -m jobs",
    )
    parser.add_argument("--lifeline", type=int, help="an inherited pipe; its end means stop")
    asked = parser.parse_args()
    try:
        settings = knobs.load()
    except knobs.BadSetting as error:
        parser.error(str(error))
    logging.install(style=settings.log_format, level=settings.log_level, process="jobs")
    uvloop.run(work(settings, lifeline=asked.lifeline))


async def work(settings: knobs.Settings, *, lifeline: int | None = None) -> None:
    """Run loops and tasks; a database that is away is waited for."""
    stop = stopping(lifeline)
    try:
        await process.start(settings)
    except DatabaseUnavailable:
        log.warning("jobs.database_away_at_start")  # every loop and tick tries again
    fetcher = Fetcher()
    every_loop = loops.every_loop(fetcher=fetcher, lease_seconds=settings.lease_seconds)
    works = [
        asyncio.create_task(loops.Loops(every_loop).run(stop)),
        asyncio.create_task(Runner(schedule.discover()).run(stop)),
    ]
    told = asyncio.create_task(stop.wait())
    log.info("jobs.ready")
    try:
        await asyncio.wait([*works, told], return_when=asyncio.FIRST_COMPLETED)
        stop.set()  # neither goes on without the other: the supervisor starts both anew
        done, late = await asyncio.wait(works, timeout=DRAIN_SECONDS)
        for work_done in done:
            work_done.result()
        if late:
            log.error("jobs.drained_too_slowly")  # what they hold comes back when its lease ends
    finally:
        for each in works:
            each.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        await fetcher.close()
        await process.stop()
    log.info("jobs.stopped")


if __name__ == "__main__":
    main()
