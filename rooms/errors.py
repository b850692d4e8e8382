"""What this package refuses, in words for a person."""

from __future__ import annotations

from livehub.kit.errors import Conflict, Forbidden, Invalid
from livehub.kit.states import WrongState


class SlotTaken(Conflict):
    """这个时段已被占用，请改选其他时间。"""

    code = "SLOT_TAKEN"


class OutsideRules(Invalid):
    """申请的内容不符合直播间的使用规则，请按提示修改。"""

    code = "OUTSIDE_RULES"


class RoomNotActive(Conflict):
    """这个直播间目前不接受排期。"""

    code = "ROOM_NOT_ACTIVE"


class AlreadyDecided(WrongState):
    """这条排期已经处理过了，请刷新查看结果。"""

    code = "ALREADY_DECIDED"


class PersonNeeded(Forbidden):
    """这个直播间的审批要由登录的工作人员来做，接口令牌不能代替。"""

    code = "PERSON_NEEDED"


class ReasonMissing(Invalid):
    """请写明原因，申请人会看到。"""

    code = "REASON_MISSING"


class NotApproved(Conflict):
    """排期还没有批准，不能开播。"""

    code = "BOOKING_NOT_APPROVED"


class NotItsTime(Conflict):
    """现在不在这一场的占用时间内，不能开播。"""

    code = "NOT_ITS_TIME"


class NotOnAir(Conflict):
    """这一场现在没有在直播。"""

    code = "NOT_ON_AIR"


class AccountElsewhere(Conflict):
    """这个平台直播间已经登记在另一场直播上，请核对。"""

    code = "ACCOUNT_ELSEWHERE"


class CueRefused(Invalid):
    """环节的内容有误，请按提示修改。"""

    code = "CUE_REFUSED"


class RoomCodeTaken(Conflict):
    """这个直播间编号已被使用。"""

    code = "ROOM_CODE_TAKEN"


class RoomRefused(Invalid):
    """直播间的设置有误，请按提示修改。"""

    code = "ROOM_REFUSED"


class TooManyAccounts(Conflict):
    """一家店铺最多登记 20 个开播账号，请先解除不再用的。"""

    code = "TOO_MANY_ACCOUNTS"
