"""The end of a campaign: no more claims, and what is left goes back to the treasury once all is over."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor, system
from livehub.vouchers import campaigns, ledger, locks, round_states, rounds
from livehub.vouchers.models import Account, Campaign, CampaignStatus, Round, RoundStatus

_GIVING = round_states.sql(round_states.GIVING)
_LASTING = round_states.sql((*round_states.GIVING, RoundStatus.CLOSED))


@database.atomic
async def end(campaign_id: int, *, actor: Actor, now: datetime) -> Campaign:
    """End a running or paused campaign and close its rounds; vouchers that were claimed can still be used."""
    rows = await database.fetch(
        f"SELECT id FROM campaign_round WHERE campaign_id = $1 AND status IN {_GIVING} ORDER BY id",
        campaign_id,
    )
    for row in rows:  # before the campaign's lock, as claims lock
        await rounds.close_round(row["id"], actor=actor, now=now)
    return await campaigns.finish(campaign_id, actor=actor, now=now)


async def return_due(*, now: datetime, limit: int = 50) -> int:
    """Return what lies in ended campaigns all of whose rounds are over; returns how many had something."""
    rows = await database.fetch(
        f"SELECT c.id FROM campaign c WHERE c.status = '{CampaignStatus.ENDED}' AND NOT EXISTS (SELECT 1"
        f" FROM campaign_round n WHERE n.campaign_id = c.id AND n.status IN {_LASTING}) AND (EXISTS (SELECT 1"
        f" FROM campaign_round n WHERE n.campaign_id = c.id AND n.status = '{RoundStatus.FINISHED}')"
        " OR EXISTS (SELECT 1 FROM ledger_account a WHERE a.campaign_id = c.id AND a.balance_fen > 0"
        f" AND a.kind IN ('{Account.AVAILABLE}', '{Account.RELEASED}'))) ORDER BY c.id LIMIT {int(limit)}"
    )
    return sum([await database.unit(partial(_return, row["id"], now=now)) for row in rows])


async def _return(campaign_id: int, *, now: datetime) -> int:
    rounds_of = await Round.filter(campaign_id=campaign_id).order_by("id")
    await locks.hold("campaign_round", [each.id for each in rounds_of])
    await locks.hold("campaign", [campaign_id])
    campaign = await Campaign.get(id=campaign_id)
    rounds_of = await Round.filter(campaign_id=campaign_id).order_by("id")
    over = {RoundStatus.FINISHED, RoundStatus.ROLLED, RoundStatus.RETURNED}
    if campaign.status is not CampaignStatus.ENDED or not all(each.status in over for each in rounds_of):
        return 0
    treasury = ledger.Key(campaign_id, Account.TREASURY_RETURN)
    sources = [ledger.Key(campaign_id, Account.AVAILABLE)]
    sources += [ledger.Key(campaign_id, Account.RELEASED, each.id) for each in rounds_of]
    balances = await ledger.hold([*sources, treasury])
    if not any(balances[key] for key in sources) and RoundStatus.FINISHED not in {
        each.status for each in rounds_of
    }:
        return 0  # somebody was here meanwhile
    await ledger.post(
        [
            ledger.Posting(debit=key, credit=treasury, amount_fen=balances[key], kind="return")
            for key in sources
        ],
        now=now,
    )
    await Round.filter(campaign_id=campaign_id, status=RoundStatus.FINISHED).update(
        status=RoundStatus.RETURNED
    )
    await audit.write(
        "campaign.returned",
        actor=system("jobs.campaigns", centre_id=campaign.centre_id),
        now=now,
        about=("campaign", campaign.public_id),
        bureau_id=campaign.bureau_id,
        detail={"returned_fen": sum(balances[key] for key in sources)},
    )
    return 1
