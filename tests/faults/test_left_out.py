"""What the machine does not allow leaves a test out, and is a failure where nothing may be left out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest

from tests import conftest
from tests.faults import clusters, test_postgres_full


def no_server_programs(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("PATH", "/nowhere")
    patch.setattr(clusters.Path, "glob", lambda *_: iter(()))
    clusters._binaries()


def nobody_important(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "geteuid", lambda: 1000)
    with test_postgres_full.a_small_disk():
        pass


def nothing_to_mount_with(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "geteuid", lambda: 0)
    patch.setattr(test_postgres_full, "MOUNT", (shutil.which("false") or "false",))
    with test_postgres_full.a_small_disk():
        pass


@pytest.mark.parametrize("machine", [no_server_programs, nobody_important, nothing_to_mount_with])
def test_a_machine_that_lacks_something_is_told_of(
    machine: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conftest, "REQUIRED", False)
    with pytest.raises(pytest.skip.Exception):
        machine(monkeypatch)

    monkeypatch.setattr(conftest, "REQUIRED", True)
    with pytest.raises(pytest.fail.Exception, match="leaving tests out is not allowed here"):
        machine(monkeypatch)
