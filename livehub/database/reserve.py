"""Whose questions may use the connection that is kept apart: those of who must see what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_is_reserved: ContextVar[bool] = ContextVar("reserved", default=False)


@contextmanager
def reserved() -> Iterator[None]:
    """What is asked inside need not wait for a connection that everybody else waits for; PostgreSQL only."""
    token = _is_reserved.set(True)
    try:
        yield
    finally:
        _is_reserved.reset(token)


def is_reserved() -> bool:
    """Whether it is such a question that is being asked."""
    return _is_reserved.get()
