"""Pages of a list, read from a URL and safe to share."""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")

MAX_SIZE = 200


class Page(Struct, Generic[T], frozen=True):
    """One page of a list; ``number`` starts at 1."""

    items: list[T]
    number: int
    size: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.size))


def window(*, number: int, size: int) -> tuple[int, int, int, int]:
    """(number, size, limit, offset) kept within bounds."""
    size = min(max(size, 1), MAX_SIZE)
    number = min(max(number, 1), 1_000_000)
    return number, size, size, (number - 1) * size
