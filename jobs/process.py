"""The jobs process: loops and scheduled tasks side by side, until told to stop."""

from __future__ import annotations

import asyncio

import structlog
import uvloop

from jobs import loops, schedule
from jobs.runner import Runner
from livehub import process
from livehub.database import DatabaseUnavailable
from livehub.kit import leases, logging
from livehub.kit.lifeline import stopping
from livehub.orders.fetching import Fetcher
from livehub.orders.pace import Paces
from livehub.orders.pulling import Puller
from livehub.settings import Settings

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 14.0  # below the supervisor's own patience


def run(settings: Settings, lifeline: int | None = None) -> None:
    """Work until SIGTERM, SIGINT or the end of the lifeline, then finish what is in hand."""
    logging.install(style=settings.log_format, level=settings.log_level, process="jobs")
    uvloop.run(_work(settings, lifeline=lifeline))


async def _work(settings: Settings, *, lifeline: int | None) -> None:
    stop = stopping(lifeline)
    with leases.seated(settings.data_dir / "seats"):
        await _work_seated(settings, stop)
    log.info("jobs.stopped")


async def _work_seated(settings: Settings, stop: asyncio.Event) -> None:
    try:
        await process.start(settings)
    except DatabaseUnavailable:
        log.warning("jobs.database_away_at_start")  # every loop and tick tries again
    paces = Paces()  # of fetches and lists together
    fetcher, puller = Fetcher(paces=paces), Puller(paces=paces)
    every_loop = loops.every_loop(fetcher=fetcher, puller=puller, lease_seconds=settings.lease_seconds)
    works = [
        asyncio.create_task(loops.Loops(every_loop).run(stop)),
        asyncio.create_task(Runner(schedule.discover()).run(stop)),
    ]
    told = asyncio.create_task(stop.wait())
    log.info("jobs.ready")
    try:
        await asyncio.wait([*works, told], return_when=asyncio.FIRST_COMPLETED)
        stop.set()  # neither goes on without the other: the supervisor starts both anew
        ended, late = await asyncio.wait(works, timeout=DRAIN_SECONDS)
        for each in ended:
            each.result()
        if late:
            log.error("jobs.drained_too_slowly")  # what they hold comes back when its lease ends
    finally:
        for each in works:
            each.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        await asyncio.gather(fetcher.close(), puller.close())
        await process.stop()
