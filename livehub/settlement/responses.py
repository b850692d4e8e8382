"""What a merchant says to a batch: right, or why not; finance may say so for her, with a reason."""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.accounts import permissions
from livehub.accounts.actors import Actor
from livehub.accounts.models import Role
from livehub.accounts.permissions import Permission
from livehub.kit import states
from livehub.settlement import batches, holding, telling
from livehub.settlement.models import BatchState, SettlementBatch


@database.atomic
async def confirm(public_id: str, *, reason: str = "", actor: Actor, now: datetime) -> SettlementBatch:
    """Say that a submitted batch is right; whoever is not the merchant says why she speaks for her."""
    batch = await _held(public_id, actor)
    states.require_move(batches.MOVES, current=batch.state, target=BatchState.CONFIRMED)
    if not actor.has(Role.MERCHANT):
        batches.require_words("reason", reason)
    batch.update_from_dict(
        {
            "state": BatchState.CONFIRMED,
            "confirmed_by": actor.name,
            "confirmed_at": now,
            "reason": "" if actor.has(Role.MERCHANT) else reason,
        }
    )
    await batch.save(update_fields=["state", "confirmed_by", "confirmed_at", "reason"])
    await batches.record("settlement.confirmed", batch, actor=actor, now=now, reason=batch.reason)
    return batch


@database.atomic
async def dispute(public_id: str, *, reason: str, actor: Actor, now: datetime) -> SettlementBatch:
    """Say that a submitted batch is not right, and why: it is not paid until finance answered."""
    batch = await _held(public_id, actor)
    batches.require_words("reason", reason)
    states.require_move(batches.MOVES, current=batch.state, target=BatchState.DISPUTED)
    batch.update_from_dict(
        {
            "state": BatchState.DISPUTED,
            "reason": reason,
            "answer": "",
            "disputed_by": actor.name,
            "disputed_at": now,
        }
    )
    await batch.save(update_fields=["state", "reason", "answer", "disputed_by", "disputed_at"])
    await batches.record("settlement.disputed", batch, actor=actor, now=now, reason=reason)
    if actor.has(Role.MERCHANT):  # finance knows what it says for her
        await telling.disputed(batch, now=now)
    return batch


async def _held(public_id: str, actor: Actor) -> SettlementBatch:
    batch = await holding.hold(public_id)
    permissions.require(
        actor,
        Permission.SETTLEMENT_CONFIRM,
        merchant_id=batch.merchant_id,
        centre_id=batch.centre_id,
    )
    return batch
