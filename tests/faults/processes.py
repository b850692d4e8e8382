"""Real processes to be killed: ``livehub serve`` as an operator starts it, and what runs below it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from livehub import settings as knobs
from livehub.settings import Settings
from tests.conftest import ROOT

T = TypeVar("T")


class Serving:
    """A running ``livehub serve`` and what it started."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def children(self, of: str) -> set[int]:
        """Process ids of the children whose name begins so: ``livehub-web`` or ``livehub-jobs``."""
        return {pid for pid in below(self.process.pid) if name(pid).startswith(of)}

    async def status(self, path: str = "/readyz", *, seconds: float = 5.0) -> int:
        """The status of one request on a connection of its own; 0 when no answer came in time."""
        timeout = aiohttp.ClientTimeout(total=seconds)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(self.url + path) as answer,
            ):
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0

    async def post(self, path: str, body: str, headers: Mapping[str, str]) -> int:
        """The status of one POST."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url + path, data=body.encode(), headers=headers) as answer,
        ):
            return answer.status

    async def figure(self, name: str) -> float:
        """The sum of a figure over its labels, as any of the workers tells it."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    async def ready(self) -> None:
        """Wait until it serves."""
        await becomes(self._is_ready, seconds=30)

    async def _is_ready(self) -> bool:
        return await self.status(seconds=2) == 200


@asynccontextmanager
async def serve(
    settings: Settings, *options: str, module: str = "livehub", environ: Mapping[str, str] | None = None
) -> AsyncIterator[Serving]:
    """Start ``livehub serve``; whatever is left of it at the end is killed."""
    log = settings.data_dir / "serve.log"
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, "serve", *options),
            cwd=ROOT,
            env=knobs.environment(settings) | dict(environ or {}),
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )
    family: set[int] = set()
    try:
        assert process.stdout is not None
        told = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
        assert told.startswith("livehub: http://"), log.read_text()
        serving = Serving(process, told.removeprefix("livehub: "))
        await serving.ready()
        family = below(process.pid)
        yield serving
    finally:
        family |= below(process.pid)
        if process.returncode is None:
            process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 20)
        for pid in family:
            if name(pid).startswith("livehub-"):
                os.kill(pid, signal.SIGKILL)
        if process.returncode is None:
            process.kill()
        await process.wait()


def below(parent: int) -> set[int]:
    """Process ids of the children of a process."""
    with suppress(OSError):
        return {int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()}
    return set()


def name(pid: int) -> str:
    """The name of a process, empty when it is gone or only waits to be buried."""
    with suppress(OSError):
        if Path(f"/proc/{pid}/cmdline").read_bytes():
            return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processors so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    """The memory a process has to itself and shares."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def is_stopped(pid: int) -> bool:
    """Whether SIGSTOP holds the process."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    return False


async def becomes(true: Callable[[], Awaitable[T] | T], *, seconds: float) -> T:
    """Wait until the condition holds and return it; fails when it does not in time."""
    until = asyncio.get_running_loop().time() + seconds
    while True:
        answer: Any = true()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return answer
        assert asyncio.get_running_loop().time() < until, f"not so within {seconds} s"
        await asyncio.sleep(0.05)
