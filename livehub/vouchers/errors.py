"""What vouchers refuse, each with the reason code of its refusal counts and API answers."""

from __future__ import annotations

from livehub.kit.errors import LivehubError, NotFound, TooMany


class VoucherRefused(LivehubError):
    """这张券现在不能这样使用。"""

    code, status = "VOUCHER_REFUSED", 409


class NotStarted(VoucherRefused):
    """领取还没有开始，请稍后再来。"""

    code = "NOT_STARTED"


class Ended(VoucherRefused):
    """领取已经结束了。"""

    code = "ENDED"


class Paused(VoucherRefused):
    """活动暂停中，请稍后再试。"""

    code = "PAUSED"


class SoldOut(VoucherRefused):
    """这一批券已经领完了。"""

    code = "SOLD_OUT"


class BudgetExhausted(VoucherRefused):
    """活动可用资金不足，不能再安排这么多券。"""

    code = "BUDGET_EXHAUSTED"


class BudgetMoved(VoucherRefused):
    """预算已经不是您看到的金额，请刷新后再改。"""

    code = "BUDGET_MOVED"


class BudgetCommitted(VoucherRefused):
    """预算不能低于已经分到轮次、已领和已用的金额。"""

    code = "BUDGET_COMMITTED"


class MerchantUnfit(VoucherRefused):
    """这家商户还没有通过中心审核，不能参加活动。"""

    code = "MERCHANT_UNFIT"


class NotTheDrafter(VoucherRefused):
    """草稿只能由起草人修改；请起草人修改，或另外起草一个。"""

    code, status = "NOT_THE_DRAFTER", 403


class LimitPerson(VoucherRefused):
    """您已经领过了，每人限领的数量已满。"""

    code = "LIMIT_PERSON"


class NotDrawn(VoucherRefused):
    """这一轮只有中签的人可以领取，您没有中签。"""

    code = "NOT_DRAWN"


class LotteryUnfit(VoucherRefused):
    """摇号设置有误：先报名，后公布随机数，再开奖、领取；一个券种，每人一张。"""

    code, status = "LOTTERY_UNFIT", 422


class RandomnessUnfit(VoucherRefused):
    """请照原样填写公布的号码：4 至 200 个数字、字母，可用空格、逗号、加号、句点或短横隔开。"""

    code, status = "RANDOMNESS_UNFIT", 422


class RandomnessDiffers(VoucherRefused):
    """两个人填写的号码不一致，请各自对照公布的号码再核对一遍。"""

    code = "RANDOMNESS_DIFFERS"


class ListChanged(VoucherRefused):
    """报名名单与截止时公布的哈希不一致，不能开奖，请联系系统管理员。"""

    code = "LIST_CHANGED"


class LimitShopDay(VoucherRefused):
    """同一位顾客今天在本店使用的券已达上限。"""

    code = "LIMIT_SHOP_DAY"


class WrongPlatform(VoucherRefused):
    """这批券不在当前平台发放。"""

    code = "WRONG_PLATFORM"


class BelowThreshold(VoucherRefused):
    """订单金额没有达到这张券的使用门槛。"""

    code = "BELOW_THRESHOLD"


class NotYetValid(VoucherRefused):
    """这张券还没有到可以使用的时间。"""

    code = "NOT_YET_VALID"


class Expired(VoucherRefused):
    """这张券已经过期。"""

    code = "EXPIRED"


class WrongMerchant(VoucherRefused):
    """本店没有参加这张券的活动，或暂时不能核销。"""

    code = "WRONG_MERCHANT"


class AlreadyUsed(VoucherRefused):
    """这张券已经使用过了。"""

    code = "ALREADY_USED"


class Locked(VoucherRefused):
    """这张券正在另一笔订单中使用，请稍后再试。"""

    code = "LOCKED"


class Stacking(VoucherRefused):
    """一笔订单只能使用一张政府消费券。"""

    code = "STACKING"


