"""Which platforms there are: every module in ``adapters/`` that has an ``ADAPTER``."""

from __future__ import annotations

from functools import cache

from livehub.kit import plugins
from livehub.platforms import adapters
from livehub.platforms.contract import Adapter
from livehub.platforms.errors import UnknownPlatform


def get(name: str) -> Adapter:
    """The adapter of that name; UnknownPlatform when there is none."""
    adapter = _by_name().get(name)
    if adapter is None:
        raise UnknownPlatform
    return adapter


def all() -> tuple[Adapter, ...]:  # noqa: A001 -- read as registry.all()
    """Every adapter, in alphabetical order of its name."""
    return tuple(_by_name().values())


@cache
def _by_name() -> dict[str, Adapter]:
    found = plugins.discover(adapters, "ADAPTER").values()
    return {adapter.name: adapter for adapter in sorted(found, key=lambda each: each.name)}
