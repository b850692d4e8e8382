"""What settlement refuses."""

from __future__ import annotations

from livehub.kit.errors import Conflict, Invalid


class TooEarly(Invalid):
    """这一天还没有结束，不能结算。"""

    code = "SETTLEMENT_TOO_EARLY"


class SettlementHeld(Conflict):
    """这个商户正在暂缓结算，先解除暂缓。"""

    code = "SETTLEMENT_HELD"


class NothingToSettle(Conflict):
    """批次里的明细都在暂缓结算，没有可提交的；次日早上自动撤下。"""

    code = "NOTHING_TO_SETTLE"


class NotOwedBack(Conflict):
    """商户没有这么多应退，最多只能收剩下的应退。"""

    code = "NOT_OWED_BACK"


class ReceiptKnown(Conflict):
    """这个收据号已经登记过。"""

    code = "RECEIPT_KNOWN"


class AlreadyHeld(Conflict):
    """已经在暂缓结算了。"""

    code = "ALREADY_HELD"


class CaseKnown(Conflict):
    """今天已经为它立过案，请在那个案件里补充说明。"""

    code = "CASE_KNOWN"


class HeldByCase(Conflict):
    """这笔暂缓属于一个核查案件，请在案件页由两人解除。"""

    code = "HELD_BY_CASE"
