"""A campaign's claim windows: scheduled with their money, opened, closed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock, ids, states
from livehub.kit.errors import NotFound
from livehub.vouchers import latch, ledger, locks, new_kinds, rollover_plans, validity
from livehub.vouchers.errors import BudgetExhausted, InsufficientFunds, TemplateUnfit
from livehub.vouchers.models import Account, Campaign, CampaignStatus, Round, RoundStatus, Template
from livehub.vouchers.new_kinds import NewPack, NewTemplate
from livehub.vouchers.round_states import GIVING, LOTTERY

DIRECT = "direct"  # the mode of a round whose vouchers are given to the households of a roster
MAY_SCHEDULE = (CampaignStatus.APPROVED, CampaignStatus.RUNNING, CampaignStatus.PAUSED)


@database.atomic
async def schedule(
    campaign_id: int,
    *,
    templates: Sequence[NewTemplate] = (),
    packs: Sequence[NewPack] = (),
    claim_from: datetime,
    claim_until: datetime,
    actor: Actor,
    now: datetime,
    rollover_from: Sequence[int] = (),
    mode: str = "rush",
) -> Round:
    """Plan a round and set its money aside: face x quantity of all its templates, those of its packs too.

    What the rounds of ``rollover_from`` leave comes on top, once each of them is finished; one that was
    planned for a round that is over is taken over. BudgetExhausted when the available money does not reach.
    """
    await locks.hold("campaign_round", rollover_from)
    await locks.hold("campaign", [campaign_id])
    campaign = await _campaign(campaign_id, actor)
    if campaign.status not in MAY_SCHEDULE:
        raise states.WrongState(data={"state": str(campaign.status)})
    if not (templates or packs) or claim_from >= claim_until:
        raise TemplateUnfit
    for template in templates:
        new_kinds.check_template(template)
    for pack in packs:
        new_kinds.check_pack(pack)
    if mode == DIRECT:
        new_kinds.check_direct(templates, packs)
    if not (rollover_from or all(each.quantity for each in new_kinds.offers(templates, packs))):
        raise TemplateUnfit
    planned = await Round.create(
        public_id=ids.public_id(),
        campaign_id=campaign_id,
        seq=await Round.filter(campaign_id=campaign_id).count() + 1,
        mode=mode,
        claim_from=claim_from,
        claim_until=claim_until,
    )
    for template in templates:
        await new_kinds.create(template, planned, quantity=template.quantity)
    for pack in packs:
        await new_kinds.create_pack(pack, planned)
    allocated_fen = new_kinds.allocated_fen(templates, packs)
    await _allocate(planned, allocated_fen, now=now)
    for source_id in rollover_from:
        await rollover_plans.plan(source_id, into=planned, now=now)
    await audit.write(
        "round.scheduled",
        actor=actor,
        now=now,
        about=("round", planned.public_id),
        bureau_id=campaign.bureau_id,
        detail={"allocated_fen": allocated_fen, "seq": planned.seq},
    )
    return planned


@database.atomic
async def open_round(round_id: int, *, actor: Actor, now: datetime) -> Round:
    """Let people claim, within the claim window; this is the templates' release. A lottery was drawn."""
    opened, campaign = await held(round_id, actor)
    if opened.status is not (RoundStatus.DRAWN if opened.mode == LOTTERY else RoundStatus.SCHEDULED):
        raise states.WrongState(data={"state": str(opened.status)})
    opened.status = RoundStatus.OPEN
    await opened.save(update_fields=["status"])
    await Template.filter(round_id=round_id, released_at=None).update(released_at=clock.to_ms(now))
    latch.clear()
    await record("round.opened", opened, campaign, actor=actor, now=now)
    return opened


@database.atomic
async def close_round(round_id: int, *, actor: Actor, now: datetime) -> Round:
    """End the claims of a round; the money of what nobody claimed is released."""
    closed, campaign = await held(round_id, actor)
    if closed.status not in GIVING:
        raise states.WrongState(data={"state": str(closed.status)})
    closed.status = RoundStatus.CLOSED
    await closed.save(update_fields=["status"])
    rest_fen = sum(
        each.face_fen * (each.quantity - each.issued) for each in await Template.filter(round_id=round_id)
    )
    await ledger.post(
        [
            ledger.Posting(
                debit=ledger.Key(campaign.id, Account.UNISSUED, round_id),
                credit=ledger.Key(campaign.id, Account.RELEASED, round_id),
                amount_fen=rest_fen,
                kind="close",
            )
        ],
        now=now,
    )
    latch.clear()
    await record("round.closed", closed, campaign, actor=actor, now=now, released_fen=rest_fen)
    return closed


def terms(template: Template) -> validity.Terms:
    """A template's validity as the arithmetic wants it."""
    return validity.Terms(
        kind=template.validity,
        n=template.validity_n,
        fixed_from=template.valid_from,
        fixed_until=template.valid_until,
        released_at=template.released_at,
    )


async def _allocate(planned: Round, amount_fen: int, *, now: datetime) -> None:
    campaign_id = planned.campaign_id
    try:
        await ledger.post(
            [
                ledger.Posting(
                    debit=ledger.Key(campaign_id, Account.AVAILABLE),
                    credit=ledger.Key(campaign_id, Account.UNISSUED, planned.id),
                    amount_fen=amount_fen,
                    kind="allocate",
                )
            ],
            now=now,
        )
    except InsufficientFunds:
        raise BudgetExhausted from None
    await ledger.open_accounts(
        [
            ledger.Key(campaign_id, kind, planned.id)
            for kind in (Account.UNISSUED, Account.HELD, Account.RELEASED)
        ]
    )


async def held(
    round_id: int, actor: Actor, permission: Permission = Permission.CAMPAIGN_DRAFT
) -> tuple[Round, Campaign]:
    """Hold a round and its templates until the transaction ends; NotFound where it is not the actor's.

    Templates first, then the round: claims lock in this order.
    """
    rows = await database.fetch("SELECT id FROM voucher_template WHERE round_id = $1", round_id)
    await locks.hold("voucher_template", [row["id"] for row in rows])
    await locks.hold("campaign_round", [round_id])
    found = await Round.get_or_none(id=round_id)
    if found is None:
        raise NotFound
    return found, await _campaign(found.campaign_id, actor, permission)


async def _campaign(
    campaign_id: int, actor: Actor, permission: Permission = Permission.CAMPAIGN_DRAFT
) -> Campaign:
    campaign = await Campaign.get_or_none(id=campaign_id)
    if campaign is None:
        raise NotFound
    permissions.require(actor, permission, bureau_id=campaign.bureau_id, centre_id=campaign.centre_id)
    return campaign


async def record(
    verb: str, about: Round, campaign: Campaign, *, actor: Actor, now: datetime, **detail: object
) -> None:
    """Write into the audit trail what was done to a round."""
    await audit.write(
        verb,
        actor=actor,
        now=now,
        about=("round", about.public_id),
        bureau_id=campaign.bureau_id,
        detail=detail,
    )
