"""The few lines of pandas in the documentation recompute every figure of a pack."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

from livehub.settings import Settings
from tests.architecture.tree import doc
from tests.factories.reports import a_month, packed
from tests.reports.packs.test_checking import on_one_engine, one_more, rewritten, rows_of


def script() -> str:
    (found,) = re.findall(r"```python\n(.*?)```", doc("packs.md"), re.DOTALL)
    return str(found)


def ran(path: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", script(), str(path)], capture_output=True, text=True, check=True
    ).stdout


@on_one_engine
async def test_a_stranger_recomputes_a_pack(db: Settings, tmp_path: Path) -> None:
    async with a_month(db) as books:
        path = await packed(books, "monthly", tmp_path)
    name = "evidence/lines.csv"
    column = rows_of(zipfile.ZipFile(path).read(name))[0].index("g3_fen")
    bad = rewritten(path, {name: one_more(1, column)})

    assert ran(path).splitlines()[-1].endswith("figures, 0 differ")
    assert not ran(bad).splitlines()[-1].endswith(" 0 differ")
