"""The table of guards fits the code: every text that is taken out is there, every lock has a row or a reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.tree import ROOT
from tests.faults.guards import GUARDS, LOCKS_NOT_TAKEN_OUT
from tests.faults.removing import Cut, CutText

TEXTS = {
    removal.name: removal
    for guard in GUARDS
    for removal in guard.removed
    if isinstance(removal, Cut | CutText)
}
PACKAGES = ("livehub", "rooms", "streamers", "jobs")
ELSEWHERE = {"migrations", "sandbox", "bench", "demo"}
LOCK = re.compile(
    r"FOR (NO KEY )?UPDATE|FOR SHARE|SKIP LOCKED|ON CONFLICT|LOCK TABLE|advisory|lease_token = |AND token = "
    r"|locks\.hold\(|barrier\.(enter|outwait)\(|second_person\(|get_or_create\("
)


@pytest.mark.parametrize("name", TEXTS)
def test_a_guard_is_where_the_table_says(name: str) -> None:
    assert TEXTS[name].changed()


def test_what_locks_or_fences_is_taken_out_by_the_table_or_has_a_reason() -> None:
    taken_out = {removal.where for removal in TEXTS.values()}
    locking = {
        name
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if not ELSEWHERE & set(path.relative_to(ROOT).parts)
        for name in _locking(
            ast.parse(path.read_text()).body, ".".join(path.relative_to(ROOT).with_suffix("").parts) + ":"
        )
    }

    assert locking - taken_out == set(LOCKS_NOT_TAKEN_OUT)


def _locking(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    """Functions and constants that say a word of locking, outside their docstrings."""
    for node in body:
        match node:
            case ast.ClassDef():
                yield from _locking(node.body, f"{prefix}{node.name}.")
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                said = node.body[1:] if ast.get_docstring(node) else node.body
                if LOCK.search(ast.unparse(ast.Module(said, []))):
                    yield f"{prefix}{node.name}"
            case ast.Assign(targets=[ast.Name(id=name)]):
                if LOCK.search(ast.unparse(node.value)):
                    yield f"{prefix}{name}"
