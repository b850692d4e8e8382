"""The systemd units start what exists, are closed to the rest of the machine, and restart what dies."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from livehub.settings import Settings
from livehub.supervisor import STOP_SECONDS
from tests.architecture.tree import ROOT

UNITS = sorted((ROOT / "deploy").glob("*.service"))
INSTALLED = "/opt/livehub/bin/"
MOST_EXPOSED = 15  # of systemd's own reckoning in tenths, 100 is wide open


def values(unit: Path, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", unit.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_a_command_that_there_is(unit: Path) -> None:
    for line in values(unit, "ExecStart(?:Pre)?"):
        program, *arguments = line.removeprefix(INSTALLED).split()
        here = ROOT / ".venv" / "bin" / program
        told = subprocess.run([here, *arguments, "--help"], capture_output=True, text=True, check=False)
        assert line.startswith(INSTALLED)
        assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_restarts_and_leaves_time_to_drain(unit: Path) -> None:
    assert values(unit, "Restart") == ["always"]
    assert values(unit, "StartLimitIntervalSec") == ["0"]
    assert float(values(unit, "TimeoutStopSec")[0]) > STOP_SECONDS


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_gives_only_settings_that_there_are(unit: Path) -> None:
    known = {f"LIVEHUB_{name.upper()}" for name in Settings.__struct_fields__}

    assert {each.split("=")[0] for each in values(unit, "Environment")} <= known


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_accepts_a_unit_and_finds_it_closed(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here (Debian: systemd)")
    moved = tmp_path / unit.name
    moved.write_text(unit.read_text("utf-8").replace(INSTALLED, f"{ROOT}/.venv/bin/"), "utf-8")

    verified = subprocess.run(
        ["systemd-analyze", "verify", moved], capture_output=True, text=True, check=False
    )
    closed = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", moved],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (verified.returncode, verified.stderr) == (0, "")
    assert closed.returncode == 0, closed.stdout.splitlines()[-1]
