"""The project's own source, read once: every module, its syntax tree and what it imports."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from functools import cache
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("livehub", "streamers", "rooms", "jobs")
STARTERS = (".__main__",)  # importing these would run them


class Module(Struct, frozen=True):
    name: str
    path: Path
    tree: ast.Module

    @property
    def where(self) -> str:
        return str(self.path.relative_to(ROOT))


@cache
def modules() -> tuple[Module, ...]:
    """Every module of ours that is written by hand."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[:2] == ("livehub", "migrations"):
                continue
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(name, path, ast.parse(path.read_text("utf-8"), filename=str(path))))
    return tuple(found)


@cache
def names() -> frozenset[str]:
    return frozenset(module.name for module in modules())


def imports(module: Module) -> list[tuple[int, str]]:
    """Line and full name of each module of ours that this one imports, wherever in the file."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.where}:{node.lineno} imports relatively"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.append((node.lineno, inner if inner in names() else node.module))
    return [(line, name) for line, name in found if name.split(".")[0] in PACKAGES]


@cache
def import_all() -> None:
    """Import every module, so that every subclass is known."""
    for package in PACKAGES:
        root = importlib.import_module(package)
        for info in pkgutil.walk_packages(root.__path__, prefix=f"{package}."):
            if not info.name.endswith(STARTERS) and not info.name.startswith("livehub.migrations"):
                importlib.import_module(info.name)


def subclasses(base: type) -> list[type]:
    """Every class of ours below ``base``, once."""
    found: dict[type, None] = {}
    waiting = list(base.__subclasses__())
    while waiting:
        each = waiting.pop()
        waiting += each.__subclasses__()
        if each.__module__.split(".")[0] in PACKAGES:
            found[each] = None
    return sorted(found, key=lambda each: (each.__module__, each.__qualname__))


def doc(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")
