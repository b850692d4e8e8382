"""暂缓结算: a merchant or a redemption is left out of batches until another person lifts it."""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock, ids, states
from livehub.kit.errors import NotFound
from livehub.settlement import batches, holding
from livehub.settlement.errors import AlreadyHeld, HeldByCase
from livehub.settlement.models import SettlementHold

ONE = "redemption_id, merchant_id, broadcast_id, case_id"


@database.atomic
async def place(
    *, merchant: str = "", redemption: str = "", reason: str, actor: Actor, now: datetime
) -> SettlementHold:
    """Hold back a merchant, or one redemption (public ids); AlreadyHeld when it is.

    What was submitted stays as it was submitted; a batch of a merchant held back is not paid.
    """
    permissions.require(actor, Permission.SETTLEMENT_RUN)
    batches.require_words("reason", reason)
    await holding.alone(actor.centre_id)
    merchant_id, redemption_id = await _meant(merchant, redemption, actor.centre_id)
    public_id = ids.public_id()
    made = await database.fetch(
        "INSERT INTO settlement_hold (public_id, centre_id, merchant_id, redemption_id, reason, placed_by_id,"
        " placed_by, placed_at, lifted_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '')"
        f" ON CONFLICT ({ONE}) WHERE lifted_at IS NULL DO NOTHING RETURNING id",
        public_id,
        actor.centre_id,
        merchant_id,
        redemption_id,
        reason,
        actor.id,
        actor.name,
        clock.to_ms(now),
    )
    if not made:
        raise AlreadyHeld
    placed = await SettlementHold.get(public_id=public_id)
    about = ("merchant", merchant) if merchant_id else ("redemption", redemption)
    await audit.write("settlement.held", actor=actor, now=now, about=about, detail={"reason": reason})
    return placed


@database.atomic
async def lift(public_id: str, *, actor: Actor, now: datetime) -> SettlementHold:
    """Let it be settled again, with the next day's batches; SecondPersonNeeded for who placed it.

    HeldByCase for what a case holds back: that is released with the case.
    """
    permissions.require(actor, Permission.SETTLEMENT_PAY)
    await holding.alone(actor.centre_id)
    found = await SettlementHold.get_or_none(public_id=public_id, centre_id=actor.centre_id)
    if found is None:
        raise NotFound
    if found.case_id:
        raise HeldByCase
    permissions.require_second_person(actor, first_user_id=found.placed_by_id)
    if found.lifted_at is not None:
        raise states.WrongState("已经解除暂缓。")
    found.update_from_dict({"lifted_at": now, "lifted_by": actor.name})
    await found.save(update_fields=["lifted_at", "lifted_by"])
    await audit.write("settlement.released", actor=actor, now=now, about=("settlement_hold", public_id))
    return found


async def _meant(merchant: str, redemption: str, centre_id: int) -> tuple[int, int]:
    if merchant:
        row = await database.fetch_one(
            "SELECT id FROM merchant WHERE public_id = $1 AND centre_id = $2", merchant, centre_id
        )
    else:
        row = await database.fetch_one(
            "SELECT r.id FROM redemption r JOIN campaign c ON c.id = r.campaign_id"
            " WHERE r.public_id = $1 AND c.centre_id = $2",
            redemption,
            centre_id,
        )
    if row is None:
        raise NotFound
    return (int(row["id"]), 0) if merchant else (0, int(row["id"]))
