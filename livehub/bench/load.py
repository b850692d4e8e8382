"""``python -m livehub.bench.load``: send the requests of a file as fast as answers come, or at a steady rate.

A process of its own, lean enough not to be what is measured: one asyncio Protocol per connection and
ready-made bytes. Its own ceiling is measured against a server that does nothing (``ceiling``).
"""

from __future__ import annotations

import asyncio
import mmap
import random
import sys
from array import array
from collections import deque
from pathlib import Path
from time import perf_counter
from typing import cast

import msgspec
import uvloop
from msgspec import Struct

from livehub.bench import wire

TICK_SECONDS = 0.001
UNANSWERED = 0
LOST = 1  # the connection broke


class Order(Struct, frozen=True, kw_only=True):
    """What to do; read from standard input as JSON."""

    host: str
    port: int
    file: str
    connections: int
    first: int = 0  # of the stored requests
    count: int = 0  # how many at most
    seconds: float = 0.0  # stop sending after; 0: when all are sent
    rate: float = 0.0  # per second, Poisson; 0: as fast as answers come
    seed: int = 1


class Outcome(Struct, kw_only=True):
    """What happened; statuses and latencies are in ``<file>.status`` and ``<file>.latency``."""

    sent: int
    answered: int
    seconds: float
    statuses: dict[str, int]


class _Work:
    def __init__(self, order: Order) -> None:
        path = Path(order.file)
        self.ends = wire.ends_of(path)
        with path.open("rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.next = order.first
        self.stop = order.first + order.count
        self.first = order.first
        self.until = float("inf")
        self.statuses = array("H", bytes(2 * order.count))
        self.latencies = array("f", bytes(4 * order.count))
        self.outstanding = 0
        self.last = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def request(self, number: int) -> bytes:
        return self.bytes[self.ends[number - 1] if number else 0 : self.ends[number]]

    def note(self, number: int, status: int, began: float) -> None:
        self.last = now = perf_counter()
        self.statuses[number - self.first] = status
        self.latencies[number - self.first] = (now - began) * 1000
        self.outstanding -= 1

    def is_over(self) -> bool:
        return self.next >= self.stop or perf_counter() >= self.until

    def end_if_over(self) -> None:
        if self.outstanding == 0 and self.is_over() and not self.done.done():
            self.done.set_result(None)


class _Connection(asyncio.Protocol):
    """Sends one request, reads its answer, asks for the next."""

    def __init__(self, work: _Work, idle: deque[_Connection] | None) -> None:
        self._work = work
        self._idle = idle
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._number = -1
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def send(self, number: int, *, began: float) -> None:
        self._number, self._began = number, began
        self._work.outstanding += 1
        assert self._transport is not None  # noqa: S101 -- connected before it is asked to send
        self._transport.write(self._work.request(number))

    def go_on(self) -> None:
        work = self._work
        if work.is_over():
            work.end_if_over()
            return
        number, work.next = work.next, work.next + 1
        self.send(number, began=perf_counter())

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        head = data.find(b"\r\n\r\n")
        if head < 0 or len(data) < head + 4 + _length(data, head):
            self._buffer = data
            return
        self._buffer = b""
        self._work.note(self._number, int(data[9:12]), self._began)
        self._number = -1
        if self._idle is None:
            self.go_on()
        else:
            self._idle.append(self)
            self._work.end_if_over()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- the protocol's signature
        if self._number >= 0:
            self._work.note(self._number, LOST, self._began)
            self._number = -1
            self._work.end_if_over()


def _length(data: bytes, head: int) -> int:
    at = data.find(b"ontent-", 0, head)
    while at >= 0:
        if data[at : at + 14].lower() == b"ontent-length:":
            return int(data[at + 14 : data.find(b"\r\n", at)])
        at = data.find(b"ontent-", at + 1, head)
    return 0


async def work_off(order: Order) -> Outcome:
    """Send what is ordered, and wait for the answers."""
    loop = asyncio.get_running_loop()
    work = _Work(order)
    idle: deque[_Connection] | None = deque() if order.rate else None
    connections = []
    for _ in range(order.connections):
        _, made = await loop.create_connection(lambda: _Connection(work, idle), order.host, order.port)
        connections.append(made)
    began = perf_counter()
    work.until = began + order.seconds if order.seconds else float("inf")
    if idle is None:
        for each in connections:
            each.go_on()
    else:
        idle.extend(connections)
        await _at_rate(order, work, idle)
    work.end_if_over()
    await asyncio.wait_for(work.done, timeout=(order.seconds or 600) + 60)
    sent = work.next - work.first
    path = Path(order.file)
    path.with_suffix(".status").write_bytes(work.statuses[:sent].tobytes())
    path.with_suffix(".latency").write_bytes(work.latencies[:sent].tobytes())
    counts: dict[str, int] = {}
    for status in work.statuses[:sent]:
        counts[str(status)] = counts.get(str(status), 0) + 1
    answered = sent - counts.get(str(LOST), 0) - counts.get(str(UNANSWERED), 0)
    return Outcome(sent=sent, answered=answered, seconds=work.last - began, statuses=counts)


async def _at_rate(order: Order, work: _Work, idle: deque[_Connection]) -> None:
    """Poisson arrivals; who waits for a connection waits from the moment of arrival.

    Those of a millisecond go together: uvloop takes a shorter sleep for none, and a generator that never
    sleeps takes the core that the database needs.
    """
    dice = random.Random(order.seed)
    due = perf_counter()
    while not work.is_over():
        due += dice.expovariate(order.rate)
        while (wait := due - perf_counter()) > 0 or not idle:
            await asyncio.sleep(max(wait, TICK_SECONDS))
            if perf_counter() >= work.until:
                return
        number, work.next = work.next, work.next + 1
        idle.popleft().send(number, began=due)


def main() -> None:
    """Read an order, print the outcome."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    outcome = uvloop.run(work_off(order))
    sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")


if __name__ == "__main__":
    main()
