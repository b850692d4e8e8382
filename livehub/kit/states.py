"""State machines written as a table of the moves that are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import TypeVar

from livehub.kit.errors import Conflict

S = TypeVar("S", bound=StrEnum)


class WrongState(Conflict):
    """当前状态下不能做这个操作。"""

    code = "WRONG_STATE"


def require_move(table: Mapping[S, AbstractSet[S]], *, current: S, target: S) -> None:
    """Raise WrongState unless ``target`` may follow ``current``."""
    if target not in table.get(current, frozenset()):
        raise WrongState(data={"state": str(current), "wanted": str(target)})
