"""Rounds whose claim window is over close, those whose vouchers' time is over finish."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import system
from livehub.kit import clock, states
from livehub.vouchers import expiry, locks, round_states, rounds
from livehub.vouchers.models import Campaign, CampaignStatus, Round, RoundStatus, VoucherState

_GIVING = round_states.sql(round_states.GIVING)
_ENDED = f"('{CampaignStatus.ENDED}', '{CampaignStatus.SETTLED}')"


async def close_due(*, now: datetime, limit: int = 50) -> int:
    """Close rounds after their window, and all of ended campaigns; claims have refused since already."""
    rows = await database.fetch(
        "SELECT n.id FROM campaign_round n JOIN campaign c ON c.id = n.campaign_id"
        f" WHERE n.status IN {_GIVING} AND (n.claim_until <= $1 OR c.status IN {_ENDED})"
        f" ORDER BY n.id LIMIT {int(limit)}",
        clock.to_ms(now),
    )
    closed = 0
    for row in rows:
        try:
            await database.unit(partial(rounds.close_round, row["id"], actor=system("jobs.rounds"), now=now))
        except states.WrongState:  # an officer was first
            continue
        closed += 1
    return closed


async def finish_due(*, now: datetime, limit: int = 50) -> int:
    """Finish closed rounds when all their vouchers' time is over and their money free."""
    rows = await database.fetch(
        f"SELECT id FROM campaign_round WHERE status = '{RoundStatus.CLOSED}' ORDER BY id"
    )
    finished = 0
    for row in rows:
        if finished < limit and await expiry.is_over(row["id"], now=now):
            await expiry.sweep_round(row["id"], now=now)
            finished += await database.unit(partial(_finish, row["id"], now=now))
    return finished


async def _finish(round_id: int, *, now: datetime) -> int:
    await locks.hold("campaign_round", [round_id])
    found = await Round.get(id=round_id)
    left = await database.fetch_one(
        "SELECT x.id FROM voucher_template t JOIN voucher x ON x.template_id = t.id"
        f" AND x.state IN ('{VoucherState.ISSUED}', '{VoucherState.LOCKED}') WHERE t.round_id = $1 LIMIT 1",
        round_id,
    )
    if found.status is not RoundStatus.CLOSED or left is not None:
        return 0
    found.status = RoundStatus.FINISHED
    await found.save(update_fields=["status"])
    campaign = await Campaign.get(id=found.campaign_id)
    await audit.write(
        "round.finished",
        actor=system("jobs.rounds", centre_id=campaign.centre_id),
        now=now,
        about=("round", found.public_id),
        bureau_id=campaign.bureau_id,
    )
    return 1
