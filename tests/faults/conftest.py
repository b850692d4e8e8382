"""A second database for the twin that never crashes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from livehub.settings import Settings
from tests.conftest import KEYS

pytest.register_assert_rewrite("tests.faults.reckoning")  # so that it says what differs


@pytest.fixture
def twin(tmp_path: Path, sqlite_template: Path) -> Settings:
    """Always SQLite: whatever the engine, the same deliveries make the same buckets."""
    folder = tmp_path / "twin"
    folder.mkdir()
    file = folder / "livehub.db"
    shutil.copy(sqlite_template, file)
    return Settings(data_dir=folder, database_url=f"sqlite://{file}", keys=KEYS, port=0)
