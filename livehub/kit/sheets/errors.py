"""The refusal of a whole file."""

from __future__ import annotations

from livehub.kit.errors import Detail, Invalid


class Unreadable(Invalid):
    """这个文件读不懂。"""

    code = "FILE_UNREADABLE"


def unreadable(reason: str, expected: str) -> Unreadable:
    """The refusal, beside the field of the file."""
    return Unreadable(details=[Detail(field="file", reason=reason, expected=expected)])
