"""The frame of a page of /desk: who looks, what she may open, what was just done or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

from msgspec import Meta, Struct
from msgspec.structs import fields
from sanic import Request
from sanic.response import HTTPResponse, redirect

from livehub.accounts import queries as accounts
from livehub.accounts.actors import Actor
from livehub.accounts.models import Role
from livehub.accounts.permissions import Permission, may
from livehub.kit.errors import LivehubError
from livehub.web import doors
from livehub.web.shell import Shell

# What the entries of the navigation ask for.
NEEDED: Mapping[str, Permission] = {
    "bookings": Permission.BOOKING_READ,
    "plans": Permission.BOOKING_READ,
    "rooms": Permission.ROOM_READ,
    "closures": Permission.ROOM_READ,
    "quotas": Permission.BOOKING_READ,
    "waitlist": Permission.BOOKING_READ,
    "broadcasts": Permission.BROADCAST_READ,
    "streamers": Permission.STREAMER_READ,
    "merchants": Permission.MERCHANT_READ,
    "products": Permission.MERCHANT_READ,
    "papers": Permission.MERCHANT_READ,
    "training": Permission.TRAINING_READ,
    "campaigns": Permission.CAMPAIGN_READ,
    "settlement": Permission.SETTLEMENT_READ,
    "integrity": Permission.CASE_READ,
    "sales": Permission.SALES_READ,
    "bridge": Permission.SALES_READ,
    "statements": Permission.STATEMENT_READ,
    "periods": Permission.STATEMENT_READ,
    "reconcile": Permission.SALES_READ,
    "reports": Permission.REPORT_READ,
    "inbox": Permission.INBOX_READ,
    "shops": Permission.SHOP_READ,
    "outbox": Permission.OUTBOX_READ,
    "users": Permission.USER_READ,
    "trail": Permission.AUDIT_READ,
    "wall": Permission.WALL_READ,
}
# What was just done, by the word that stands in the address.
DONE: Mapping[str, str] = {
    "approved": "已批准",
    "first-approved": "已完成一审，等待另一人二审",
    "rejected": "已驳回，申请人会看到原因",
    "booking-put-elsewhere": "已调整，主管部门会收到通知",
    "booking-swapped": "已对调，双方主管部门会收到通知",
    "booking-checked-in": "已签到",
    "booking-completed": "已离场，余下的时间已让出",
    "booking-missed": "已登记未到场，余下的时间已让出",
    "handed-over": "已登记交接",
    "room-closed": "已封场",
    "room-opened": "已解除封场",
    "room-changed": "规则已生效，已有的排期不变",
    "quota-set": "额度已生效",
    "quota-dropped": "已取消这条额度",
    "started": "已开播",
    "ended": "已下播",
    "bound": "已登记直播间号，订单会重新归属",
    "planned": "已加入计划投放",
    "opened": "已投放",
    "closed": "已收回，没领的券退回券种",
    "revoked": "链接已作废",
    "voucher-revoked": "券已作废，不能再用；钱已释放",
    "difference-explained": "已记录说明，审计可查",
    "window-again": "已放回队列，从停下的那一页继续",
    "window-dropped": "不再等待这个窗口，理由已记入审计",
    "replayed": "已放回队列，几秒后刷新可看到结果",
    "secret-rotated": "新密钥已生效，请到平台后台换上同一个密钥",
    "evidence-kept": "已保存，每天凌晨按新期限删除到期的原文",
    "lines-given": "已归到这一场，写进审计记录",
    "lines-taken-back": "已收回人工认定，按其他依据归属",
    "account-bound": "已登记，以前在播时成交的订单会重新归属",
    "account-unbound": "已解除，靠它归属的订单会重新归属",
    "old-secrets-ended": "旧密钥已停用，几秒内各进程都会拒绝它",
    "paper-added": "已登记资质，原件已加密保存",
    "paper-withdrawn": "已停用，原件和原因都留着",
    "product-reviewed": "已登记选品结论",
    "birth-noted": "已登记出生日期；只用来核对年龄，不再显示",
    "streamer-joined": "已登记，接着登记平台账号和出生日期",
    "streamer-status": "状态已更改",
    "account-added": "已登记账号，以后的排期会用到",
    "merchant-added": "已登记，补上资质后再批准",
    "merchant-approved": "已批准，可以核销",
    "merchant-suspended": "已停用，不能再核销；结算照旧",
    "store-added": "已登记门店",
    "product-added": "已登记，补上资质和选品结论后才能上播",
    "product-changed": "已保存",
    "product-mapped": "已登记，以前的订单会重新归到这个商品",
    "plan-published": "已发布，日历订阅会更新",
    "booking-moved": "已改期，发布后日历才会变",
    "feed-revoked": "订阅已停用，地址立即失效",
    "check-signed": "已签字",
    "incident-reported": "已登记差错，请尽快更正",
    "incident-corrected": "已登记更正",
    "recording-noted": "已登记回放",
    "recording-deleted": "已删除，原因写进了审计记录",
    "hold-changed": "已更改依法留存",
    "campaign-drafted": "草稿已保存，核对后提交会签",
    "campaign-changed": "已修改，需要重新提交会签",
    "campaign-submitted": "已提交，等待另一人（财务）会签",
    "campaign-started": "活动已开始，开放的轮次可以领取了",
    "campaign-paused": "已暂停发放，已领的券照常可用",
    "campaign-resumed": "已恢复发放",
    "budget-changed": "预算已调整，账已记好",
    "joining-approved": "商户可以核销这个活动的券了",
    "joining-rejected": "已退回报名，商户会看到原因",
    "joining-suspended": "已暂停，这家商户立即不能核销这个活动的券",
    "round-planned": "轮次已安排，资金已划出",
    "round-opened": "已开放领取",
    "round-closed": "已截止领取，没领的资金已释放",
    "countersigned": "已会签，预算已锁定",
    "rollover-planned": "已安排滚存，轮次的券全部到期清算后滚入",
    "lottery-scheduled": "已安排摇号，到时间自动开放报名",
    "number-entered": "已填写，等另一人核对",
    "number-confirmed": "已核对，到开奖时间自动开奖",
    "lottery-drawn": "已开奖，结果和证明已经公布",
    "campaign-ended": "活动已结束，轮次已截止",
    "settlement-run": "已生成批次，核对后提交给商户",
    "settlement-nothing": "这一天没有要结算的，或批次已经生成过",
    "settlement-submitted": "已提交，等待商户确认",
    "settlement-confirmed": "已确认，可以付款",
    "settlement-disputed": "已记下异议",
    "settlement-reopened": "已退回草稿，改好后重新提交",
    "settlement-paid": "已登记付款，账已记好",
    "settlement-held": "已暂缓结算",
    "settlement-lifted-all": "已解除，进入下一天的批次",
    "settlement-lifted-partly": "已解除，一部分进入下一天的批次；其余还有别的暂缓，都解除之后才进入批次",
    "settlement-lifted-held": "已解除；涉及的核销还有别的暂缓，都解除之后才进入批次",
    "settlement-lifted-nothing": "已解除；没有等待结算的核销，不会进入批次",
    "case-opened": "已立案，相关核销暂缓结算",
    "case-noted": "已补充说明",
    "case-looked-at": "已登记，等待另一人恢复结算或认定",
    "case-released-all": "已恢复结算，进入下一批次",
    "case-released-partly": "已恢复结算，一部分进入下一批次；其余还有别的暂缓，都解除之后才进入批次",
    "case-released-held": "已恢复结算；涉及的核销还有别的暂缓，都解除之后才进入批次",
    "case-released-nothing": "已恢复结算；没有等待结算的核销，不会进入批次",
    "case-confirmed": "已认定，暂缓的不再结算；补贴收回在核销页办理",
    "phone-noted": "已登记，只留下索引",
    "repayment-noted": "已登记，等待另一人确认",
    "repayment-confirmed": "已确认收到，账已记好",
    "repayment-withdrawn": "已撤回，这笔应退照旧",
    "refunded": "已登记退款，账已记好",
    "statement-read": "文件已读完，还没有入账",
    "statement-known": "这个文件已经导入过，下面是它的结果",
    "statement-imported": "已导入，匹配结果在下面",
    "statement-importing": "正在导入，行数多时要等一会儿；刷新看进度",
    "explained": "已记下说明",
    "programme-made": "培训项目已建立，可以开班了",
    "cohort-made": "班次已建立，接着排课和录名册",
    "cohort-applied": "已申请开班，等待主管部门批准",
    "cohort-approved": "已批准开班",
    "cohort-rejected": "已驳回，申请人会看到原因",
    "cohort-cancelled": "已取消开班",
    "cohort-moved": "已进入下一步",
    "enrolled": "已进班",
    "waitlisted": "已满员，排在候补",
    "left": "已办理，候补第一位会自动补上",
    "lesson-planned": "已排课，直播间和教师已占用",
    "lesson-cancelled": "已取消这节课，直播间已让出",
    "attendance-noted": "考勤已保存",
    "scores-entered": "成绩已保存",
    "graduated": "结业认定已确认，依据已留存",
    "certified": "证书已发放",
    "certificate-revoked": "证书已作废，核验页会显示原因",
    "certificate-replaced": "已换发，新证书用新编号",
    "claim-draw": "已测算，核对后提交",
    "claim-submit": "已提交，名单里的人不能再在别的班重复申领",
    "claim-publicise": "已公示",
    "claim-approve": "已批准，可以付款",
    "claim-return": "已退回，改好后重新测算",
    "claim-pay": "已登记付款",
    "spot-checked": "已登记抽查",
    "evidence-added": "已保存，加密留存",
    "followup-noted": "已登记回访，首播、场次和净成交额按数据填写",
    "nominated": "已推荐入孵",
    "mentor-appointed": "已聘任导师",
    "incubation-moved": "已进入下一步",
    "incubation-visit-noted": "已登记走访",
    "role-given": "已授予角色，立即生效",
    "role-withdrawn": "已撤销角色，立即生效",
    "user-disabled": "已停用，全部登录已结束",
    "user-enabled": "已启用",
    "user-unlocked": "已解除登录限制，可以马上再试",
    "logins-ended": "已结束全部登录",
    "second-factor-reset": "已重置动态码，全部登录已结束",
    "report-prepared": "草稿已生成，核对后由另一位同事签字",
    "report-signed": "已签字，数字从此固定；资料包正在生成",
    "report-submitted": "已登记上报",
    "report-returned": "已登记退回，请另外编制一份",
    "reconciled": "已核对，之后的变动会让这一天回到暂定",
    "closed-month": "已关账，快照不会再变；以后的更正列为未关账月份的调整",
}


class Reason(Struct):
    """Why something is done."""

    reason: Annotated[str, Meta(min_length=2, max_length=200)]


async def frame(
    request: Request, actor: Actor, current: str, *, done: str = "", refusal: LivehubError | None = None
) -> Shell:
    """The shell of a page of the desk."""
    centre = await accounts.centre(actor.centre_id)
    shell = doors.shell(request, actor, door="desk", current=current, place=centre.name if centre else "")
    shell.flash = done or DONE.get(str(request.args.get("done", "")), "")
    shell.alert = refusal.message if refusal else ""
    shell.hidden = frozenset(
        [key for key, permission in NEEDED.items() if not may(actor, permission)]
        + ([] if actor.has(Role.BUREAU) else ["bureau"])
    )
    return shell


def back(path: str, *, done: str = "") -> HTTPResponse:
    """Send the browser on after a form was taken, so that reloading repeats nothing."""
    return redirect(f"{path}{'&' if '?' in path else '?'}done={done}" if done else path, status=303)


def asked(request: Request, shape: type[Struct]) -> dict[str, str]:
    """What the address asks of a list, for its own links: the fields that are filled in, but the page."""
    names = [field.encode_name for field in fields(shape) if field.name != "page"]
    given = {name: str(request.args.get(name, "")).strip() for name in names}
    return {name: text for name, text in given.items() if text}


def order_path(shop: str, order_ref: str) -> str:
    """The address of an order's page; references are whatever a platform makes them."""
    return f"/desk/orders/{quote(shop, safe='')}/{quote(order_ref, safe='')}"
