"""A merchant's part in a campaign: asked for, approved, rejected, suspended; its till becomes a shop."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import ids, states
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.merchants.models import Merchant, MerchantStatus
from livehub.platforms.models import Shop
from livehub.vouchers import ledger
from livehub.vouchers.errors import MerchantUnfit
from livehub.vouchers.models import Account, Campaign, CampaignStatus, EnrolmentStatus, MerchantEnrolment

OFFLINE = "offline"
REASON_LENGTH = 200
MAY_JOIN = (CampaignStatus.APPROVED, CampaignStatus.RUNNING, CampaignStatus.PAUSED)
MOVES: Mapping[EnrolmentStatus, AbstractSet[EnrolmentStatus]] = {
    EnrolmentStatus.PENDING: {EnrolmentStatus.APPROVED, EnrolmentStatus.REJECTED},
    EnrolmentStatus.APPROVED: {EnrolmentStatus.SUSPENDED},
    EnrolmentStatus.SUSPENDED: {EnrolmentStatus.APPROVED},
    EnrolmentStatus.REJECTED: {EnrolmentStatus.APPROVED, EnrolmentStatus.PENDING},
}


@database.atomic
async def ask(campaign_id: int, *, merchant_id: int, actor: Actor, now: datetime) -> MerchantEnrolment:
    """A merchant's user asks to take part; who was rejected may again, else twice changes nothing.

    MerchantUnfit while the merchant is not approved by the centre, WrongState while nobody can join.
    """
    campaign, merchant = await _found(campaign_id, merchant_id)
    permissions.require(
        actor, Permission.VOUCHER_REDEEM, merchant_id=merchant.id, centre_id=campaign.centre_id
    )
    _require_joinable(campaign, merchant)
    news = {"status": EnrolmentStatus.PENDING, "asked_by": actor.name, "asked_at": now}
    asked, made = await MerchantEnrolment.get_or_create(
        campaign_id=campaign.id, merchant_id=merchant.id, defaults=news
    )
    if not made:
        if asked.status is not EnrolmentStatus.REJECTED:
            return asked
        await _write(asked, **news, decided_by="", decided_at=None, reason="")
    await _record("enrolment.asked", campaign, merchant, actor=actor, now=now)
    return asked


@database.atomic
async def enrol(campaign_id: int, *, merchant_id: int, actor: Actor, now: datetime) -> MerchantEnrolment:
    """Let a merchant redeem a campaign's vouchers, unasked; saying it twice changes nothing.

    The merchant must be approved by the centre besides. Its offline shop is made with the first
    campaign, whose bureau its sales then count for.
    """
    campaign, merchant = await _both(campaign_id, merchant_id, actor)
    await _ready(campaign, merchant, now=now)
    enrolment, made = await MerchantEnrolment.get_or_create(
        campaign_id=campaign.id,
        merchant_id=merchant.id,
        defaults={"decided_by": actor.name, "decided_at": now},
    )
    if made:
        await _record("enrolment.approved", campaign, merchant, actor=actor, now=now)
    return enrolment


@database.atomic
async def approve(campaign_id: int, *, merchant_id: int, actor: Actor, now: datetime) -> MerchantEnrolment:
    """Let a merchant that asked, was rejected or was suspended redeem."""
    campaign, merchant = await _both(campaign_id, merchant_id, actor)
    await _ready(campaign, merchant, now=now)
    return await _decide(campaign, merchant, EnrolmentStatus.APPROVED, actor=actor, now=now)


@database.atomic
async def reject(
    campaign_id: int, *, merchant_id: int, reason: str, actor: Actor, now: datetime
) -> MerchantEnrolment:
    """Refuse a merchant that asked; it reads why."""
    campaign, merchant = await _both(campaign_id, merchant_id, actor)
    _require_reason(reason)
    return await _decide(campaign, merchant, EnrolmentStatus.REJECTED, reason=reason, actor=actor, now=now)


@database.atomic
async def suspend(
    campaign_id: int, *, merchant_id: int, reason: str, actor: Actor, now: datetime
) -> MerchantEnrolment:
    """Stop a merchant's redemptions in a campaign at once; it reads why."""
    campaign, merchant = await _both(campaign_id, merchant_id, actor)
    _require_reason(reason)
    return await _decide(campaign, merchant, EnrolmentStatus.SUSPENDED, reason=reason, actor=actor, now=now)


async def _decide(
    campaign: Campaign,
    merchant: Merchant,
    into: EnrolmentStatus,
    *,
    reason: str = "",
    actor: Actor,
    now: datetime,
) -> MerchantEnrolment:
    enrolment = await MerchantEnrolment.get_or_none(campaign_id=campaign.id, merchant_id=merchant.id)
    if enrolment is None:
        raise NotFound
    states.require_move(MOVES, current=enrolment.status, target=into)
    await _write(enrolment, status=into, reason=reason.strip(), decided_by=actor.name, decided_at=now)
    await _record(f"enrolment.{into}", campaign, merchant, actor=actor, now=now, reason=reason.strip())
    return enrolment


async def _write(enrolment: MerchantEnrolment, **news: object) -> None:
    """Change it from the state that was read; WrongState when somebody was first."""
    untouched = MerchantEnrolment.filter(id=enrolment.id, status=enrolment.status)
    if not await untouched.update(**news):
        raise states.WrongState
    await enrolment.refresh_from_db()


async def _ready(campaign: Campaign, merchant: Merchant, *, now: datetime) -> None:
    """What its redemptions are booked to."""
    await Shop.get_or_create(
        platform=OFFLINE,
        shop_ref=merchant.public_id,
        defaults={
            "public_id": ids.public_id(),
            "centre_id": merchant.centre_id,
            "bureau_id": campaign.bureau_id,
            "name": merchant.name,
            "created_at": now,
        },
    )
    await ledger.open_accounts([ledger.Key(campaign.id, Account.PAYABLE, 0, merchant.id)])


def _require_joinable(campaign: Campaign, merchant: Merchant) -> None:
    if campaign.status not in MAY_JOIN:
        raise states.WrongState("活动会签以后、结束以前才能报名。", data={"state": str(campaign.status)})
    if merchant.status is not MerchantStatus.APPROVED:
        raise MerchantUnfit


def _require_reason(reason: str) -> None:
    if not 2 <= len(reason.strip()) <= REASON_LENGTH:
        raise Invalid(details=[Detail("reason", "请填写原因", f"2 到 {REASON_LENGTH} 个字")])


async def _both(campaign_id: int, merchant_id: int, actor: Actor) -> tuple[Campaign, Merchant]:
    campaign, merchant = await _found(campaign_id, merchant_id)
    permissions.require(
        actor, Permission.CAMPAIGN_DRAFT, bureau_id=campaign.bureau_id, centre_id=campaign.centre_id
    )
    return campaign, merchant


async def _found(campaign_id: int, merchant_id: int) -> tuple[Campaign, Merchant]:
    campaign = await Campaign.get_or_none(id=campaign_id)
    merchant = await Merchant.get_or_none(id=merchant_id)
    if campaign is None or merchant is None or merchant.centre_id != campaign.centre_id:
        raise NotFound
    return campaign, merchant


async def _record(
    verb: str, campaign: Campaign, merchant: Merchant, *, actor: Actor, now: datetime, reason: str = ""
) -> None:
    await audit.write(
        verb,
        actor=actor,
        now=now,
        about=("merchant", merchant.public_id),
        bureau_id=campaign.bureau_id,
        detail={"campaign": campaign.public_id} | ({"reason": reason} if reason else {}),
    )
