"""候补: whoever wants a time that is taken waits in line, and is offered it when it is given back.

An offer is a booking in state offered: it holds the time until it is accepted, declined or over. Locks are
taken in the order booking, entry, bureau, people, room.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts.actors import Actor, system
from livehub.accounts.models import Centre
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, ids, states
from livehub.kit.errors import Conflict, Invalid, NotFound
from rooms import claims, locks, moves, quotas, slots, steps, telling, wishes
from rooms.conflicts import Span
from rooms.errors import AlreadyWaiting, NotWaitlistable, OfferOver, SlotFree
from rooms.models import Booking, BookingState, Room
from rooms.sharing_models import WaitlistEntry, WaitState
from rooms.wishes import Wish

CLERK = system("rooms.waitlist")
AT_ONCE = 50  # entries looked at when a time is given back
_REACH = timedelta(days=1)  # longer than a booking with its buffers

_FREE = """
    SELECT w.id FROM waitlist_entry w
    WHERE w.state = 'waiting' AND w.start_at > $1 AND NOT EXISTS (
        SELECT 1 FROM resource_claim c WHERE c.kind = 'room' AND c.resource_id = w.room_id AND c.active
          AND c.starts_at < w.end_at AND w.start_at < c.ends_at)
    ORDER BY w.id
"""


@database.atomic
async def join(wish: Wish, *, actor: Actor, now: datetime) -> WaitlistEntry:
    """Stand in line for a time somebody holds; SlotFree when nobody does."""
    wish = msgspec.structs.replace(wish, override="")
    meant = await wishes.understand(wish, actor=actor, now=now)
    wants = slots.wanted(
        wish.core, room_id=meant.room.id, frame=meant.frame, people=meant.people, equipment=meant.equipment
    )
    found = await slots.clash(wants, core=wish.core, frame=meant.frame, now=now)
    if not found.conflicts:
        raise SlotFree
    if any(each.closed for each in found.conflicts):
        raise NotWaitlistable
    try:
        async with database.transaction():
            entry = await WaitlistEntry.create(
                public_id=ids.public_id(),
                centre_id=meant.room.centre_id,
                bureau_id=wish.bureau_id,
                room_id=meant.room.id,
                start_at=wish.starts_at,
                end_at=wish.core.ends_at,
                wish=msgspec.json.encode(wish).decode(),
                state=WaitState.WAITING,
                created_by_id=steps.user_id(actor),
                created_at=now,
            )
    except IntegrityError as error:
        raise AlreadyWaiting from error
    await steps.note_about("waitlist.joined", entry, actor=actor, now=now)
    return entry


@database.atomic
async def accept(public_id: str, *, actor: Actor, now: datetime) -> WaitlistEntry:
    """Take what was offered: it becomes a booking that waits for approval. OfferOver when it is too late."""
    entry, booking = await _offered(public_id, actor=actor, now=now)
    states.require_move(moves.BOOKING, current=booking.state, target=BookingState.SUBMITTED)
    await steps.ask(booking, room=await Room.get(id=booking.room_id), now=now)
    await steps.changed(booking)
    await steps.note("booking.submitted", booking, actor=actor, now=now)
    return await _settle(entry, WaitState.ACCEPTED)


@database.atomic
async def decline(public_id: str, *, actor: Actor, now: datetime) -> WaitlistEntry:
    """Leave what was offered to the next in line, who is offered it at once."""
    entry, booking = await _offered(public_id, actor=actor, now=now)
    await steps.let_go(booking, into=BookingState.DECLINED, reason="", now=now)
    await steps.note("booking.declined", booking, actor=actor, now=now)
    await _settle(entry, WaitState.DECLINED)
    await offer_freed(booking.room_id, steps.outer(booking), now=now)
    return entry


@database.atomic
async def withdraw(public_id: str, *, actor: Actor, now: datetime) -> WaitlistEntry:
    """Wait no longer; what was offered is declined instead."""
    entry = await _mine(public_id, actor=actor)
    await locks.hold("waitlist_entry", {entry.id})
    entry = await WaitlistEntry.get(id=entry.id)
    if entry.state is not WaitState.WAITING:
        raise OfferOver(data={"state": str(entry.state)})
    await steps.note_about("waitlist.withdrawn", entry, actor=actor, now=now)
    return await _settle(entry, WaitState.WITHDRAWN)


async def advance(*, now: datetime, limit: int = 200) -> int:
    """End offers that ran out, and offer what is free; returns how many entries changed.

    Running it twice changes nothing. Each entry is a transaction of its own.
    """
    changed = 0
    due = WaitlistEntry.filter(state=WaitState.OFFERED, offer_until__lte=now).order_by("id").limit(limit)
    for entry in await due:
        changed += await database.unit(lambda entry=entry: _run_out(entry, now=now))  # type: ignore[misc]  # the loop's own
    late = WaitlistEntry.filter(state=WaitState.WAITING, start_at__lte=now)
    changed += await late.update(state=WaitState.EXPIRED)
    for row in (await database.fetch(_FREE, clock.to_ms(now)))[:limit]:
        changed += await database.unit(lambda number=row["id"]: _offer(number, now=now))  # type: ignore[misc]  # as above
    return changed


async def offer_freed(room_id: int, freed: Span, *, now: datetime) -> None:
    """Offer a time that was just given back, in this transaction, so that nobody steps in between."""
    waiting = (
        await WaitlistEntry.filter(
            room_id=room_id,
            state=WaitState.WAITING,
            start_at__gt=now,
            start_at__lt=freed.ends_at + _REACH,
            end_at__gt=freed.starts_at - _REACH,
        )
        .order_by("id")
        .limit(AT_ONCE)
    )
    for entry in waiting:
        await _offer(entry.id, now=now)


async def end_offer(booking: Booking) -> None:
    """The offer's booking was taken away by a closure."""
    await WaitlistEntry.filter(booking_id=booking.id, state=WaitState.OFFERED).update(state=WaitState.EXPIRED)


