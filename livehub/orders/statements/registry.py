"""Which statements can be read: every module in ``sources/`` that has a ``SOURCE``."""

from __future__ import annotations

from functools import cache

from livehub.kit import plugins
from livehub.orders.statements import sources
from livehub.orders.statements.contract import Source
from livehub.orders.statements.errors import UnknownSource


def get(name: str) -> Source:
    """The source of that name; UnknownSource when there is none."""
    found = _by_name().get(name)
    if found is None:
        raise UnknownSource
    return found


def all() -> tuple[Source, ...]:  # noqa: A001 -- read as registry.all()
    """Every source, in alphabetical order of its name."""
    return tuple(_by_name().values())


@cache
def _by_name() -> dict[str, Source]:
    return {source.name: source for source in plugins.discover(sources, "SOURCE").values()}
