"""A campaign's budget, changed by who countersigns: from what was read to what is wanted, or not at all."""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import states
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.vouchers import ledger, locks
from livehub.vouchers.errors import BudgetCommitted, BudgetMoved
from livehub.vouchers.models import Account, Campaign
from livehub.vouchers.rounds import MAY_SCHEDULE

MOST_FEN = 10**14
REASON_LENGTH = 200


@database.atomic
async def change(
    campaign_id: int, *, current_fen: int, target_fen: int, reason: str, actor: Actor, now: datetime
) -> Campaign:
    """Put money into what can be planned, or take some of it back; never less than what rounds have taken.

    SecondPersonNeeded for machines and for who drafted or submitted it, BudgetMoved when the budget is no
    longer ``current_fen``, BudgetCommitted when less than the difference is left to plan.
    """
    await locks.hold("campaign", [campaign_id])
    campaign = await Campaign.get_or_none(id=campaign_id)
    if campaign is None:
        raise NotFound
    permissions.require(
        actor, Permission.CAMPAIGN_COUNTERSIGN, bureau_id=campaign.bureau_id, centre_id=campaign.centre_id
    )
    for first in (campaign.created_by_id, campaign.submitted_by_id):
        permissions.require_second_person(actor, first_user_id=first)
    if campaign.status not in MAY_SCHEDULE:
        raise states.WrongState("会签以后、结束以前才能调整预算。", data={"state": str(campaign.status)})
    _require_sound(current_fen, target_fen, reason)
    if campaign.budget_fen != current_fen:
        raise BudgetMoved(data={"budget_fen": campaign.budget_fen})
    treasury, available = (ledger.Key(campaign_id, kind) for kind in (Account.TREASURY, Account.AVAILABLE))
    free_fen = (await ledger.hold([treasury, available]))[available]
    if free_fen + target_fen - current_fen < 0:
        raise BudgetCommitted(data={"least_fen": current_fen - free_fen})
    grows = target_fen > current_fen
    await ledger.post(
        [
            ledger.Posting(
                debit=treasury if grows else available,
                credit=available if grows else treasury,
                amount_fen=abs(target_fen - current_fen),
                kind="fund" if grows else "unfund",
            )
        ],
        now=now,
    )
    campaign.budget_fen = target_fen
    campaign.version += 1
    await campaign.save(update_fields=["budget_fen", "version"])
    await audit.write(
        "campaign.budget_changed",
        actor=actor,
        now=now,
        about=("campaign", campaign.public_id),
        bureau_id=campaign.bureau_id,
        detail={"current_fen": current_fen, "target_fen": target_fen, "reason": reason.strip()},
    )
    return campaign


def _require_sound(current_fen: int, target_fen: int, reason: str) -> None:
    details = []
    if not 0 < target_fen <= MOST_FEN:
        details.append(Detail("target_fen", "预算要大于 0", "如 60000.00 元"))
    elif target_fen == current_fen:
        details.append(Detail("target_fen", "和现在的预算一样", "另一个金额"))
    if not 2 <= len(reason.strip()) <= REASON_LENGTH:
        details.append(Detail("reason", "请填写原因", f"2 到 {REASON_LENGTH} 个字"))
    if details:
        raise Invalid(details=details)
