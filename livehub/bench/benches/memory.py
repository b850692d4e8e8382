"""How much the web and the jobs process grow between a quarter of the deliveries and all of them."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from livehub import database
from livehub.bench import sales, started
from livehub.bench.benches.freshness import write_paid
from livehub.bench.contract import Plan, Report
from livehub.bench.places import inside, places
from livehub.inbox.models import MessageStatus

PER_SECOND = 40_000  # deliveries for each second of the plan: 200,000 as a rule
QUARTERS = 4
DRAIN_SECONDS = 600
MIB = 1024


class Memory:
    """See docs/performance.md."""

    summary = "resident memory of web and jobs after so many deliveries"

    async def run(self, plan: Plan) -> Report:
        """Four equal parts, each sent as fast as answers come, and booked before the memory is read."""
        report = Report(correct=True)
        part = int(PER_SECOND * plan.seconds / QUARTERS)
        sizes: dict[str, list[float]] = {"web": [], "jobs": []}
        async with places(plan) as made:
            settings = await made.empty("livehub")
            town = await inside(settings, sales.seed)
            async with started.livehub(settings) as service, started.jobs(settings) as jobs:
                processes = {"web": _only_child(service.pid), "jobs": jobs}
                for number in range(QUARTERS):
                    file = made.folder / "paid"
                    write_paid(
                        file, town.endpoint_key, first=number * part, count=part, seed=plan.seed + number
                    )
                    sent = await started.send(service, file, connections=plan.connections, count=part)
                    report.correct &= sent.outcome.statuses == {"200": part}
                    report.correct &= await inside(settings, partial(_booked, (number + 1) * part))
                    for name, pid in processes.items():
                        sizes[name].append(_resident_mib(pid))
        for name, mib in sizes.items():
            report.value[f"{name}_mib"] = mib
            report.value[f"{name}_grown_mib"] = round(mib[-1] - mib[0], 1)
            report.notes.append(f"{name}: {mib} MiB after each quarter of {part * QUARTERS:,} deliveries")
        return report


async def _booked(expected: int) -> bool:
    """Wait until every message is booked; whether there are as many as were sent."""
    waiting = f"status IN ('{MessageStatus.RECEIVED}', '{MessageStatus.PROCESSING}')"
    for _ in range(DRAIN_SECONDS):
        row = await database.fetch_one(f"SELECT count(*) AS n FROM inbox_message WHERE {waiting}")
        if row == {"n": 0}:
            break
        await asyncio.sleep(1)
    row = await database.fetch_one(
        f"SELECT count(*) AS n FROM inbox_message WHERE status = '{MessageStatus.APPLIED}'"
    )
    return row == {"n": expected}


def _only_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kib,) = (int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return round(kib / MIB, 1)


BENCH = Memory()
