"""On the air: starting, pulse, ending; which platform room a broadcast is in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, outbox, states
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.platforms import registry
from rooms import gate, locks, moves, retention
from rooms.errors import AccountElsewhere, NotApproved, NotItsTime, NotOnAir
from rooms.facts import AccountBound, BroadcastEnded, BroadcastStarted
from rooms.models import (
    Booking,
    BookingState,
    Broadcast,
    BroadcastAccount,
    BroadcastRun,
    BroadcastState,
)

SILENCE = timedelta(minutes=5)  # after so long without a pulse a broadcast counts as abandoned
ABANDONED = "abandoned"
REF_LENGTH = 64


@database.atomic
async def start(public_id: str, *, actor: Actor, now: datetime) -> Broadcast:
    """Go on air, or on again after an end.

    NotApproved, NotItsTime, WrongState, PreAirCheckMissing or CheckOutdated when it may not.
    """
    broadcast, booking = await _held(public_id, actor=actor)
    if broadcast.state is not BroadcastState.PLANNED:
        states.require_move(moves.BROADCAST, current=broadcast.state, target=BroadcastState.LIVE)
    if booking.state not in (BookingState.APPROVED, BookingState.CHECKED_IN):
        raise NotApproved(data={"state": str(booking.state)})
    _require_its_time(booking, now=now)
    await gate.require_open(broadcast)
    if booking.state is BookingState.APPROVED:
        booking.state = BookingState.CHECKED_IN
        booking.version += 1
        await booking.save(update_fields=["state", "version"])
    await BroadcastRun.create(broadcast_id=broadcast.id, started_at=now)
    broadcast.state = BroadcastState.LIVE
    broadcast.started_at = broadcast.started_at or now
    broadcast.ended_at, broadcast.heartbeat_at = None, now
    broadcast.flags = _without(broadcast.flags, ABANDONED)
    await broadcast.save()
    fact = BroadcastStarted(
        broadcast_id=broadcast.id,
        centre_id=broadcast.centre_id,
        run=await BroadcastRun.filter(broadcast_id=broadcast.id).count(),
        at_ms=clock.to_ms(now),
    )
    await outbox.record(fact, now=now)
    await _audit("broadcast.started", broadcast, actor=actor, now=now)
    return broadcast


@database.atomic
async def end(public_id: str, *, actor: Actor, now: datetime) -> Broadcast:
    """Go off the air; NotOnAir when it is not on."""
    broadcast, _ = await _held(public_id, actor=actor)
    if broadcast.state is not BroadcastState.LIVE:
        raise NotOnAir(data={"state": str(broadcast.state)})
    await _end(broadcast, at=now, now=now, abandoned=False)
    await _audit("broadcast.ended", broadcast, actor=actor, now=now)
    return broadcast


@database.atomic
async def heartbeat(public_id: str, *, actor: Actor, now: datetime) -> None:
    """Note that somebody watches over the broadcast; NotOnAir when it is not on."""
    broadcast = await _seen(public_id, actor=actor)
    if broadcast.state is not BroadcastState.LIVE:
        raise NotOnAir(data={"state": str(broadcast.state)})
    await pulse({broadcast.id: now})


async def pulse(beats: Mapping[int, datetime]) -> None:
    """Signs of life by broadcast id, such as attributed orders: only ever later, only of what is on air."""
    await database.write_rows(
        {"id": "bigint", "at": "bigint"},
        [(number, clock.to_ms(at)) for number, at in sorted(beats.items())],
        "UPDATE broadcast SET heartbeat_at = v.at FROM v"
        " WHERE broadcast.id = v.id AND broadcast.state = 'live' AND broadcast.heartbeat_at < v.at",
    )


@database.atomic
async def end_abandoned(*, actor: Actor, now: datetime, limit: int = 200) -> int:
    """End what nobody watches over any more, at its last pulse and five minutes, and flag it."""
    silent = {"state": BroadcastState.LIVE, "heartbeat_at__lte": now - SILENCE}
    numbers = [each.id for each in await Broadcast.filter(**silent).order_by("id").limit(limit)]
    await locks.hold("broadcast", numbers)
    abandoned = await Broadcast.filter(id__in=numbers, **silent).order_by("id")
    for broadcast in abandoned:
        last = broadcast.heartbeat_at or broadcast.started_at or now
        broadcast.flags = " ".join(filter(None, (_without(broadcast.flags, ABANDONED), ABANDONED)))
        await _end(broadcast, at=last + SILENCE, now=now, abandoned=True)
        await _audit("broadcast.abandoned", broadcast, actor=actor, now=now)
    return len(abandoned)


@database.atomic
async def bind_room(
    public_id: str, *, platform: str, account_ref: str, room_ref: str, actor: Actor, now: datetime
) -> BroadcastAccount:
    """Say which room of the platform a broadcast is in; its orders, also earlier ones, then find it."""
    broadcast, _ = await _held(public_id, actor=actor)
    registry.get(platform)
    _require_refs(account_ref=account_ref, room_ref=room_ref)
    account = await BroadcastAccount.get_or_none(
        broadcast_id=broadcast.id, platform=platform, account_ref=account_ref
    )
    if account is not None and account.room_ref == room_ref:
        return account
    if account is None:
        account = BroadcastAccount(broadcast_id=broadcast.id, platform=platform, account_ref=account_ref)
    account.room_ref = room_ref
    try:
        async with database.transaction():
            await account.save()
    except IntegrityError as error:
        raise AccountElsewhere from error
    fact = AccountBound(
        broadcast_id=broadcast.id,
        centre_id=broadcast.centre_id,
        platform=platform,
        account_ref=account_ref,
        room_ref=room_ref,
    )
    await outbox.record(fact, now=now)
    detail = {"platform": platform, "account_ref": account_ref, "room_ref": room_ref}
    await _audit("broadcast.room_bound", broadcast, actor=actor, now=now, detail=detail)
    return account


def require_run(broadcast: Broadcast, *, actor: Actor) -> None:
    """Let the broadcast's own streamer pass, and whoever may run broadcasts."""
    if actor.kind == "streamer" and actor.id == broadcast.streamer_id:
        return
    require(actor, Permission.BROADCAST_RUN, bureau_id=broadcast.bureau_id, centre_id=broadcast.centre_id)


