"""A bureau's voucher campaign: drafted by one person, countersigned by another, funded, started, paused."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import ids, states
from livehub.kit.errors import NotFound, StaleVersion
from livehub.vouchers import latch, ledger, locks, refund_policy
from livehub.vouchers.errors import NotTheDrafter
from livehub.vouchers.models import Account, Campaign, CampaignStatus

MOVES: Mapping[CampaignStatus, AbstractSet[CampaignStatus]] = {
    CampaignStatus.DRAFT: {CampaignStatus.APPROVED},
    CampaignStatus.APPROVED: {CampaignStatus.RUNNING},
    CampaignStatus.RUNNING: {CampaignStatus.PAUSED, CampaignStatus.ENDED},
    CampaignStatus.PAUSED: {CampaignStatus.RUNNING, CampaignStatus.ENDED},
    CampaignStatus.ENDED: {CampaignStatus.SETTLED},
}


class NewCampaign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an officer writes down."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    issuer_name: Annotated[str, Meta(min_length=1, max_length=60)]
    purpose: Annotated[str, Meta(max_length=120)] = ""
    budget_fen: Annotated[int, Meta(gt=0, le=10**14)]
    refund_preset: str = "futian"
    min_pay_fen: Annotated[int, Meta(ge=1)] = 1


@database.atomic
async def draft(
    wanted: NewCampaign, *, bureau_id: int, centre_id: int, actor: Actor, now: datetime
) -> Campaign:
    """Write a campaign down; it has no money yet."""
    permissions.require(actor, Permission.CAMPAIGN_DRAFT, bureau_id=bureau_id, centre_id=centre_id)
    if wanted.refund_preset not in refund_policy.registry():
        raise ValueError(wanted.refund_preset)
    campaign = await Campaign.create(
        public_id=ids.public_id(),
        centre_id=centre_id,
        bureau_id=bureau_id,
        name=wanted.name,
        issuer_name=wanted.issuer_name,
        purpose=wanted.purpose,
        budget_fen=wanted.budget_fen,
        refund_preset=wanted.refund_preset,
        min_pay_fen=wanted.min_pay_fen,
        created_by_id=_by(actor),
        created_at=now,
    )
    await _record("campaign.drafted", campaign, actor=actor, now=now, budget_fen=wanted.budget_fen)
    return campaign


@database.atomic
async def change(
    campaign_id: int, wanted: NewCampaign, *, actor: Actor, now: datetime, version: int | None = None
) -> Campaign:
    """Write a draft anew; one that was sent for the countersign must be sent again.

    NotTheDrafter for anybody else: who wrote a part of it could countersign it. StaleVersion when
    ``version`` is given and the draft is no longer the one that was read.
    """
    campaign = await _held(campaign_id)
    permissions.require(
        actor, Permission.CAMPAIGN_DRAFT, bureau_id=campaign.bureau_id, centre_id=campaign.centre_id
    )
    if campaign.status is not CampaignStatus.DRAFT:
        raise states.WrongState("会签以后不能再修改。", data={"state": str(campaign.status)})
    if campaign.created_by_id != _by(actor):
        raise NotTheDrafter
    if version is not None and version != campaign.version:
        raise StaleVersion
    if wanted.refund_preset not in refund_policy.registry():
        raise ValueError(wanted.refund_preset)
    changed = [name for name in wanted.__struct_fields__ if getattr(campaign, name) != getattr(wanted, name)]
    for name in changed:
        setattr(campaign, name, getattr(wanted, name))
    campaign.submitted_by_id = 0
    await _save(campaign, [*changed, "submitted_by_id"])
    await _record("campaign.changed", campaign, actor=actor, now=now, changed=changed)
    return campaign


@database.atomic
async def submit(campaign_id: int, *, actor: Actor, now: datetime) -> Campaign:
    """Send a draft for the countersign."""
    campaign = await _held(campaign_id)
    permissions.require(
        actor, Permission.CAMPAIGN_DRAFT, bureau_id=campaign.bureau_id, centre_id=campaign.centre_id
    )
    states.require_move(MOVES, current=campaign.status, target=CampaignStatus.APPROVED)
    campaign.submitted_by_id = _by(actor)
    await _save(campaign, ["submitted_by_id"])
    await _record("campaign.submitted", campaign, actor=actor, now=now)
    return campaign


@database.atomic
async def countersign(
    campaign_id: int, *, actor: Actor, now: datetime, version: int | None = None
) -> Campaign:
    """Approve and fund a submitted campaign; SecondPersonNeeded for machines and for who took a step before.

    StaleVersion when ``version`` is given and the campaign is no longer the one that was read.
    """
    campaign = await _held(campaign_id)
    permissions.require(
        actor, Permission.CAMPAIGN_COUNTERSIGN, bureau_id=campaign.bureau_id, centre_id=campaign.centre_id
    )
    for first in (campaign.created_by_id, campaign.submitted_by_id):
        permissions.require_second_person(actor, first_user_id=first)
    states.require_move(MOVES, current=campaign.status, target=CampaignStatus.APPROVED)
    if not campaign.submitted_by_id:
        raise states.WrongState("活动还没有提交会签。")
    if version is not None and version != campaign.version:
        raise StaleVersion
    campaign.status, campaign.approved_by_id, campaign.approved_at = CampaignStatus.APPROVED, actor.id, now
    await _save(campaign, ["status", "approved_by_id", "approved_at"])
    await ledger.post(
        [
            ledger.Posting(
                debit=ledger.Key(campaign.id, Account.TREASURY),
                credit=ledger.Key(campaign.id, Account.AVAILABLE),
                amount_fen=campaign.budget_fen,
                kind="fund",
            )
        ],
        now=now,
    )
    await _record("campaign.countersigned", campaign, actor=actor, now=now, budget_fen=campaign.budget_fen)
    return campaign


async def start(campaign_id: int, *, actor: Actor, now: datetime) -> Campaign:
    """Let an approved campaign give vouchers away."""
    return await _move(
        campaign_id, CampaignStatus.APPROVED, CampaignStatus.RUNNING, "started", actor=actor, now=now
    )


async def pause(campaign_id: int, *, actor: Actor, now: datetime) -> Campaign:
    """Stop claims; what was claimed can be used as before."""
    return await _move(
        campaign_id, CampaignStatus.RUNNING, CampaignStatus.PAUSED, "paused", actor=actor, now=now
    )


async def resume(campaign_id: int, *, actor: Actor, now: datetime) -> Campaign:
    """Let a paused campaign go on."""
    return await _move(
        campaign_id, CampaignStatus.PAUSED, CampaignStatus.RUNNING, "resumed", actor=actor, now=now
    )


async def finish(campaign_id: int, *, actor: Actor, now: datetime) -> Campaign:
    """Let nobody claim any more, for good; its rounds were closed before."""
    return await _move(campaign_id, None, CampaignStatus.ENDED, "ended", actor=actor, now=now)


@database.atomic
async def _move(
    campaign_id: int,
    source: CampaignStatus | None,
    target: CampaignStatus,
    verb: str,
    *,
    actor: Actor,
    now: datetime,
) -> Campaign:
    campaign = await _held(campaign_id)
    permissions.require(
        actor, Permission.CAMPAIGN_DRAFT, bureau_id=campaign.bureau_id, centre_id=campaign.centre_id
    )
    if source is not None and campaign.status is not source:
        raise states.WrongState(data={"state": str(campaign.status), "wanted": str(target)})
    states.require_move(MOVES, current=campaign.status, target=target)
    campaign.status = target
    await _save(campaign, ["status"])
    latch.clear()
    await _record(f"campaign.{verb}", campaign, actor=actor, now=now)
    return campaign


def _by(actor: Actor) -> int:
    """Who took a step: a user's row id, or a token's below zero, so that no machine is taken for a person."""
    return -actor.id if actor.kind == "token" else actor.id


async def _held(campaign_id: int) -> Campaign:
    await locks.hold("campaign", [campaign_id])
    campaign = await Campaign.get_or_none(id=campaign_id)
    if campaign is None:
        raise NotFound
    return campaign


async def _save(campaign: Campaign, fields: list[str]) -> None:
    campaign.version += 1
    await campaign.save(update_fields=[*fields, "version"])


async def _record(verb: str, campaign: Campaign, *, actor: Actor, now: datetime, **detail: object) -> None:
    await audit.write(
        verb,
        actor=actor,
        now=now,
        about=("campaign", campaign.public_id),
        bureau_id=campaign.bureau_id,
        detail=detail,
    )
