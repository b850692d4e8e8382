"""``python -m livehub.bench.drain [--states]``: intake by itself, a stretch at a time, as it is told to.

Each line of standard input is a number of messages to take through; the answer says how many were taken
and how long that took. With ``--states`` contributions and buckets are left out: the peer of ``rollups``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import uvloop

from livehub import process
from livehub import settings as knobs
from livehub.kit import clock, logging
from livehub.kit.heads import Head
from livehub.orders import attribution, intake, ledger, rollup
from livehub.orders.contribution import Contribution


async def _work() -> None:
    await process.start(knobs.load())
    head = Head()
    try:
        while told := await asyncio.to_thread(sys.stdin.readline):
            taken, began = 0, perf_counter()
            while taken < int(told) and (
                count := await intake.run_once(
                    now=clock.now(), lease_seconds=60, limit=min(intake.BATCH, int(told) - taken), head=head
                )
            ):
                taken += count
            sys.stdout.write(f"{taken} {perf_counter() - began}\n")
            sys.stdout.flush()
    finally:
        await process.stop()


def _only_states() -> None:
    async def nothing_bound(*_: Any) -> attribution.Bindings:
        return attribution.Bindings(
            rooms={}, accounts={}, codes={}, shops={}, words={}, vouchers={}, products={}
        )

    async def nothing_booked(_changes: Sequence[rollup.Change], **_: Any) -> None:
        return

    def nothing_contributed(*_: Any, **__: Any) -> Contribution:
        return {}

    for place, name, instead in (
        (ledger, "_bindings", nothing_bound),
        (ledger, "_contribution", nothing_contributed),
        (rollup, "book", nothing_booked),
    ):
        setattr(place, name, instead)


def main() -> None:
    """Work until standard input ends."""
    logging.install(style="text", level="WARNING", process="drain")
    if "--states" in sys.argv:
        _only_states()
    uvloop.run(_work())


if __name__ == "__main__":
    main()
