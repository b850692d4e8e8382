"""The present, the environment and chance each have one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.tree import Module, modules

PRESENT = {
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
}
ENVIRONMENT = {"os.environ", "os.getenv", "os.environb", "os.putenv"}


def used(module: Module) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of every name used, with the file's import aliases resolved."""
    known = aliases(module.tree)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute | ast.Name):
            parts: list[str] = []
            inner: ast.expr = node
            while isinstance(inner, ast.Attribute):
                parts.insert(0, inner.attr)
                inner = inner.value
            if isinstance(inner, ast.Name) and inner.id in known:
                yield node.lineno, ".".join([known[inner.id], *parts])


def aliases(tree: ast.Module) -> dict[str, str]:
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.split(".")[0]
                known[alias.asname or root] = alias.name if alias.asname else root
        elif isinstance(node, ast.ImportFrom) and node.module:
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return known


def users_of(forbidden: set[str], *, door: str) -> list[str]:
    return [
        f"{module.where}:{line} uses {name}"
        for module in modules()
        if module.name != door
        for line, name in used(module)
        if name in forbidden
    ]


def test_only_the_clock_asks_for_the_present() -> None:
    assert users_of(PRESENT, door="livehub.kit.clock") == []


def test_only_settings_reads_the_environment() -> None:
    assert users_of(ENVIRONMENT, door="livehub.settings") == []


def test_chance_is_secret_or_seeded_in_the_sandbox_and_the_benchmarks() -> None:
    outside = [
        f"{module.where}:{line} uses {name}"
        for module in modules()
        for line, name in used(module)
        if name.startswith("random.")
        and not (
            module.name.startswith(("livehub.sandbox", "livehub.bench")) and name.startswith("random.Random")
        )
    ]

    assert outside == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from datetime import datetime as d\nd.now()", "datetime.datetime.now"),
        ("import datetime\ndatetime.datetime.utcnow()", "datetime.datetime.utcnow"),
        ("from time import time\ntime()", "time.time"),
        ("import os as o\no.environ['A']", "os.environ"),
    ],
)
def test_a_hidden_name_is_seen(source: str, name: str) -> None:
    module = Module("x", modules()[0].path, ast.parse(source))

    assert name in {found for _, found in used(module)}
