"""What every process imports is what every start pays for: big libraries come when they are asked for."""

from __future__ import annotations

import subprocess
import sys

ASKED_FOR = {"PIL", "fontTools", "fpdf", "numpy", "pandas"}  # a third of a start and 60 MiB, together


def test_no_process_starts_with_a_library_that_few_requests_need() -> None:
    told = subprocess.run(
        (sys.executable, "-c", "import livehub.app, livehub.supervisor, jobs.process, sys; print(*sys.modules)"),
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    modules = set(told.stdout.split())
    assert {"livehub.app", "sanic", "tortoise"} <= modules
    assert modules & ASKED_FOR == set()
