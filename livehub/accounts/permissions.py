"""Which role may do what, and for whose objects: the one table of rights.

A verb calls ``require`` first; a query takes ``bureau_scope``. Rights of bureau officers end at their
bureau and those of merchants at their merchant; the other roles stand for the whole centre. Somebody
else's object is answered as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from livehub.accounts.actors import Actor, Grant
from livehub.accounts.errors import OutOfScope, PermissionMissing, SecondPersonNeeded
from livehub.accounts.models import Role


class Permission(StrEnum):
    """Everything that can be allowed; what ends in ``.read`` changes nothing."""

    ROOM_READ = "room.read"
    ROOM_MANAGE = "room.manage"
    BOOKING_READ = "booking.read"
    BOOKING_REQUEST = "booking.request"
    BOOKING_APPROVE = "booking.approve"
    BROADCAST_READ = "broadcast.read"
    BROADCAST_RUN = "broadcast.run"
    RECORD_RELEASE = "record.release"
    CALENDAR_SUBSCRIBE = "calendar.subscribe"
    PLAN_PUBLISH = "plan.publish"
    STREAMER_READ = "streamer.read"
    STREAMER_MANAGE = "streamer.manage"
    TRAINING_READ = "training.read"
    TRAINING_MANAGE = "training.manage"
    TRAINING_APPROVE = "training.approve"
    TRAINING_CERTIFY = "training.certify"
    MERCHANT_READ = "merchant.read"
    MERCHANT_MANAGE = "merchant.manage"
    CAMPAIGN_READ = "campaign.read"
    CAMPAIGN_DRAFT = "campaign.draft"
    CAMPAIGN_COUNTERSIGN = "campaign.countersign"
    DROP_RUN = "drop.run"
    VOUCHER_REDEEM = "voucher.redeem"
    REDEMPTION_READ = "redemption.read"
    REDEMPTION_REFUND = "redemption.refund"
    LEDGER_READ = "ledger.read"
    SETTLEMENT_READ = "settlement.read"
    SETTLEMENT_RUN = "settlement.run"
    SETTLEMENT_CONFIRM = "settlement.confirm"
    SETTLEMENT_PAY = "settlement.pay"
    CASE_READ = "case.read"
    CASE_HANDLE = "case.handle"
    SALES_READ = "sales.read"
    SALES_ASSIGN = "sales.assign"
    STATEMENT_READ = "statement.read"
    STATEMENT_IMPORT = "statement.import"
    PERIOD_CLOSE = "period.close"
    SALES_RECONCILE = "sales.reconcile"
    REPORT_READ = "report.read"
    REPORT_PREPARE = "report.prepare"
    REPORT_SIGN = "report.sign"
    WALL_READ = "wall.read"
    INBOX_READ = "inbox.read"
    INBOX_REPLAY = "inbox.replay"
    EVIDENCE_OPEN = "evidence.open"
    OUTBOX_READ = "outbox.read"
    PERSONAL_DATA_OPEN = "personal_data.open"
    SHOP_READ = "shop.read"
    SHOP_MANAGE = "shop.manage"
    USER_READ = "user.read"
    USER_MANAGE = "user.manage"
    TOKEN_MANAGE = "token.manage"  # noqa: S105 -- a permission's name
    AUDIT_READ = "audit.read"
    JOB_READ = "job.read"


P = Permission

_READS = frozenset(each for each in Permission if each.endswith(".read"))
_OFFICER = frozenset(
    {
        P.ROOM_READ,
        P.BOOKING_READ,
        P.BOOKING_REQUEST,
        P.BROADCAST_READ,
        P.CALENDAR_SUBSCRIBE,
        P.STREAMER_READ,
        P.TRAINING_READ,
        P.TRAINING_APPROVE,
        P.MERCHANT_READ,
        P.CAMPAIGN_READ,
        P.CAMPAIGN_DRAFT,
        P.REDEMPTION_READ,
        P.LEDGER_READ,
        P.SETTLEMENT_READ,
        P.CASE_READ,
        P.SALES_READ,
        P.REPORT_READ,
        P.REPORT_PREPARE,
        P.REPORT_SIGN,
        P.WALL_READ,
        P.AUDIT_READ,
    }
)
_STAFF = frozenset(
    {
        P.ROOM_READ,
        P.BOOKING_READ,
        P.BOOKING_REQUEST,
        P.BOOKING_APPROVE,
        P.BROADCAST_READ,
        P.BROADCAST_RUN,
        P.CALENDAR_SUBSCRIBE,
        P.PLAN_PUBLISH,
        P.STREAMER_READ,
        P.STREAMER_MANAGE,
        P.TRAINING_READ,
        P.TRAINING_MANAGE,
        P.MERCHANT_READ,
        P.MERCHANT_MANAGE,
        P.CAMPAIGN_READ,
        P.DROP_RUN,
        P.REDEMPTION_READ,
        P.SALES_READ,
        P.SALES_ASSIGN,
        P.WALL_READ,
        P.INBOX_READ,
        P.INBOX_REPLAY,
        P.SALES_RECONCILE,
        P.OUTBOX_READ,
        P.SHOP_READ,
        P.JOB_READ,
    }
)
_MANAGER = _STAFF | {
    P.ROOM_MANAGE,
    P.RECORD_RELEASE,
    P.TRAINING_APPROVE,
    P.TRAINING_CERTIFY,
    P.CAMPAIGN_DRAFT,
    P.REDEMPTION_REFUND,
    P.LEDGER_READ,
    P.SETTLEMENT_READ,
    P.SETTLEMENT_PAY,
    P.CASE_READ,
    P.CASE_HANDLE,
    P.STATEMENT_READ,
    P.REPORT_READ,
    P.REPORT_PREPARE,
    P.PERSONAL_DATA_OPEN,
    P.SHOP_MANAGE,
    P.USER_READ,
    P.AUDIT_READ,
}
_FINANCE = frozenset(
    {
        P.ROOM_READ,
        P.BOOKING_READ,
        P.BROADCAST_READ,
        P.TRAINING_READ,
        P.MERCHANT_READ,
        P.CAMPAIGN_READ,
        P.CAMPAIGN_COUNTERSIGN,
        P.REDEMPTION_READ,
        P.REDEMPTION_REFUND,
        P.LEDGER_READ,
        P.SETTLEMENT_READ,
        P.SETTLEMENT_RUN,
        P.SETTLEMENT_CONFIRM,
        P.SETTLEMENT_PAY,
        P.CASE_READ,
        P.CASE_HANDLE,
        P.SALES_READ,
        P.REPORT_READ,
        P.REPORT_PREPARE,
        P.STATEMENT_READ,
        P.STATEMENT_IMPORT,
        P.PERIOD_CLOSE,
        P.SALES_RECONCILE,
        P.WALL_READ,
    }
)

RIGHTS: Mapping[Role, frozenset[Permission]] = {
    Role.BUREAU: _OFFICER,
    Role.STAFF: _STAFF,
    Role.MANAGER: _MANAGER,
    Role.FINANCE: _FINANCE,
    # Reads everything; opening sealed things asks for a reason and leaves an entry.
    Role.AUDITOR: _READS | {P.EVIDENCE_OPEN, P.PERSONAL_DATA_OPEN},
    Role.MERCHANT: frozenset(
        {
            P.VOUCHER_REDEEM,
            P.REDEMPTION_READ,
            P.REDEMPTION_REFUND,
            P.SETTLEMENT_READ,
            P.SETTLEMENT_CONFIRM,
        }
    ),
    # Keeps the system running: no personal data, no money, and not the trail of its own deeds.
    Role.ADMIN: frozenset(
        {
            P.ROOM_READ,
            P.ROOM_MANAGE,
            P.SHOP_READ,
            P.SHOP_MANAGE,
            P.USER_READ,
            P.USER_MANAGE,
            P.TOKEN_MANAGE,
            P.JOB_READ,
        }
    ),
}


def may(
    actor: Actor, permission: Permission, *, bureau_id: int | None = None, merchant_id: int | None = None
) -> bool:
    """Whether ``require`` would let the actor pass; for pages that hide what cannot be done."""
    if actor.kind == "system":
        return True
    for grant in actor.grants:  # asked several times of each request: a generator costs as much as the answer
        if permission in RIGHTS[grant.role] and _covers(grant, bureau_id, merchant_id):
            return True
    return False


def require(
    actor: Actor,
    permission: Permission,
    *,
    bureau_id: int | None = None,
    merchant_id: int | None = None,
    centre_id: int | None = None,
) -> None:
    """Let the actor pass, or raise PermissionMissing (403), or OutOfScope (404) for others' objects.

    Name the object's bureau or merchant where it has one; 0 is the centre's own. None says that no
    certain object is meant, and then the query's scope must do the narrowing.
    """
    if actor.kind == "system":
        return
    if centre_id is not None and centre_id != actor.centre_id:
        raise OutOfScope
    if may(actor, permission, bureau_id=bureau_id, merchant_id=merchant_id):
        return
    if actor.grants and not any(_covers(grant, bureau_id, merchant_id) for grant in actor.grants):
        raise OutOfScope
    raise PermissionMissing(data={"permission": str(permission)})


def require_second_person(actor: Actor, *, first_user_id: int) -> None:
    """Let anybody pass but the user who took the first step, and machines: they are nobody's signature."""
    if actor.kind == "token":
        raise SecondPersonNeeded("这一步要由登录的人来做，接口令牌不能代替。")
    if actor.kind == "user" and actor.id == first_user_id:
        raise SecondPersonNeeded


