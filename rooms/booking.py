"""A booking from request to end: who may take a room, when, and what becomes of it.

Each verb happens wholly or not at all; one that comes from outside goes through ``database.unit``.
Commands check the state before the version: what is no longer allowed is a conflict, what is allowed but
was seen in an older version is stale.
"""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require_second_person
from livehub.kit import states
from livehub.kit.errors import Detail
from rooms import moves, rules, slots, steps, telling, waitlist, wishes
from rooms.errors import PersonNeeded, ReasonMissing
from rooms.models import Booking, BookingState, Broadcast, BroadcastState, Room
from rooms.wishes import Wish

REASON_LENGTH = steps.REASON_LENGTH


@database.atomic
async def request(wish: Wish, *, actor: Actor, now: datetime, draft: bool = False) -> Booking:
    """Take a room and people for a time; a draft holds nothing until it is submitted.

    OutsideRules names every field that is wrong; SlotTaken carries the conflicts and the nearest free times.
    """
    meant = await wishes.understand(wish, actor=actor, now=now)
    booking = await steps.create(meant, wish, created_by_id=steps.user_id(actor), now=now)
    if not draft:
        await steps.submit(booking, room=meant.room, frame=meant.frame, now=now)
        await booking.save()
    await steps.note("booking.created", booking, actor=actor, now=now)
    return booking


async def check(wish: Wish, *, actor: Actor, now: datetime) -> slots.Clash:
    """What would stand in the way of a wish at this moment; holds nothing."""
    meant = await wishes.understand(wish, actor=actor, now=now)
    wants = slots.wanted(
        wish.core,
        room_id=meant.room.id,
        frame=meant.frame,
        people=meant.people,
        equipment=meant.equipment,
    )
    return await slots.clash(wants, core=wish.core, frame=meant.frame, now=now)


@database.atomic
async def submit(public_id: str, *, version: int | None = None, actor: Actor, now: datetime) -> Booking:
    """Hold the time of a draft and ask for approval; SlotTaken when somebody was faster."""
    booking = await steps.held(public_id, actor=actor, permission=Permission.BOOKING_REQUEST)
    states.require_move(moves.BOOKING, current=booking.state, target=BookingState.SUBMITTED)
    steps.require_version(booking, version)
    room = await Room.get(id=booking.room_id)
    wishes.require_active(room)
    frame = await rules.frame_for(room)
    time, override = steps.core(booking), booking.override_reason
    if found := wishes.binding(time, frame=frame, override=override, now=now):
        raise rules.refusal(found)
    await steps.submit(booking, room=room, frame=frame, now=now)
    await steps.changed(booking)
    await steps.note("booking.submitted", booking, actor=actor, now=now)
    return booking


@database.atomic
async def approve(public_id: str, *, version: int | None = None, actor: Actor, now: datetime) -> Booking:
    """Make a booking firm; two-person rooms need two different users, one after the other."""
    booking = await steps.pending(public_id, version=version, actor=actor)
    room = await Room.get(id=booking.room_id)
    if room.approvals >= 2 and actor.kind != "user":
        raise PersonNeeded
    if room.approvals >= 2 and booking.state is BookingState.SUBMITTED:
        booking.first_approved_by_id = actor.id
        booking.state = BookingState.FIRST_APPROVED
        await steps.changed(booking)
        await steps.note("booking.first_approved", booking, actor=actor, now=now)
        return booking
    if room.approvals >= 2:
        require_second_person(actor, first_user_id=booking.first_approved_by_id)
    booking.approved_by_id = steps.user_id(actor)
    await steps.make_firm(booking, now=now)
    await steps.changed(booking)
    await steps.note("booking.approved", booking, actor=actor, now=now)
    await telling.tell_bureau("booking.approved", booking, said="已批准。", now=now)
    return booking


