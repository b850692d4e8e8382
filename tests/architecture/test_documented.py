"""What an operator or a developer can meet is named in docs/: settings, adapters, errors, tasks, rules, facts."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from enum import StrEnum

import pytest

from livehub.kit import limits, plugins
from livehub.kit.errors import LivehubError
from livehub.settings import Settings
from livehub.wiring import LISTENERS
from tests.architecture.tree import ROOT, doc, import_all, modules, names, subclasses

LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def variables() -> list[str]:
    return [f"LIVEHUB_{name.upper()}" for name in Settings.__struct_fields__]


def folder(package: str) -> list[str]:
    """The modules of a folder that is a registry, none where the folder is not there yet."""
    if package not in names():
        return []
    found = importlib.import_module(package)
    return sorted(info.name for info in pkgutil.iter_modules(found.__path__) if not info.name.startswith("_"))


def row_of(error: type[LivehubError]) -> str:
    return f"| `{error.code}` | {error.status} | {inspect.cleandoc(error.__doc__ or '').splitlines()[0]} |"


def refusals() -> list[type[LivehubError]]:
    """Every refusal that can reach somebody: the first class of each code."""
    import_all()
    first: dict[str, type[LivehubError]] = {LivehubError.code: LivehubError}
    for error in sorted(subclasses(LivehubError), key=lambda each: len(each.__mro__)):
        first.setdefault(error.code, error)
    return list(first.values())


@pytest.mark.parametrize("name", variables())
def test_every_setting_has_its_row(name: str) -> None:
    assert re.search(rf"^\| `{name}` \|", doc("settings.md"), re.MULTILINE)


def test_no_row_describes_a_setting_that_is_gone() -> None:
    described = re.findall(r"^\| `(LIVEHUB_[A-Z_]+)` \|", doc("settings.md"), re.MULTILINE)

    assert sorted(described) == sorted(variables())


def test_every_adapter_has_its_page() -> None:
    from livehub.platforms import adapters  # noqa: PLC0415 -- the package under test

    pages = {path.stem for path in (ROOT / "docs" / "platforms").glob("*.md")}

    assert plugins.discover(adapters, "ADAPTER")
    assert set(plugins.discover(adapters, "ADAPTER")) - pages == set()


def test_every_refusal_is_listed_with_its_status_and_sentence() -> None:
    page = doc("errors.md").splitlines()
    missing = [row_of(error) for error in refusals() if row_of(error) not in page]

    assert missing == [], "run make docs; missing in docs/errors.md:\n" + "\n".join(missing)


def test_no_refusal_is_listed_that_is_gone() -> None:
    listed = re.findall(r"^\| `([A-Z_]+)` \|", doc("errors.md"), re.MULTILINE)

    assert sorted(listed) == sorted(error.code for error in refusals())


def test_one_code_means_one_status() -> None:
    import_all()
    statuses: dict[str, set[int]] = {}
    for error in subclasses(LivehubError):
        statuses.setdefault(error.code, set()).add(error.status)

    assert {code: found for code, found in statuses.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    ("package", "page"),
    [
        ("jobs.tasks", "operations.md"),
        ("livehub.vouchers.rules", "extending.md"),
        ("livehub.settlement.hold_rules", "extending.md"),
        ("livehub.vouchers.refund_presets", "extending.md"),
        ("livehub.platforms.adapters", "extending.md"),
        ("livehub.orders.statements.sources", "extending.md"),
        ("livehub.reports.exports", "extending.md"),
    ],
)
def test_every_module_of_a_registry_is_named(package: str, page: str) -> None:
    text = doc(page)
    unnamed = [name for name in folder(package) if f"`{name}`" not in text]

    assert unnamed == [], f"name them in docs/{page}"


def test_every_invariant_is_named() -> None:
    text = doc("operations.md")
    files = [each for each in modules() if ".invariants." in each.name]
    statements = [importlib.import_module(each.name).INVARIANT.name for each in files]

    assert statements
    assert [name for name in statements if f"`{name}`" not in text] == []


def test_every_fact_is_named() -> None:
    text = doc("architecture.md")

    assert [fact.__name__ for fact in LISTENERS if f"`{fact.__name__}`" not in text] == []


def states() -> list[tuple[str, str]]:
    """Every state that a stored thing can be in, with the name of its class."""
    lives = [each for each in subclasses(StrEnum) if each.__name__.endswith(("State", "Status"))]
    return [(each.__name__, str(value)) for each in lives if ".models" in each.__module__ for value in each]


def test_every_state_is_in_the_concepts() -> None:
    import_all()
    text = doc("concepts.md")

    assert states()
    assert [f"{owner}: {value}" for owner, value in states() if f"`{value}`" not in text] == []


def test_every_limit_is_in_the_table_and_is_what_the_table_says() -> None:
    import_all()
    rows = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (\d+) \| (\d+) \|", doc("security.md"), re.MULTILINE)

    assert limits.DECLARED
    told = {name: (int(most), int(seconds)) for name, most, seconds in rows}
    limits.install(Settings())
    assert told == {name: (limit.most, limit.seconds) for name, limit in limits.DECLARED.items()}


def test_the_limits_that_may_be_changed_say_by_which_setting() -> None:
    import_all()
    changeable = {f"LIVEHUB_{limit.setting.upper()}": name for name, limit in limits.DECLARED.items()}

    rows = dict(
        re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|.*`(LIVEHUB_[A-Z_]+)`", doc("security.md"), re.MULTILINE)
    )
    assert {setting: name for name, setting in rows.items()} == {
        setting: name for setting, name in changeable.items() if setting != "LIVEHUB_"
    }
    assert set(rows.values()) <= set(variables())


def test_every_test_named_in_the_security_page_is_there() -> None:
    named = set(re.findall(r"`(tests/[a-z_/.]+)`", doc("security.md")))

    assert {each for each in named if not (ROOT / each).exists()} == set()


def test_every_decision_is_numbered_once_and_whole() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    numbers = [int(page.name[:4]) for page in pages]

    assert numbers == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text("utf-8")
        assert [
            part
            for part in ("Context", "Decision", "Consequences", "Alternatives")
            if f"## {part}" not in text
        ] == [], page.name


def test_every_link_between_pages_leads_somewhere() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    links = [(page, target) for page in pages for target in LINK.findall(page.read_text("utf-8"))]

    assert [
        f"{page.relative_to(ROOT)} -> {target}"
        for page, target in links
        if not (page.parent / target).exists()
    ] == []
