"""``livehub serve``: hold the listening sockets, keep web workers and jobs alive, drain at the end.

The sockets belong to this process, not to the workers: while a killed worker is replaced, new connections
wait in its socket's queue and are answered by its successor. Children hold the reading end of a pipe (the
lifeline) and stop when this process is gone, so a dead supervisor leaves neither orphans nor a port that
answers nobody.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from tempfile import TemporaryDirectory

import structlog
from msgspec import Struct

from livehub import settings as knobs
from livehub.database import DatabaseUnavailable
from livehub.database.migrate import migrate
from livehub.kit.lifeline import stopping
from livehub.serving import listen
from livehub.settings import Settings

log = structlog.get_logger(__name__)

STEADY_SECONDS = 30.0  # a child that lived so long died of something new: it is replaced at once
LONGEST_WAIT_SECONDS = 5.0
STOP_SECONDS = 15.0  # for draining; after it children are killed
MIGRATE_AGAIN_SECONDS = 2.0


class Child(Struct, frozen=True):
    """One process to keep alive: its name in the log, its arguments, the socket it inherits."""

    name: str
    arguments: tuple[str, ...]
    sockets: tuple[int, ...] = ()


async def serve(
    settings: Settings,
    *,
    workers: int = 1,
    with_jobs: bool = False,
    migrates: bool = True,
    ready: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT; OSError when the port is taken, MigrationFailed when that failed.

    ``ready`` hears the port once it is ours. When the database is away the workers answer 503 until it is
    there, and it is migrated then.
    """
    stop = stopping()
    sockets = _sockets(settings, count=workers)
    try:
        ready(sockets[0].getsockname()[1])
        is_current = not migrates or await _migrated(settings)
        with TemporaryDirectory(prefix="livehub-metrics-") as metrics:
            environment = knobs.environment(settings) | {"PROMETHEUS_MULTIPROC_DIR": metrics}
            nursery = _Nursery(environment, stop=stop)
            nursery.raise_all(_children(sockets, with_jobs=with_jobs))
            try:
                while not is_current and not await _told_within(stop, seconds=MIGRATE_AGAIN_SECONDS):
                    is_current = await _migrated(settings)
                await nursery.stopped()
            finally:
                for sock in sockets:
                    sock.close()
                await nursery.let_go()
    finally:
        for sock in sockets:
            sock.close()


def _sockets(settings: Settings, *, count: int) -> list[socket.socket]:
    """One socket per worker, so that the kernel deals connections out; OSError when somebody has the port."""
    first = listen(settings.host, settings.port)  # an exclusive one: a second ``serve`` shall notice us
    if count == 1:
        return [first]
    port = first.getsockname()[1]
    first.close()
    return [listen(settings.host, port, shared=True) for _ in range(count)]


def _children(sockets: Sequence[socket.socket], *, with_jobs: bool) -> list[Child]:
    children = [
        Child(f"web-{i}", ("-m", "livehub.worker", "--socket", str(sock.fileno())), (sock.fileno(),))
        for i, sock in enumerate(sockets, start=1)
    ]
    return [*children, Child("jobs", ("-m", "jobs"))] if with_jobs else children


async def _migrated(settings: Settings) -> bool:
    try:
        count = await migrate(settings, say=lambda step: log.info("supervisor.migrating", step=step))
    except DatabaseUnavailable:
        log.warning("supervisor.database_away")
        return False
    log.info("supervisor.schema_current", migrations=count)
    return True


class _Nursery:
    """The children of one supervisor, each kept alive by a task of its own."""

    def __init__(self, environment: Mapping[str, str], *, stop: asyncio.Event) -> None:
        self._environment = environment
        self._stop = stop
        self._lifeline, self._writing = os.pipe()
        self._keepers: list[asyncio.Task[None]] = []

    def raise_all(self, children: Sequence[Child]) -> None:
        """Start every child and keep it alive."""
        self._keepers += [asyncio.create_task(self._keep(child), name=child.name) for child in children]

    async def stopped(self) -> None:
        """Return when told to stop; raises what keeps a child from being kept."""
        told = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({told, *self._keepers}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        for keeper in self._keepers:
            if keeper.done():
                keeper.result()

    async def let_go(self) -> None:
        """Let every child drain and end."""
        self._stop.set()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        os.close(self._writing)
        os.close(self._lifeline)

    async def _keep(self, child: Child) -> None:
        """Run the child again and again; one that dies young waits longer each time."""
        wait = 0.0
        while not self._stop.is_set():
            born = time.monotonic()
            running = await self._start(child)
            ended = asyncio.ensure_future(running.wait())
            stopped = asyncio.ensure_future(self._stop.wait())
            await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if self._stop.is_set():
                await _end(child, running, ended)
                return
            lived = time.monotonic() - born
            wait = 0.0 if lived >= STEADY_SECONDS else min(LONGEST_WAIT_SECONDS, wait * 2 or 0.1)
            log.error("supervisor.child_died", child=child.name, status=running.returncode, seconds=lived)
            await _told_within(self._stop, seconds=wait)

    async def _start(self, child: Child) -> asyncio.subprocess.Process:
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            *child.arguments,
            "--lifeline",
            str(self._lifeline),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(self._lifeline, *child.sockets),
            process_group=0,  # Ctrl-C reaches this process alone, which then lets the children drain
        )
        log.info("supervisor.child_started", child=child.name, pid=running.pid)
        return running


async def _told_within(stop: asyncio.Event, *, seconds: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    return stop.is_set()


async def _end(child: Child, running: asyncio.subprocess.Process, ended: asyncio.Future[int]) -> None:
    with suppress(ProcessLookupError):
        running.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(asyncio.shield(ended), STOP_SECONDS)
    except TimeoutError:
        log.warning("supervisor.child_killed", child=child.name)
        with suppress(ProcessLookupError):
            running.kill()
        await ended
