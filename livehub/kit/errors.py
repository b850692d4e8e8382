"""Refusals: each has a stable code, a status and a sentence for a person (the class's docstring)."""

from __future__ import annotations

import inspect
from functools import cache
from typing import ClassVar

from msgspec import Struct


class Detail(Struct, frozen=True):
    """One thing that is wrong: where, why, and what would be right."""

    field: str
    reason: str
    expected: str = ""


@cache
def _sentence(doc: str) -> str:
    return inspect.cleandoc(doc)


class LivehubError(Exception):
    """系统暂时无法完成这个操作。"""

    code: ClassVar[str] = "ERROR"
    status: ClassVar[int] = 500

    def __init__(
        self,
        message: str = "",
        *,
        details: list[Detail] | None = None,
        retry_after: int | None = None,
        data: dict[str, object] | None = None,
    ) -> None:
        self.message = message or _sentence(type(self).__doc__ or "")
        self.details = details or []
        self.retry_after = retry_after  # seconds
        self.data = data or {}  # machine-readable facts, such as suggestions
        super().__init__(f"{self.code}: {self.message}")


class NotFound(LivehubError):
    """没有找到这个页面或对象。"""

    code, status = "NOT_FOUND", 404


class Forbidden(LivehubError):
    """您没有权限做这个操作。"""

    code, status = "FORBIDDEN", 403


class Invalid(LivehubError):
    """填写的内容有误，请检查标出的地方。"""

    code, status = "INVALID", 422


class Conflict(LivehubError):
    """状态已经变化，请刷新后再试。"""

    code, status = "CONFLICT", 409


class StaleVersion(LivehubError):
    """这条记录已被别人修改，请刷新后再试。"""

    code, status = "STALE_VERSION", 412


class TooLarge(LivehubError):
    """提交的内容过大。"""

    code, status = "TOO_LARGE", 413


class TooMany(LivehubError):
    """操作过于频繁，请稍后再试。"""

    code, status = "TOO_MANY", 429


class Unavailable(LivehubError):
    """系统繁忙，请稍后重试。"""

    code, status = "UNAVAILABLE", 503

    def __init__(self, message: str = "", *, retry_after: int = 2) -> None:
        super().__init__(message, retry_after=retry_after)
