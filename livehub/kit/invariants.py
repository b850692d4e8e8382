"""Statements about stored data that must hold; each lies in the package whose tables it is about."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from livehub.kit import plugins


class Invariant(Struct, frozen=True):
    """One statement; ``check`` says in a sentence each what contradicts it, and nothing when it holds."""

    name: str  # dotted: accounts.chain
    label_zh: str
    check: Callable[[], Awaitable[list[str]]]


def discover(packages: Sequence[str]) -> list[Invariant]:
    """The INVARIANT of every module in each package's ``invariants`` sub-package, packages in their order."""
    found: list[Invariant] = []
    for package in packages:
        name = f"{package}.invariants"
        if importlib.util.find_spec(name) is not None:
            found += plugins.discover(importlib.import_module(name), "INVARIANT").values()
    names = [each.name for each in found]
    if len(set(names)) != len(names):
        raise ValueError(f"two invariants of one name among {sorted(names)}")
    return found