async def _offer(number: int, *, now: datetime) -> int:
    """Hold the time for an entry that waits; 0 when the time, the quota or a rule is in the way."""
    await locks.hold("waitlist_entry", {number})
    entry = await WaitlistEntry.get(id=number)
    if entry.state is not WaitState.WAITING:
        return 0
    wish = msgspec.json.decode(entry.wish, type=Wish)
    try:
        async with database.transaction():
            booking = await _hold_for(entry, wish, now=now)
    except (Invalid, Conflict, NotFound):  # not what the database could not do just now
        return 0
    entry.state, entry.booking_id, entry.offer_until = WaitState.OFFERED, booking.id, booking.hold_until
    await entry.save()
    await steps.note("booking.offered", booking, actor=CLERK, now=now)
    until = f"{clock.local(booking.hold_until):%m月%d日 %H:%M}" if booking.hold_until else ""
    said = f"轮到您了：候补的时段已为您留到 {until}，请接受或谢绝。"
    await telling.tell_bureau("waitlist.offered", booking, said=said, now=now)
    return 1


async def _hold_for(entry: WaitlistEntry, wish: Wish, *, now: datetime) -> Booking:
    meant = await wishes.understand(wish, actor=CLERK, now=now)
    booking = await steps.create(meant, wish, created_by_id=entry.created_by_id, now=now)
    await quotas.require_room_for(booking, room=meant.room)
    wants = await steps.wanted(booking)
    try:
        await claims.take(booking.id, wanted=wants)
    except claims.Overlap as error:
        raise OfferOver from error
    centre = await Centre.get(id=booking.centre_id)
    booking.state = BookingState.OFFERED
    booking.hold_until = min(now + timedelta(hours=centre.offer_ttl_h), booking.start_at)
    await booking.save()
    return booking


async def _run_out(seen: WaitlistEntry, *, now: datetime) -> int:
    entry, booking = await _locked(seen)
    if entry.state is not WaitState.OFFERED:
        return 0
    await steps.let_go(booking, into=BookingState.EXPIRED, reason="", now=now)
    await steps.note("booking.expired", booking, actor=CLERK, now=now)
    await _settle(entry, WaitState.EXPIRED)
    await telling.tell_bureau(
        "booking.expired", booking, said="没有按时答复，候补名额已让给下一位。", now=now
    )
    await offer_freed(booking.room_id, steps.outer(booking), now=now)
    return 1


async def _offered(public_id: str, *, actor: Actor, now: datetime) -> tuple[WaitlistEntry, Booking]:
    seen = await _mine(public_id, actor=actor)
    if seen.booking_id is None:
        raise OfferOver(data={"state": str(seen.state)})
    entry, booking = await _locked(seen)
    if entry.state is not WaitState.OFFERED or entry.offer_until is None or entry.offer_until <= now:
        raise OfferOver(data={"state": str(entry.state)})
    return entry, booking


async def _locked(seen: WaitlistEntry) -> tuple[WaitlistEntry, Booking]:
    await locks.hold("booking", {seen.booking_id or 0})
    await locks.hold("waitlist_entry", {seen.id})
    return await WaitlistEntry.get(id=seen.id), await Booking.get(id=seen.booking_id)


async def _mine(public_id: str, *, actor: Actor) -> WaitlistEntry:
    entry = await WaitlistEntry.get_or_none(public_id=public_id)
    if entry is None:
        raise NotFound
    require(actor, Permission.BOOKING_REQUEST, bureau_id=entry.bureau_id, centre_id=entry.centre_id)
    return entry


async def _settle(entry: WaitlistEntry, state: WaitState) -> WaitlistEntry:
    entry.state, entry.offer_until = state, None
    await entry.save()
    return entry
