"""The demo's other processes: the imitated platforms, and livehub itself as it would be installed."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress

from livehub import settings as knobs
from livehub.demo.browser import Machine, StoryBroken
from livehub.settings import Settings

STOP_SECONDS = 20


class Processes:
    """Children that end with the demo."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._children: list[asyncio.subprocess.Process] = []

    async def start_sandbox(self, *, port: int) -> str:
        """Start the imitated platforms; their address."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "livehub.sandbox", "--port", str(port), stdout=asyncio.subprocess.PIPE
        )
        self._children.append(child)
        assert child.stdout is not None  # noqa: S101 -- piped above
        while line := (await asyncio.wait_for(child.stdout.readline(), 20)).decode():
            if "http://" in line:
                return line[line.index("http://") :].strip()
        raise StoryBroken("the imitated platforms did not start")

    async def start_web(self) -> None:
        """Start the web, and wait until it is ready."""
        await self._start("livehub", "serve", "--no-migrate")
        async with Machine(f"http://{self._settings.host}:{self._settings.port}") as machine:
            await machine.until_there("/readyz")

    async def start_jobs(self) -> None:
        """Start the jobs; after the past was told, lest they tidy it up while it is being made."""
        await self._start("jobs")

    async def _start(self, *module: str) -> None:
        command = (sys.executable, "-m", *module)
        environment = knobs.environment(self._settings)
        self._children.append(await asyncio.create_subprocess_exec(*command, env=environment))

    async def stop(self) -> None:
        """End them in the order opposite to their start."""
        for child in reversed(self._children):
            with suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(child.wait(), STOP_SECONDS)
            except TimeoutError:
                child.kill()
                await child.wait()
        self._children.clear()

    async def any_ended(self) -> None:
        """Return when a child has ended by itself."""
        waits = [asyncio.ensure_future(child.wait()) for child in self._children]
        _, others = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
