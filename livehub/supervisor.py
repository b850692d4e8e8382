"""``livehub serve``: hold the listening sockets, keep web workers and jobs alive, drain at the end.

Everything is imported once and the children are forked, so a killed one is back within a tenth of a second
and shares its memory with the others. The sockets belong to this process: while a worker is replaced, new
connections wait in its socket's queue and are answered by its successor. Children hold the reading end of a
pipe (the lifeline) and stop when this process is gone, so a dead supervisor leaves neither orphans nor a
port that answers nobody. This process itself runs no loop and no thread: only then is forking sound.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import structlog
from msgspec import Struct

from livehub import settings as knobs
from livehub.connections import allow_many_files
from livehub.kit import logging
from livehub.serving import listen
from livehub.settings import Settings

log = structlog.get_logger(__name__)

STEADY_SECONDS = 30.0  # a child that lived so long died of something new: it is replaced at once
LONGEST_WAIT_SECONDS = 4.0
STOP_SECONDS = 15.0  # for draining; after it children are killed
MIGRATE_AGAIN_SECONDS = 2.0
DATABASE_AWAY = 75  # how a migration ends that should be tried again (EX_TEMPFAIL)

_TOLD_TO_STOP = frozenset({signal.SIGTERM, signal.SIGINT})
_SIGNALS = _TOLD_TO_STOP | {signal.SIGCHLD}


class ServeFailed(Exception):
    """The service ended by itself; the log says why."""


class Child(Struct, frozen=True):
    """One process to keep alive: its name in ``ps`` and the log, what it runs, the socket it keeps open."""

    name: str
    run: Callable[[int], object]  # with the lifeline
    sock: socket.socket | None = None
    restarts: bool = True


def serve(
    settings: Settings,
    *,
    workers: int = 1,
    with_jobs: bool = False,
    migrates: bool = True,
    ready: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT; OSError when the port is taken, ServeFailed when the migration failed.

    ``ready`` hears the port once it is ours. When the database is away the workers answer 503 until it is
    there, and it is migrated then.
    """
    allow_many_files()
    sockets = _sockets(settings, count=workers)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        ready(sockets[0].getsockname()[1])
        with TemporaryDirectory(prefix="livehub-metrics-") as metrics:
            knobs.share_metrics(metrics)
            children = _children(settings, sockets, with_jobs=with_jobs)
            nursery = _Nursery(settings, sockets)
            try:
                nursery.watch(children, migration=_migration(settings) if migrates else None)
            finally:
                nursery.let_go()
    finally:
        for sock in sockets:
            sock.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _sockets(settings: Settings, *, count: int) -> list[socket.socket]:
    """One socket per worker, so that the kernel deals connections out; OSError when somebody has the port."""
    first = listen(settings.host, settings.port)  # an exclusive one: a second ``serve`` shall notice us
    if count == 1:
        return [first]
    port = first.getsockname()[1]
    first.close()
    return [listen(settings.host, port, shared=True) for _ in range(count)]


def _children(settings: Settings, sockets: Sequence[socket.socket], *, with_jobs: bool) -> list[Child]:
    # Imported only now: the metrics of every process go to one folder, and that is decided at their import.
    from livehub import worker  # noqa: PLC0415 -- as said above

    worker.warm()
    children = [
        Child(f"livehub-web-{i}", partial(worker.run, settings, sock), sock)
        for i, sock in enumerate(sockets, start=1)
    ]
    if with_jobs:
        from jobs import process as jobs  # noqa: PLC0415 -- as said above

        children.append(Child("livehub-jobs", partial(jobs.run, settings)))
    gc.collect()
    gc.freeze()  # what is shared stays shared: the collector does not touch it in the children
    return children


def _migration(settings: Settings) -> Child:
    return Child("livehub-migrate", lambda _: _migrate(settings), restarts=False)


def _migrate(settings: Settings) -> None:
    from livehub.database import DatabaseUnavailable  # noqa: PLC0415 -- as in _children
    from livehub.database.migrate import migrate  # noqa: PLC0415 -- as in _children

    logging.install(style=settings.log_format, level=settings.log_level, process="migrate")
    try:
        count = asyncio.run(migrate(settings, say=lambda step: log.info("migrating", step=step)))
    except DatabaseUnavailable:
        log.warning("migrate.database_away")
        sys.exit(DATABASE_AWAY)
    except Exception:
        log.exception("migrate.failed")
        sys.exit(1)
    log.info("migrate.schema_current", migrations=count)