async def _seen(public_id: str, *, actor: Actor) -> Broadcast:
    broadcast = await Broadcast.get_or_none(public_id=public_id)
    if broadcast is None:
        raise NotFound
    require_run(broadcast, actor=actor)
    return broadcast


async def _held(public_id: str, *, actor: Actor) -> tuple[Broadcast, Booking]:
    """The broadcast and its booking, locked in the order in which booking.py locks them."""
    seen = await _seen(public_id, actor=actor)
    await locks.hold("booking", {seen.booking_id})
    await locks.hold("broadcast", {seen.id})
    return await Broadcast.get(id=seen.id), await Booking.get(id=seen.booking_id)


async def _end(broadcast: Broadcast, *, at: datetime, now: datetime, abandoned: bool) -> None:
    await BroadcastRun.filter(broadcast_id=broadcast.id, ended_at__isnull=True).update(ended_at=at)
    broadcast.state, broadcast.ended_at = BroadcastState.ENDED, at
    broadcast.retain_until = retention.until(at)
    await broadcast.save()
    fact = BroadcastEnded(
        broadcast_id=broadcast.id,
        centre_id=broadcast.centre_id,
        run=await BroadcastRun.filter(broadcast_id=broadcast.id).count(),
        at_ms=clock.to_ms(at),
        abandoned=abandoned,
    )
    await outbox.record(fact, now=now)


def _require_its_time(booking: Booking, *, now: datetime) -> None:
    since = booking.start_at - timedelta(minutes=booking.setup_min)
    until = booking.end_at + timedelta(minutes=booking.turnover_min)
    if not since <= now < until:
        raise NotItsTime(data={"since": since, "until": until})


def _require_refs(**refs: str) -> None:
    wrong = [name for name, ref in refs.items() if not 0 < len(ref) <= REF_LENGTH]
    if wrong:
        expected = f"1 到 {REF_LENGTH} 个字符"
        raise Invalid(details=[Detail(name, "请填写平台上的编号", expected) for name in wrong])


def _without(flags: str, flag: str) -> str:
    return " ".join(each for each in flags.split() if each != flag)


async def _audit(
    action: str, broadcast: Broadcast, *, actor: Actor, now: datetime, detail: dict[str, str] | None = None
) -> None:
    if not actor.centre_id:  # a job of ours, working for this centre
        actor = msgspec.structs.replace(actor, centre_id=broadcast.centre_id)
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("broadcast", broadcast.public_id),
        bureau_id=broadcast.bureau_id,
        detail=detail,
    )