def bureau_scope(actor: Actor, permission: Permission) -> frozenset[int] | None:
    """Whose objects a query may show: None is all of the centre, an empty set is nothing."""
    if actor.kind == "system":
        return None
    grants = [grant for grant in actor.grants if permission in RIGHTS[grant.role]]
    if any(grant.role not in _NARROW for grant in grants):
        return None
    return frozenset(grant.bureau_id for grant in grants if grant.role is Role.BUREAU)


def merchant_scope(actor: Actor, permission: Permission) -> frozenset[int] | None:
    """The same for objects of merchants: None is all of them, an empty set is nothing."""
    if actor.kind == "system":
        return None
    grants = [grant for grant in actor.grants if permission in RIGHTS[grant.role]]
    if any(grant.role not in _NARROW for grant in grants):
        return None
    return frozenset(grant.merchant_id for grant in grants if grant.role is Role.MERCHANT)


_NARROW = frozenset({Role.BUREAU, Role.MERCHANT})


def _covers(grant: Grant, bureau_id: int | None, merchant_id: int | None) -> bool:
    if grant.role not in _NARROW or (bureau_id is None and merchant_id is None):
        return True
    if grant.role is Role.BUREAU:
        return bureau_id is not None and bureau_id == grant.bureau_id != 0
    return merchant_id is not None and merchant_id == grant.merchant_id != 0