def _forget_gauges(pid: int) -> None:
    """What a dead process said of its present no longer counts; what it had counted does."""
    from prometheus_client import multiprocess  # noqa: PLC0415 -- as in _children

    multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]  # ships no types for it


class _Nursery:
    """The children of one supervisor."""

    def __init__(self, settings: Settings, sockets: Sequence[socket.socket]) -> None:
        self._settings = settings
        self._sockets = sockets
        self._lifeline, self._writing = os.pipe()
        self._running: dict[int, tuple[Child, float]] = {}  # pid -> the child and when it was born
        self._waiting: list[tuple[float, Child]] = []  # when to start whom
        self._patience: dict[str, float] = {}

    def watch(self, children: Sequence[Child], *, migration: Child | None) -> None:
        """Start the children, after a first migration, and keep them alive until told to stop."""
        if migration is None:
            self._waiting = [(0.0, child) for child in children]
            children = ()
        else:
            self._start(migration)
        while True:
            for status in self._bury():
                if status not in (0, DATABASE_AWAY):
                    raise ServeFailed("the migration failed")
                self._waiting += [(0.0, child) for child in children]
                children = ()
                if status == DATABASE_AWAY and migration is not None:
                    self._waiting.append((time.monotonic() + MIGRATE_AGAIN_SECONDS, migration))
            self._start_due()
            if self._told(_SIGNALS, seconds=self._next_start()) in _TOLD_TO_STOP:
                return

    def let_go(self) -> None:
        """Let every child drain and end; those that take too long are killed."""
        for sock in self._sockets:
            sock.close()
        self._tell_all(signal.SIGTERM)
        until = time.monotonic() + STOP_SECONDS
        while self._running and time.monotonic() < until:
            self._bury(restart=False)
            if self._running and self._told(_SIGNALS, seconds=until - time.monotonic()) in _TOLD_TO_STOP:
                break  # told twice: somebody is in a hurry
        if self._running:
            log.warning("supervisor.killing", children=[child.name for child, _ in self._running.values()])
            self._tell_all(signal.SIGKILL)
        while self._running:
            self._bury(restart=False)
            self._told(_SIGNALS, seconds=0.1)
        os.close(self._writing)
        os.close(self._lifeline)

    def _bury(self, *, restart: bool = True) -> list[int]:
        """Note who died and when to start them again; the statuses of those that shall not be."""
        ended: list[int] = []
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] not in self._running:
                    continue  # an orphan of somebody else's: in a container we are everybody's parent
                child, born = self._running.pop(found[0])
                _forget_gauges(found[0])
                status = os.waitstatus_to_exitcode(found[1])
                if not child.restarts:
                    ended.append(status)
                elif restart:
                    self._waiting.append((time.monotonic() + self._wait(child, born), child))
                    log.error("supervisor.child_died", child=child.name, pid=found[0], status=status)
        return ended

    def _wait(self, child: Child, born: float) -> float:
        """How long a child that died waits: one that dies young again and again, longer each time."""
        is_young = time.monotonic() - born < STEADY_SECONDS
        before = self._patience.get(child.name)
        wait = 0.0 if before is None or not is_young else min(LONGEST_WAIT_SECONDS, before * 2 or 0.25)
        self._patience[child.name] = wait
        return wait

    def _start_due(self) -> None:
        now = time.monotonic()
        due = [child for at, child in self._waiting if at <= now]
        self._waiting = [(at, child) for at, child in self._waiting if at > now]
        for child in due:
            self._start(child)

    def _next_start(self) -> float:
        return max(
            0.0, min((at for at, _ in self._waiting), default=time.monotonic() + 60) - time.monotonic()
        )

    def _start(self, child: Child) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become(child)
        self._running[pid] = (child, time.monotonic())
        log.info("supervisor.child_started", child=child.name, pid=pid)

    def _become(self, child: Child) -> NoReturn:
        """The child's side of a fork: keep only what is the child's, run it, and never return."""
        status = 1
        try:
            os.setpgid(0, 0)  # Ctrl-C reaches the supervisor alone, which then lets the children drain
            os.close(self._writing)
            for sock in self._sockets:
                if sock is not child.sock:
                    sock.close()
            with suppress(OSError):
                Path("/proc/self/comm").write_text(child.name)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            child.run(self._lifeline)
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
        except BaseException:
            log.exception("child.failed", child=child.name)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)  # nothing of the supervisor's is tidied up by a child

    def _tell_all(self, number: signal.Signals) -> None:
        for pid in self._running:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _told(self, numbers: frozenset[signal.Signals], *, seconds: float) -> int:
        told = signal.sigtimedwait(numbers, max(0.0, seconds))
        return told.si_signo if told else 0
