"""How a process of ours learns that it shall stop: a signal, or the end of the process that started it."""

from __future__ import annotations

import asyncio
import os
import signal


def stopping(lifeline: int | None = None) -> asyncio.Event:
    """An event that is set by SIGTERM or SIGINT, and when the writer of the inherited pipe is gone.

    The pipe ends however its writer ends, ``kill -9`` included, so no orphan keeps a port or does work
    beside its successor.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if lifeline is not None:
        os.set_blocking(lifeline, False)
        loop.add_reader(lifeline, _read, lifeline, stop)
    return stop


def _read(lifeline: int, stop: asyncio.Event) -> None:
    if os.read(lifeline, 64) == b"":
        asyncio.get_running_loop().remove_reader(lifeline)
        stop.set()
