"""Run one benchmark, show its table to people and its figures as one line of JSON."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from livehub.bench import benches
from livehub.bench.contract import Bench, Plan, Report
from livehub.kit.plugins import discover


@cache
def all_benches() -> dict[str, Bench]:
    """Name -> benchmark."""
    return discover(benches, "BENCH")


async def run(name: str, plan: Plan, *, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure and print; returns what the JSON line says."""
    fsync_ms = fsync_median_ms(Path(tempfile.gettempdir()))
    report = await all_benches()[name].run(plan)
    _show(name, plan, report, fsync_ms=fsync_ms)
    line = {
        "bench": name,
        "engine": plan.engine,
        "ratio": report.ratio if report.correct else {},  # a run that is not correct has no number
        "value": {**report.value, "fsync_ms": fsync_ms, "rounds": plan.repetitions, "cores": os.cpu_count()},
        "correct": report.correct,
    }
    say(msgspec.json.encode(line).decode())
    return line


def fsync_median_ms(folder: Path, *, times: int = 200) -> float:
    """How long the disk takes to keep 4 KiB for good: every ratio here depends on it."""
    took = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(times):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return round(median(took) * 1000, 3)


def _show(name: str, plan: Plan, report: Report, *, fsync_ms: float) -> None:
    table = Table(title=f"{name} on {plan.engine}, fdatasync {fsync_ms} ms", title_justify="left")
    for column in ("contender", "median/s", "lowest", "highest"):
        table.add_column(column, justify="left" if column == "contender" else "right")
    for contender, rates in report.rates.items():
        table.add_row(contender, *(f"{each:,.0f}" for each in (median(rates), min(rates), max(rates))))
    console = Console(stderr=True, width=100)
    if report.rates:
        console.print(table)
    for peer, times in report.ratio.items():
        console.print(f"  {times:.2f} x {peer}")
    for note in report.notes:
        console.print(f"  {note}")
    if not report.correct:
        console.print("  NOT CORRECT: the figures above mean nothing")
