"""The steps of a case: looked at by one, released or confirmed by another; if confirmed, looked at again."""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock, states
from livehub.kit.errors import NotFound
from livehub.notices import sending
from livehub.settlement import batches, case_notes, holding, opening
from livehub.settlement.case_models import CaseState, IntegrityCase

MOVES = {
    CaseState.OPEN: frozenset({CaseState.LOOKED_AT}),
    CaseState.LOOKED_AT: frozenset({CaseState.RELEASED, CaseState.CONFIRMED}),
    CaseState.CONFIRMED: frozenset({CaseState.LOOKED_AT}),
}


@database.atomic
async def note(public_id: str, *, text: str, actor: Actor, now: datetime) -> IntegrityCase:
    """Add a sentence to a case, whatever its state."""
    case = await _held(public_id, actor)
    batches.require_words("text", text)
    await case_notes.add(case.id, step="note", text=text, actor=actor, now=now)
    await _record("case.noted", case, actor=actor, now=now)
    return case


@database.atomic
async def look(public_id: str, *, text: str, actor: Actor, now: datetime) -> IntegrityCase:
    """Say what one found: the first of two people. SecondPersonNeeded for machines.

    Of a confirmed case as well: it goes on holding, and another person decides anew.
    """
    case = await _held(public_id, actor)
    permissions.require_second_person(actor, first_user_id=0)
    states.require_move(MOVES, current=case.state, target=CaseState.LOOKED_AT)
    batches.require_words("text", text)
    case.update_from_dict(
        {"state": CaseState.LOOKED_AT, "looked_by_id": actor.id, "looked_by": actor.name, "looked_at": now}
        | {"ended_by_id": 0, "ended_by": "", "ended_at": None}
    )
    await case.save()
    await case_notes.add(case.id, step="look", text=text, actor=actor, now=now)
    await _record("case.looked_at", case, actor=actor, now=now)
    return case


@database.atomic
async def release(public_id: str, *, text: str, actor: Actor, now: datetime) -> IntegrityCase:
    """Lift what the case holds back; it goes into the next batches. No money moves.

    SecondPersonNeeded for whoever looked at it or opened it, and for machines.
    """
    case = await _held(public_id, actor)
    _require_second(case, actor)
    await _end(case, CaseState.RELEASED, text=text, actor=actor, now=now)
    lifted = await database.execute(
        "UPDATE settlement_hold SET lifted_at = $1, lifted_by = $2 WHERE case_id = $3 AND lifted_at IS NULL",
        clock.to_ms(now),
        actor.name,
        case.id,
    )
    await _tell(case, "核查完毕，暂缓已解除，还没有结算的补贴进入下一批次。", now=now)
    await _record("case.released", case, actor=actor, now=now, lifted=lifted)
    return case


@database.atomic
async def confirm(public_id: str, *, text: str, actor: Actor, now: datetime) -> IntegrityCase:
    """Say that it is as it looked: what is held back stays so. No money moves.

    SecondPersonNeeded for whoever looked at it or opened it, and for machines.
    """
    case = await _held(public_id, actor)
    _require_second(case, actor)
    await _end(case, CaseState.CONFIRMED, text=text, actor=actor, now=now)
    await _tell(case, "核查认定有问题，涉及的补贴不予结算；有异议请联系中心。", now=now)
    await _record("case.confirmed", case, actor=actor, now=now)
    return case


async def _held(public_id: str, actor: Actor) -> IntegrityCase:
    """A case that nobody else changes until the transaction ends."""
    found = await IntegrityCase.get_or_none(public_id=public_id)
    if found is None or found.centre_id != actor.centre_id:
        raise NotFound
    permissions.require(actor, Permission.CASE_HANDLE, bureau_id=found.bureau_id, centre_id=found.centre_id)
    await holding.alone(found.centre_id)
    return await IntegrityCase.get(id=found.id)


def _require_second(case: IntegrityCase, actor: Actor) -> None:
    for first in (case.looked_by_id, case.opened_by_id):
        permissions.require_second_person(actor, first_user_id=first)


async def _end(case: IntegrityCase, target: CaseState, *, text: str, actor: Actor, now: datetime) -> None:
    states.require_move(MOVES, current=case.state, target=target)
    batches.require_words("text", text)
    case.update_from_dict({"state": target, "ended_by_id": actor.id, "ended_by": actor.name, "ended_at": now})
    await case.save(update_fields=["state", "ended_by_id", "ended_by", "ended_at"])
    step = "release" if target is CaseState.RELEASED else "confirm"
    await case_notes.add(case.id, step=step, text=text, actor=actor, now=now)


async def _tell(case: IntegrityCase, said: str, *, now: datetime) -> None:
    """The merchants that were told it was held back; of a release those for whom something is free by it."""
    only_free = case.state is CaseState.RELEASED
    for row in await opening.merchants_held(case.id, only_free=only_free):
        await sending.send(
            f"settlement.{case.state}",
            centre_id=case.centre_id,
            recipient=row["name"],
            body=f"{case.day:%m月%d日} 的核销{said}",
            dedupe_key=f"{case.state}:{row['id']}:{case.public_id}",
            now=now,
        )


async def _record(verb: str, case: IntegrityCase, *, actor: Actor, now: datetime, **detail: object) -> None:
    await audit.write(
        verb,
        actor=actor,
        now=now,
        about=("case", case.public_id),
        bureau_id=case.bureau_id,
        detail={"rule": case.rule, "state": str(case.state), **detail},
    )