@database.atomic
async def reject(
    public_id: str, *, reason: str, version: int | None = None, actor: Actor, now: datetime
) -> Booking:
    """Refuse a booking that waits; the applicant reads the reason."""
    booking = await steps.pending(public_id, version=version, actor=actor)
    if not 0 < len(reason.strip()) <= REASON_LENGTH:
        raise ReasonMissing(details=[Detail("reason", "请写明原因", f"1 到 {REASON_LENGTH} 个字")])
    await steps.let_go(booking, into=BookingState.REJECTED, reason=reason, now=now)
    await steps.note("booking.rejected", booking, actor=actor, now=now)
    await telling.tell_bureau("booking.rejected", booking, said=f"被驳回：{booking.reason}", now=now)
    await waitlist.offer_freed(booking.room_id, steps.outer(booking), now=now)
    return booking


@database.atomic
async def cancel(
    public_id: str, *, reason: str = "", version: int | None = None, actor: Actor, now: datetime
) -> Booking:
    """Give a booking's time back before its show has begun."""
    booking = await steps.held(public_id, actor=actor, permission=Permission.BOOKING_REQUEST)
    states.require_move(moves.BOOKING, current=booking.state, target=BookingState.CANCELLED)
    if await Broadcast.exists(booking_id=booking.id, started_at__isnull=False):
        raise states.WrongState(data={"state": str(booking.state), "wanted": str(BookingState.CANCELLED)})
    steps.require_version(booking, version)
    held_time = booking.state in moves.HOLDING
    await steps.let_go(booking, into=BookingState.CANCELLED, reason=reason, now=now)
    await steps.note("booking.cancelled", booking, actor=actor, now=now)
    if actor.kind == "user" and booking.bureau_id not in actor.bureaus():  # somebody else gave it away
        await telling.tell_bureau("booking.cancelled", booking, said="已被中心取消。", now=now)
    if held_time:
        await waitlist.offer_freed(booking.room_id, steps.outer(booking), now=now)
    return booking


async def expire_holds(*, actor: Actor, now: datetime, limit: int = 200) -> int:
    """Let go of bookings nobody approved in time; running it twice changes nothing.

    Each is a transaction of its own, with the offer of its time to whoever waits for it.
    """
    due = await Booking.filter(state__in=list(moves.PENDING), hold_until__lte=now).order_by("id").limit(limit)
    expired = 0
    for each in due:
        expired += await database.unit(lambda each=each: _expire(each, actor=actor, now=now))  # type: ignore[misc]  # the loop's own
    return expired


async def _expire(seen: Booking, *, actor: Actor, now: datetime) -> int:
    expired = await steps.still([seen], among=moves.PENDING)
    for booking in expired:
        await steps.let_go(booking, into=BookingState.EXPIRED, reason="", now=now)
        await steps.note("booking.expired", booking, actor=actor, now=now)
        await telling.tell_bureau("booking.expired", booking, said="没有按时批准，时段已让出。", now=now)
        await waitlist.offer_freed(booking.room_id, steps.outer(booking), now=now)
    return len(expired)


@database.atomic
async def close_past(*, actor: Actor, now: datetime, limit: int = 200) -> int:
    """Complete what was used and note as no-show what nobody came for, once its time is over."""
    over = {BookingState.APPROVED: BookingState.NO_SHOW, BookingState.CHECKED_IN: BookingState.COMPLETED}
    seen = await Booking.filter(state__in=list(over), end_at__lt=now).order_by("end_at", "id").limit(limit)
    on_air = await Broadcast.filter(booking_id__in=[each.id for each in seen], state=BroadcastState.LIVE)
    busy = {each.booking_id for each in on_air}
    due = [each for each in seen if each.id not in busy and steps.outer_end(each) <= now]
    closed = await steps.still(due, among=over)
    for booking in closed:
        await steps.let_go(booking, into=over[booking.state], reason="", now=now)
        await steps.note(f"booking.{booking.state}", booking, actor=actor, now=now)
    return len(closed)
