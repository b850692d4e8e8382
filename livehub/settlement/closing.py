"""A campaign that ended is settled once nothing of it is open: no voucher, no batch, no fen but paid ones."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import system
from livehub.settlement import holding
from livehub.vouchers import ledger, locks
from livehub.vouchers.models import Account, Campaign, CampaignStatus

_FUNDS = (
    Account.AVAILABLE,
    Account.UNISSUED,
    Account.HELD,
    Account.RELEASED,
    Account.PAYABLE,
    Account.RECEIVABLE,
)
_OPEN = ", ".join(f"'{each}'" for each in _FUNDS)
_NOTHING_OPEN = (
    " NOT EXISTS (SELECT 1 FROM campaign_round n WHERE n.campaign_id = c.id"
    " AND n.status NOT IN ('rolled', 'returned'))"
    " AND NOT EXISTS (SELECT 1 FROM settlement_batch b WHERE b.campaign_id = c.id AND b.state <> 'paid')"
    " AND NOT EXISTS (SELECT 1 FROM ledger_account a WHERE a.campaign_id = c.id AND a.balance_fen <> 0"
    f" AND a.kind IN ({_OPEN}))"
    # What is held back and has been recovered whole needs no line any more.
    " AND NOT EXISTS (SELECT 1 FROM redemption r WHERE r.campaign_id = c.id AND r.settled_at IS NULL"
    f" AND r.state <> 'voided' AND NOT (r.recovered_fen = r.subsidy_fen AND {holding.HELD}))"
)


async def settle_due(*, now: datetime, limit: int = 50) -> int:
    """Settle every ended campaign of which nothing is open; returns how many."""
    rows = await database.fetch(
        f"SELECT c.id, c.centre_id FROM campaign c WHERE c.status = '{CampaignStatus.ENDED}'"
        f" AND {_NOTHING_OPEN} ORDER BY c.id LIMIT {int(limit)}"
    )
    return sum([await database.unit(partial(_settle, row["id"], row["centre_id"], now=now)) for row in rows])


async def _settle(campaign_id: int, centre_id: int, *, now: datetime) -> int:
    """Refunds read the campaign under a shared lock: none is under way, and the next finds it settled."""
    await holding.alone(centre_id)
    await locks.hold("campaign", [campaign_id])
    row = await database.fetch_one(
        f"SELECT c.id FROM campaign c WHERE c.id = $1 AND c.status = '{CampaignStatus.ENDED}'"
        f" AND {_NOTHING_OPEN}",
        campaign_id,
    )
    if row is None:
        return 0
    campaign = await Campaign.get(id=campaign_id)
    await Campaign.filter(id=campaign_id).update(status=CampaignStatus.SETTLED, version=campaign.version + 1)
    sums = await ledger.balances(campaign_id)
    await audit.write(
        "campaign.settled",
        actor=system("jobs.settlement", centre_id=centre_id),
        now=now,
        about=("campaign", campaign.public_id),
        bureau_id=campaign.bureau_id,
        detail={"paid_fen": sums[Account.PAID], "returned_fen": sums[Account.TREASURY_RETURN]},
    )
    return 1
