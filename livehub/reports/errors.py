"""Refusals of closing and signing: what is not over, not known or not looked at yet is neither."""

from __future__ import annotations

from livehub.kit.errors import Conflict, Invalid


class DayNotOver(Conflict):
    """这一天还没有过完，不能核对。"""

    code = "DAY_NOT_OVER"


class DaysMoved(Conflict):
    """您看过之后，这些日子又有新的入账。请看过现在的数字再核对。"""

    code = "DAYS_MOVED"


class DayPending(Conflict):
    """还有订单没有取到金额，取到后再核对。"""

    code = "DAY_PENDING"


class MonthNotOver(Conflict):
    """这个月还没有过完，不能关账。"""

    code = "MONTH_NOT_OVER"


class DaysNotReconciled(Conflict):
    """还有日子没有核对，或核对后数字又变了，不能关账。"""

    code = "DAYS_NOT_RECONCILED"


class MonthClosed(Conflict):
    """这个月已经关账了。"""

    code = "MONTH_CLOSED"


class NoSuchMonth(Invalid):
    """没有这个月份。"""

    code = "NO_SUCH_MONTH"


class ReportMoved(Conflict):
    """您看过之后，报表的数字又变了。请看过现在的数字再签字。"""

    code = "REPORT_MOVED"


class PackNotReady(Conflict):
    """资料包还在生成，请稍后再下载。"""

    code = "PACK_NOT_READY"


class PackFailed(Conflict):
    """资料包没有生成，已经试过几次。请联系管理员查看生成资料包的日志。"""

    code = "PACK_FAILED"


class ReportOutlived(PackFailed):
    """签字之后有名称改动，依据加起来和签字的数字不一样，不能再出资料包。请另外编制一份同样时段的报表并签字。"""

    code = "REPORT_OUTLIVED"
