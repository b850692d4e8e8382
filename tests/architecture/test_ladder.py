"""A module imports only from lower rungs or from its own package: the table is in docs/architecture.md."""

from __future__ import annotations

import re
from functools import cache

from tests.architecture.tree import Module, doc, imports, modules

ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)


@cache
def ladder() -> dict[str, tuple[int, str]]:
    """Package -> its rung and the rung's rule, as the document says."""
    rungs = {}
    for number, packages, rule in ROW.findall(doc("architecture.md")):
        for package in re.findall(r"`([a-z_.]+)`", packages):
            assert package not in rungs, f"{package} stands on two rungs"
            rungs[package] = (int(number), rule.strip())
    return rungs


def package_of(name: str) -> str:
    """The entry of the ladder that a module belongs to: the longest one that it begins with."""
    fits = [each for each in ladder() if name == each or name.startswith(f"{each}.")]
    return max(fits, key=len, default="")


def may_import(importer: str, imported: str) -> bool:
    if importer == imported:
        return True
    (rung, rule), (below, _) = ladder()[importer], ladder()[imported]
    if "kit only" in rule:
        return imported == "livehub.kit"
    return below < rung or (below == rung and "each other" in rule and "not each other" not in rule)


def broken(module: Module) -> list[str]:
    own = package_of(module.name)
    return [
        f"{module.where}:{line} imports {name}: {own} may not look at {package_of(name) or 'a package on no rung'}"
        for line, name in imports(module)
        if name != "livehub" and not (package_of(name) and may_import(own, package_of(name)))
    ]


def test_the_ladder_is_written_down() -> None:
    assert ladder()["livehub.kit"][0] == 0
    assert ladder()["livehub.cli"][0] == max(rung for rung, _ in ladder().values())


def test_every_module_stands_on_a_rung() -> None:
    homeless = [each.where for each in modules() if each.name != "livehub" and not package_of(each.name)]

    assert homeless == []


def test_nobody_imports_upwards_or_sideways() -> None:
    assert [line for module in modules() for line in broken(module)] == []


def test_the_bottom_package_stays_empty() -> None:
    livehub = next(each for each in modules() if each.name == "livehub")

    assert livehub.path.read_text("utf-8").strip() == ""


def test_the_rule_itself() -> None:
    assert may_import("livehub.orders", "livehub.inbox")
    assert may_import("livehub.database", "livehub.kit")
    assert not may_import("livehub.inbox", "livehub.orders")
    assert not may_import("rooms", "livehub.inbox")
    assert not may_import("livehub.web", "jobs")
    assert not may_import("livehub.sandbox", "livehub.settings")
    assert not may_import("livehub.platforms", "livehub.sandbox")
