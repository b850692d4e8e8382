"""Refusals of statements: a file that cannot be read as one, and steps that come too early or too late."""

from __future__ import annotations

from livehub.kit.errors import Conflict, Invalid, NotFound


class UnknownSource(NotFound):
    """没有这种结算单格式。"""

    code = "UNKNOWN_SOURCE"


class AlreadyImported(Conflict):
    """这个文件已经导入过了。"""

    code = "STATEMENT_ALREADY_IMPORTED"


class RowsWrong(Conflict):
    """文件里还有读不懂的行，改好后重新上传，一行都不会丢。"""

    code = "STATEMENT_ROWS_WRONG"


class WrongShop(Invalid):
    """这份结算单不是这家店铺所在平台的。"""

    code = "STATEMENT_WRONG_SHOP"
