"""Writes the table of docs/errors.md anew from the refusals in the code: make docs."""

from __future__ import annotations

from tests.architecture.test_documented import refusals, row_of
from tests.architecture.tree import ROOT, doc

HEAD = "| code | status | sentence |\n|---|---|---|\n"


def write() -> None:
    text = doc("errors.md").split(HEAD)[0] + HEAD
    rows = sorted(row_of(error) for error in refusals())
    (ROOT / "docs" / "errors.md").write_text(text + "\n".join(rows) + "\n", "utf-8")


if __name__ == "__main__":
    write()
