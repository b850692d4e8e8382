"""A merchant's part in a campaign: enrolled, suspended; its counter becomes an offline shop for sales."""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import ids
from livehub.kit.errors import NotFound
from livehub.merchants.models import Merchant
from livehub.platforms.models import Shop
from livehub.vouchers import ledger
from livehub.vouchers.models import Account, Campaign, MerchantEnrolment

OFFLINE = "offline"


@database.atomic
async def enrol(campaign_id: int, *, merchant_id: int, actor: Actor, now: datetime) -> MerchantEnrolment:
    """Let a merchant redeem a campaign's vouchers; saying it twice changes nothing.

    The merchant must be approved by the centre besides. Its offline shop is made with the first
    campaign, whose bureau its sales then count for.
    """
    campaign, merchant = await _both(campaign_id, merchant_id, actor)
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
    enrolment, made = await MerchantEnrolment.get_or_create(campaign_id=campaign.id, merchant_id=merchant.id)
    if made:
        await _record("enrolment.approved", campaign, merchant, actor=actor, now=now)
    return enrolment


@database.atomic
async def suspend(campaign_id: int, *, merchant_id: int, actor: Actor, now: datetime) -> MerchantEnrolment:
    """Stop a merchant's redemptions in a campaign at once."""
    return await _set(campaign_id, merchant_id, "suspended", actor=actor, now=now)


@database.atomic
async def readmit(campaign_id: int, *, merchant_id: int, actor: Actor, now: datetime) -> MerchantEnrolment:
    """Let a suspended merchant redeem again."""
    return await _set(campaign_id, merchant_id, "approved", actor=actor, now=now)


async def _set(
    campaign_id: int, merchant_id: int, status: str, *, actor: Actor, now: datetime
) -> MerchantEnrolment:
    campaign, merchant = await _both(campaign_id, merchant_id, actor)
    enrolment = await MerchantEnrolment.get_or_none(campaign_id=campaign.id, merchant_id=merchant.id)
    if enrolment is None:
        raise NotFound
    enrolment.status = status
    await enrolment.save(update_fields=["status"])
    await _record(f"enrolment.{status}", campaign, merchant, actor=actor, now=now)
    return enrolment


async def _both(campaign_id: int, merchant_id: int, actor: Actor) -> tuple[Campaign, Merchant]:
    campaign = await Campaign.get_or_none(id=campaign_id)
    merchant = await Merchant.get_or_none(id=merchant_id)
    if campaign is None or merchant is None or merchant.centre_id != campaign.centre_id:
        raise NotFound
    permissions.require(
        actor, Permission.CAMPAIGN_DRAFT, bureau_id=campaign.bureau_id, centre_id=campaign.centre_id
    )
    return campaign, merchant


async def _record(verb: str, campaign: Campaign, merchant: Merchant, *, actor: Actor, now: datetime) -> None:
    await audit.write(
        verb,
        actor=actor,
        now=now,
        about=("merchant", merchant.public_id),
        bureau_id=campaign.bureau_id,
        detail={"campaign": campaign.public_id},
    )
