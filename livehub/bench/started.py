"""What a benchmark starts: livehub and its peers as processes of their own, and load."""

from __future__ import annotations

import asyncio
import sys
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec import Struct

from livehub import settings as knobs
from livehub.bench import load
from livehub.settings import Settings

START_SECONDS = 60
STOP_SECONDS = 20


class BenchBroken(Exception):
    """A process of the benchmark did not do its part; the text says which."""


class Service(Struct, frozen=True):
    """Something that answers on a port of loopback."""

    name: str
    host: str
    port: int
    pid: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self.host}:{self.port}"


class Sent(Struct, kw_only=True):
    """One stretch of load: what was answered, how fast, each request's status and latency."""

    outcome: load.Outcome
    statuses: array[int]
    latencies_ms: array[float]

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.outcome.answered / self.outcome.seconds if self.outcome.seconds else 0.0


@asynccontextmanager
async def livehub(settings: Settings, *options: str) -> AsyncIterator[Service]:
    """``livehub serve`` on a migrated database."""
    async with _running(
        "livehub", "livehub", "serve", "--no-migrate", *options, settings=settings
    ) as service:
        await _ready(service)
        yield service


@asynccontextmanager
async def jobs(settings: Settings) -> AsyncIterator[int]:
    """``python -m jobs``; its process id."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jobs", env=knobs.environment(settings), stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process.pid
    finally:
        await _end(process)


class Drain:
    """``livehub.bench.drain`` on a database."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def take(self, count: int) -> tuple[int, float]:
        """Take so many messages through; how many it were, and the seconds it took."""
        process = self._process
        assert process.stdin is not None  # noqa: S101 -- piped below
        assert process.stdout is not None  # noqa: S101 -- as above
        process.stdin.write(f"{count}\n".encode())
        told = (await process.stdout.readline()).split()
        if not told:
            raise BenchBroken("the drain ended")
        return int(told[0]), float(told[1])


@asynccontextmanager
async def drain(settings: Settings, *options: str) -> AsyncIterator[Drain]:
    """Intake by itself, as fast as it can."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "livehub.bench.drain", *options),
        env=knobs.environment(settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Drain(process)
    finally:
        assert process.stdin is not None  # noqa: S101 -- piped above
        process.stdin.close()
        await _end(process)


@asynccontextmanager
async def sandbox(settings: Settings) -> AsyncIterator[Service]:
    """The imitated platforms."""
    async with _running("sandbox", "livehub.sandbox", "--port", "0", settings=settings) as service:
        yield service


@asynccontextmanager
async def peer(name: str, settings: Settings) -> AsyncIterator[Service]:
    """One of ``livehub.bench.peers``."""
    module = ("livehub.bench.peers.ceiling",) if name == "ceiling" else ("livehub.bench.peers", name)
    async with _running(name, *module, settings=settings) as service:
        if name != "ceiling":
            await _ready(service)
        yield service


async def send(
    service: Service,
    file: Path,
    *,
    connections: int,
    first: int = 0,
    count: int,
    seconds: float = 0.0,
    rate: float = 0.0,
    seed: int = 1,
) -> Sent:
    """Send stored requests from a process of its own."""
    order = load.Order(
        host=service.host,
        port=service.port,
        file=str(file),
        connections=connections,
        first=first,
        count=count,
        seconds=seconds,
        rate=rate,
        seed=seed,
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "livehub.bench.load"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(msgspec.json.encode(order))
    if process.returncode:
        raise BenchBroken(f"the load generator ended with {process.returncode} at {service.name}")
    statuses, latencies = array("H"), array("f")
    statuses.frombytes(file.with_suffix(".status").read_bytes())
    latencies.frombytes(file.with_suffix(".latency").read_bytes())
    outcome = msgspec.json.decode(out, type=load.Outcome)
    return Sent(outcome=outcome, statuses=statuses, latencies_ms=latencies)


@asynccontextmanager
async def _running(name: str, *module: str, settings: Settings) -> AsyncIterator[Service]:
    log = settings.data_dir / f"{name}.log"
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *module),
            env=knobs.environment(settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )
    try:
        assert process.stdout is not None  # noqa: S101 -- piped above
        told = (await asyncio.wait_for(process.stdout.readline(), START_SECONDS)).decode()
        if "http://" not in told:
            raise BenchBroken(f"{name} did not start: {log.read_text()[-2000:]}")
        at = urlsplit(told[told.index("http://") :].strip())
        yield Service(name, at.hostname or "", at.port or 0, process.pid)
    finally:
        await _end(process)


async def _ready(service: Service) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(START_SECONDS * 20):
            with suppress(aiohttp.ClientError):
                async with session.get(f"{service.url}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
    raise BenchBroken(f"{service.name} is not ready")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
