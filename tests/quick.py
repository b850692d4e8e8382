"""What a thousand tests in one process need to do only once: prepare the models, compile the routes.

A process of ours does both once, at its start. Here each test has an application and a database of its own, and
the two took half of a web test's time.
"""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import sanic_routing.router
from tortoise.apps import Apps


def install() -> None:
    """Let Tortoise prepare its models once an engine, and Sanic compile the same routes once."""
    _prepare_models_once_an_engine()
    _compile_routes_once()


def _prepare_models_once_an_engine() -> None:
    prepare = Apps._build_initial_querysets
    prepared: tuple[str, frozenset[type]] | None = None

    def prepare_unless_done(apps: Apps) -> None:
        """Filters and queries of a model depend on the engine alone, and stand in its class."""
        nonlocal prepared
        models = frozenset(model for app in apps.values() for model in app.values())
        wanted = (next(iter(models))._meta.db.capabilities.dialect, models)
        if prepared != wanted:
            prepare(apps)
            prepared = wanted

    Apps._build_initial_querysets = prepare_unless_done  # type: ignore[method-assign]


def _compile_routes_once() -> None:
    """The router's source is compiled as it is, instead of by way of a tree that is written out again."""

    def as_it_is(source: str, *_: Any) -> str:
        return source

    router: Any = sanic_routing.router
    router.ast = SimpleNamespace(parse=as_it_is, unparse=as_it_is, fix_missing_locations=as_it_is)
    router.compile = lru_cache(maxsize=16)(compile)  # found before the builtin
