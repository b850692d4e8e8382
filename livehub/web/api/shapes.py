"""Shapes that many calls of the API share: instants, amounts, pages, and the body that says nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from msgspec import Meta, Struct

from livehub.kit.paging import MAX_SIZE, Page

T = TypeVar("T")

Instant = Annotated[datetime, Meta(tz=True, description="带时区的时刻，如 2026-03-06T12:00:00Z")]
Fen = Annotated[int, Meta(description="金额，单位：分")]
PublicId = Annotated[str, Meta(min_length=1, max_length=16, description="公开编号")]
Words = Annotated[str, Meta(min_length=1, max_length=60)]
RowRef = Annotated[str, Meta(description="编号，作为文本传递")]
Unit = Annotated[Literal["fen"], Meta(description="金额的单位：分")]
AsOf = Annotated[datetime, Meta(tz=True, description="数字截至的时刻")]


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """没有内容。"""


class Paging(Struct, frozen=True, kw_only=True):
    """第几页，每页几条。"""

    page: Annotated[int, Meta(ge=1, le=1_000_000, description="第几页，从 1 开始")] = 1
    size: Annotated[int, Meta(ge=1, le=MAX_SIZE, description="每页条数")] = 50


class Listed(Struct, Generic[T], frozen=True, kw_only=True):
    """一页清单。"""

    items: list[T]
    page: int
    size: int
    total: Annotated[int, Meta(description="全部条数")]


class All(Struct, Generic[T], frozen=True, kw_only=True):
    """完整清单。"""

    items: list[T]


def listed(page: Page[T]) -> Listed[T]:
    """A page of a list as it is answered."""
    return Listed(items=page.items, page=page.number, size=page.size, total=page.total)
