"""One name for one thing: models, tables, the files' first lines, and names that say nothing."""

from __future__ import annotations

import ast
import importlib
from collections import Counter

import pytest
from tortoise.models import Model

from livehub.database import MODEL_MODULES
from tests.architecture.tree import import_all, modules, subclasses

SAYS_NOTHING = {
    "utils",
    "util",
    "misc",
    "manager",
    "managers",
    "service",
    "services",
    "common",
    "helpers",
    "base",
}


@pytest.fixture(scope="module")
def models() -> list[type[Model]]:
    import_all()
    return [each for each in subclasses(Model) if not getattr(each.__dict__.get("Meta"), "abstract", False)]


def test_every_listed_module_of_models_exists() -> None:
    for name in MODEL_MODULES:
        module = importlib.import_module(name)
        assert [
            each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Model)
        ], name


def test_every_model_lives_in_a_listed_module(models: list[type[Model]]) -> None:
    assert [
        f"{each.__module__}.{each.__name__}" for each in models if each.__module__ not in MODEL_MODULES
    ] == []


def test_every_model_names_its_table(models: list[type[Model]]) -> None:
    assert [each.__name__ for each in models if not getattr(each.__dict__.get("Meta"), "table", "")] == []


def test_model_names_and_table_names_are_unique(models: list[type[Model]]) -> None:
    classes = Counter(each.__name__ for each in models)
    tables = Counter(str(each.__dict__["Meta"].table) for each in models)

    assert len(models) > 0
    assert [name for name, count in (classes + tables).items() if count > 1] == []


def test_every_file_says_in_one_sentence_what_it_is_for() -> None:
    silent = [each.where for each in modules() if each.tree.body and not ast.get_docstring(each.tree)]

    assert silent == []


def test_no_module_is_named_for_nothing() -> None:
    assert [each.where for each in modules() if each.path.stem in SAYS_NOTHING] == []