class IdempotencyMismatch(VoucherRefused):
    """这次提交与之前同一编号的提交内容不同，请刷新页面后重试。"""

    code, status = "IDEMPOTENCY_MISMATCH", 422


class VoucherUnknown(NotFound):
    """券码无效，请核对后重新输入或请顾客刷新二维码。"""

    code = "VOUCHER_UNKNOWN"


class QrStale(VoucherRefused):
    """二维码已过期，请顾客刷新后再扫。"""

    code = "QR_STALE"


class LinkUnknown(NotFound):
    """这个领券链接不存在。"""

    code = "LINK_UNKNOWN"


class TooManyFailedCodes(TooMany):
    """输错券码的次数过多，请稍后再试。"""

    code = "TOO_MANY_FAILED_CODES"


class TooManyPhones(TooMany):
    """这台设备或这个网络验证的手机号过多，请稍后再试。"""

    code = "TOO_MANY_PHONES"


class RiskBlock(VoucherRefused):
    """这个网络领取过于频繁，请稍后再试，或换一个网络。"""

    code = "RISK_BLOCK"


class CodeWrong(LivehubError):
    """验证码不正确或已过期，请核对或重新获取。"""

    code, status = "CODE_WRONG", 422


class ClaimantUnknown(LivehubError):
    """请先验证手机号。"""

    code, status = "IDENTITY", 401


class InsufficientFunds(VoucherRefused):
    """账户余额不足，操作没有执行。"""

    code = "INSUFFICIENT_FUNDS"


class AlreadyRefunded(VoucherRefused):
    """这一单已经全部退款，不能再退。"""

    code = "ALREADY_REFUNDED"


class RefundTooMuch(VoucherRefused):
    """退款金额超过了这一单还能退的金额。"""

    code = "REFUND_TOO_MUCH"


class RefundTooLate(VoucherRefused):
    """核销已超过 30 天，本店不能再退款，请联系中心处理。"""

    code = "REFUND_TOO_LATE"


class RefundByPlatform(VoucherRefused):
    """这是平台上的订单，退款以平台通知为准，不能在这里登记。"""

    code = "REFUND_BY_PLATFORM"


class RolloverUnfit(VoucherRefused):
    """只能把同一活动里更早、还没有滚存的轮次滚入后面的轮次。"""

    code, status = "ROLLOVER_UNFIT", 422


class RolloverDone(VoucherRefused):
    """这个轮次的资金已经滚存，不能再改。"""

    code = "ROLLOVER_DONE"


class TemplateUnfit(VoucherRefused):
    """券种设置有误：门槛不能低于面额，数量必须大于零，有效期必须完整。"""

    code, status = "TEMPLATE_UNFIT", 422


class DirectOnly(VoucherRefused):
    """这个轮次定向发给名册里的户，不能用链接领取或在直播间投放。"""

    code = "DIRECT_ONLY"


class NotDirect(VoucherRefused):
    """这个轮次不是定向发放，不能导入名册。"""

    code = "NOT_DIRECT"


class DropAlreadyOpen(VoucherRefused):
    """本场次已有一个投放正在进行，请等它结束。"""

    code = "DROP_ALREADY_OPEN"


class DropTooMany(VoucherRefused):
    """投放数量超过了这种券剩余的数量或计划的数量。"""

    code = "DROP_TOO_MANY"


class DropWindowTooLong(VoucherRefused):
    """投放时长超过了平台允许的上限。"""

    code, status = "DROP_WINDOW_TOO_LONG", 422


class NotLive(VoucherRefused):
    """场次没有在直播中，不能投放。"""

    code = "NOT_LIVE"


REASONS: dict[str, type[VoucherRefused]] = {
    each.code: each
    for each in (
        NotStarted,
        Ended,
        Paused,
        SoldOut,
        LimitPerson,
        NotDrawn,
        RiskBlock,
        LimitShopDay,
        WrongPlatform,
        BelowThreshold,
        NotYetValid,
        Expired,
        WrongMerchant,
        AlreadyUsed,
        Locked,
        Stacking,
    )
}
