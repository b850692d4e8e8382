"""开播前检查: a broadcast goes on air after somebody ticked the list and signed, and nothing is against it.

Anchor or console sign; where food is sold, and in a 党建 room, somebody else signs for the centre too. A
signature counts for what it was given for: with another streamer, day or product it is asked for anew.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.permissions import Permission, require
from livehub.kit import states
from livehub.kit.errors import Detail, NotFound
from rooms import checklist, gate, locks, moves, onair
from rooms.air_models import PreAirCheck
from rooms.checklist import CENTRE, Signature
from rooms.errors import ChecklistIncomplete, NotFitForAir, SignerNeeded
from rooms.gate import Fitness
from rooms.models import Broadcast, BroadcastState


class Standing(Struct, frozen=True, kw_only=True):
    """Where the check of a broadcast stands."""

    items: tuple[str, ...]
    faults: list[Detail]
    rules: list[str]
    signed: list[PreAirCheck]  # those that count
    needs_centre: bool
    is_whole: bool


async def standing(broadcast_id: int) -> Standing:
    """What is to be ticked, what is against it, and who signed; for pages."""
    broadcast = await Broadcast.get(id=broadcast_id)
    fit = await gate.fitness(broadcast)
    signed = await gate.signed(broadcast, fit)
    centre = _needs_centre(fit)
    return Standing(
        items=_items(broadcast, fit),
        faults=[each.detail for each in fit.faults],
        rules=gate.rules(fit.faults),
        signed=signed,
        needs_centre=centre,
        is_whole=checklist.is_whole([_signature(each) for each in signed], centre=centre),
    )


@database.atomic
async def sign(
    public_id: str, *, ticked: Collection[str], role: str, actor: Actor, now: datetime
) -> PreAirCheck:
    """Sign the checklist; ChecklistIncomplete names what is not ticked, NotFitForAir what is not in order."""
    seen = await _seen(public_id)
    onair.require_run(seen, actor=actor)
    _require_signer(actor, role)
    broadcast = await _held(seen)
    if broadcast.state is not BroadcastState.CHECKED:
        states.require_move(moves.BROADCAST, current=broadcast.state, target=BroadcastState.CHECKED)
    fit = await gate.fitness(broadcast)
    if fit.faults:
        raise NotFitForAir(
            details=[each.detail for each in fit.faults], data={"rules": gate.rules(fit.faults)}
        )
    missing = [each for each in _items(broadcast, fit) if each not in ticked]
    if missing:
        raise ChecklistIncomplete(details=[Detail(each, "请确认") for each in missing])
    signatures = [_signature(each) for each in await gate.signed(broadcast, fit)]
    mine = Signature(role, actor.kind, actor.id)
    if any((each.role == CENTRE) != (role == CENTRE) and each.is_same_person(mine) for each in signatures):
        raise SecondPersonNeeded
    whole = checklist.is_whole([*signatures, mine], centre=_needs_centre(fit))
    check = await PreAirCheck.create(
        broadcast_id=broadcast.id,
        subject=gate.subject(broadcast, fit),
        items=" ".join(_items(broadcast, fit)),
        role=role,
        signer_kind=actor.kind,
        signer_id=actor.id,
        signed_by=actor.name,
        passed=whole,
        at=now,
    )
    if whole:
        await Broadcast.filter(id=broadcast.id).update(state=BroadcastState.CHECKED)
    await audit.write(
        "broadcast.check_signed",
        actor=actor,
        now=now,
        about=("broadcast", broadcast.public_id),
        bureau_id=broadcast.bureau_id,
        detail={"role": role, "items": check.items, "passed": whole},
    )
    return check


@database.atomic
async def set_ai_host(public_id: str, *, ai_host: bool, actor: Actor, now: datetime) -> Broadcast:
    """Say whether a made-up person streams; what was signed before no longer counts."""
    seen = await _seen(public_id)
    require(actor, Permission.BOOKING_REQUEST, bureau_id=seen.bureau_id, centre_id=seen.centre_id)
    broadcast = await _held(seen)
    if broadcast.state not in (BroadcastState.PLANNED, BroadcastState.CHECKED):
        raise states.WrongState(data={"state": str(broadcast.state)})
    if broadcast.ai_host != ai_host:
        await Broadcast.filter(id=broadcast.id).update(ai_host=ai_host)
        await gate.reopen(broadcast)
        await audit.write(
            "broadcast.ai_host",
            actor=actor,
            now=now,
            about=("broadcast", broadcast.public_id),
            bureau_id=broadcast.bureau_id,
            detail={"ai_host": ai_host},
        )
    return await Broadcast.get(id=broadcast.id)


def _require_signer(actor: Actor, role: str) -> None:
    """A streamer signs as anchor, staff for the console or the centre, machines nothing."""
    if actor.kind == "token":
        raise SignerNeeded
    if role not in checklist.ROLES or (actor.kind == "user" and role == "anchor"):
        raise ChecklistIncomplete(details=[Detail("role", "请选择以什么身份签字", "console、centre")])
    if actor.kind == "streamer" and role != "anchor":
        raise ChecklistIncomplete(details=[Detail("role", "主播只能以主播身份签字", "anchor")])


def _items(broadcast: Broadcast, fit: Fitness) -> tuple[str, ...]:
    return checklist.items(is_food=fit.is_food, is_party=fit.is_party, ai_host=broadcast.ai_host)


def _needs_centre(fit: Fitness) -> bool:
    return checklist.needs_centre(is_food=fit.is_food, is_party=fit.is_party)


def _signature(check: PreAirCheck) -> Signature:
    return Signature(check.role, check.signer_kind, check.signer_id)


async def _seen(public_id: str) -> Broadcast:
    seen = await Broadcast.get_or_none(public_id=public_id)
    if seen is None:
        raise NotFound
    return seen


async def _held(seen: Broadcast) -> Broadcast:
    await locks.hold("broadcast", {seen.id})
    return await Broadcast.get(id=seen.id)
