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


class NotFitForAir(Invalid):
    """这一场还不能开播：有商品、资质或人员不符合规定。"""

    code = "NOT_FIT_FOR_AIR"


class ChecklistIncomplete(Invalid):
    """开播前检查还没有做完，请逐项确认。"""

    code = "CHECKLIST_INCOMPLETE"


class PreAirCheckMissing(Conflict):
    """还没有完成开播前检查，不能开播。"""

    code = "PRE_AIR_CHECK_MISSING"


class CheckOutdated(Conflict):
    """检查之后情况有变，不符合规定，不能开播。"""

    code = "CHECK_OUTDATED"


class SignerNeeded(Forbidden):
    """开播前检查要由主播或登录的工作人员本人签字，接口令牌不能代替。"""

    code = "SIGNER_NEEDED"


class RecordRefused(Invalid):
    """填写的内容有误，请按提示修改。"""

    code = "RECORD_REFUSED"


class RecordingKnown(Conflict):
    """这个回放已经登记过了。"""

    code = "RECORDING_KNOWN"


class Retained(Conflict):
    """保存期没有到，或正在依法留存，不能删除。"""

    code = "RETAINED"


class AlreadyCorrected(Conflict):
    """这条差错已经更正过了。"""

    code = "ALREADY_CORRECTED"


class NothingToPublish(Conflict):
    """和已发布的排期一样，没有可发布的变化。"""

    code = "NOTHING_TO_PUBLISH"


class WeekUnknown(Invalid):
    """没有这一周，请按“2026-W10”的格式填写。"""

    code = "WEEK_UNKNOWN"


class TooManyFeeds(Conflict):
    """日历订阅已有 20 个，请先停用不再用的。"""

    code = "TOO_MANY_FEEDS"


class SeriesRefused(Invalid):
    """重复规则有误，请按提示修改。"""

    code = "SERIES_REFUSED"


class RoomCodeTaken(Conflict):
    """这个直播间编号已被使用。"""

    code = "ROOM_CODE_TAKEN"


class RoomRefused(Invalid):
    """直播间的设置有误，请按提示修改。"""

    code = "ROOM_REFUSED"


class TooManyAccounts(Conflict):
    """一家店铺最多登记 20 个开播账号，请先解除不再用的。"""

    code = "TOO_MANY_ACCOUNTS"


class QuotaExceeded(Invalid):
    """本部门的直播间额度已用完，可改选其他时间，或取消一个再申请。"""

    code = "QUOTA_EXCEEDED"


class QuotaBelowUse(Conflict):
    """额度不能低于已经排上的数量，请先调整排期。"""

    code = "QUOTA_BELOW_USE"


class QuotaRefused(Invalid):
    """额度的设置有误，请按提示修改。"""

    code = "QUOTA_REFUSED"


class EquipmentRefused(Invalid):
    """设备的登记有误，请按提示修改。"""

    code = "EQUIPMENT_REFUSED"


class SerialTaken(Conflict):
    """这个设备编号已经登记过了。"""

    code = "SERIAL_TAKEN"


class RoomBooked(Conflict):
    """这段时间已有排期，不能按普通方式封场。"""

    code = "ROOM_BOOKED"


class AlreadyClosed(Conflict):
    """这段时间已经封场。"""

    code = "ALREADY_CLOSED"


class OnAirNow(Conflict):
    """其中一场正在直播，请先下播再封场。"""

    code = "ON_AIR_NOW"


class PreviewChanged(Conflict):
    """受影响的排期在预览之后有变化，请重新预览再确认。"""

    code = "PREVIEW_CHANGED"


class ClosureRefused(Invalid):
    """封场的设置有误，请按提示修改。"""

    code = "CLOSURE_REFUSED"


class SlotFree(Conflict):
    """这个时段空着，可以直接申请，不用候补。"""

    code = "SLOT_FREE"


class NotWaitlistable(Conflict):
    """这个时段已封场，不能候补。"""

    code = "NOT_WAITLISTABLE"


class AlreadyWaiting(Conflict):
    """本部门已经在候补这个时段。"""

    code = "ALREADY_WAITING"


class OfferOver(Conflict):
    """这个候补名额已经处理过，或已过期。"""

    code = "OFFER_OVER"


class NotTimeYet(Conflict):
    """还没有到这一步的时间。"""

    code = "NOT_TIME_YET"


class HandoverRefused(Invalid):
    """交接单的内容有误，请按提示修改。"""

    code = "HANDOVER_REFUSED"


class AlreadyHandedOver(Conflict):
    """这一场的交接已经登记过了。"""

    code = "ALREADY_HANDED_OVER"
