"""What the verbs of a booking are made of: hold it, let it ask, make it firm, let it go, note it.

Each step stands inside the verb's transaction. Bookings are locked before bureaus, people and rooms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, ids, outbox, states
from livehub.kit.errors import NotFound, StaleVersion
from rooms import births, claims, locks, moves, quotas, slots, telling
from rooms.conflicts import Frame, Span, Wanted
from rooms.errors import AlreadyDecided
from rooms.facts import BookingApproved, BookingReleased, BookingSubmitted
from rooms.models import Booking, BookingKind, BookingState, Broadcast, CrewAssignment, Room
from rooms.sharing_models import BookingEquipment, WaitlistEntry
from rooms.wishes import Meant, Wish

REASON_LENGTH = 200


async def pending(public_id: str, *, version: int | None, actor: Actor) -> Booking:
    """A booking this actor may decide on, locked; AlreadyDecided when somebody did."""
    booking = await held(public_id, actor=actor, permission=Permission.BOOKING_APPROVE)
    if booking.state not in moves.PENDING:
        raise AlreadyDecided(data={"state": str(booking.state)})
    require_version(booking, version)
    return booking


async def held(public_id: str, *, actor: Actor, permission: Permission) -> Booking:
    """The booking, locked; NotFound when the actor has none of that id."""
    seen = await Booking.get_or_none(public_id=public_id)
    if seen is None:
        raise NotFound
    require(actor, permission, bureau_id=seen.bureau_id, centre_id=seen.centre_id)
    await locks.hold("booking", {seen.id})
    return await Booking.get(id=seen.id)


async def still(seen: Sequence[Booking], *, among: Iterable[BookingState]) -> list[Booking]:
    """Those that are in such a state even now that they are locked."""
    numbers = [each.id for each in seen]
    await locks.hold("booking", numbers)
    return await Booking.filter(id__in=numbers, state__in=list(among)).order_by("id")


def require_version(booking: Booking, version: int | None) -> None:
    """StaleVersion unless the booking is as it was seen; None says that nobody looked."""
    if version is not None and version != booking.version:
        raise StaleVersion(data={"version": booking.version})


async def create(meant: Meant, wish: Wish, *, created_by_id: int, now: datetime) -> Booking:
    """A draft with its people, equipment and broadcast; it holds nothing yet."""
    booking = await Booking.create(
        public_id=ids.public_id(),
        centre_id=meant.room.centre_id,
        room_id=meant.room.id,
        bureau_id=wish.bureau_id,
        kind=wish.kind,
        title=wish.title.strip(),
        start_at=wish.starts_at,
        end_at=wish.core.ends_at,
        setup_min=meant.frame.setup_min,
        turnover_min=meant.frame.turnover_min,
        state=BookingState.DRAFT,
        override_reason=wish.override.strip(),
        created_by_id=created_by_id,
        created_at=now,
    )
    await CrewAssignment.bulk_create(
        CrewAssignment(booking_id=booking.id, person_id=person_id, role=role)
        for person_id, role in meant.crew
    )
    await BookingEquipment.bulk_create(
        BookingEquipment(booking_id=booking.id, equipment_id=unit) for unit in meant.equipment
    )
    if wish.kind is BookingKind.LIVE and meant.streamer is not None:
        await births.broadcast(booking, room=meant.room, streamer=meant.streamer)
    return booking


async def submit(booking: Booking, *, room: Room, frame: Frame, now: datetime) -> None:
    """Take what the booking wants, and ask for approval; SlotTaken when somebody was faster."""
    booking.setup_min, booking.turnover_min = frame.setup_min, frame.turnover_min
    await take(booking, room=room, frame=frame, now=now)
    await ask(booking, room=room, now=now)


async def take(booking: Booking, *, room: Room, frame: Frame, now: datetime) -> None:
    """Claim what the booking wants; QuotaExceeded or SlotTaken when it cannot be had."""
    await quotas.require_room_for(booking, room=room)
    wants = await wanted(booking)
    time = core(booking)
    try:
        await claims.take(booking.id, wanted=wants)
    except claims.Overlap as error:
        raise slots.refusal(await slots.clash(wants, core=time, frame=frame, now=now), core=time) from error


async def ask(booking: Booking, *, room: Room, now: datetime) -> None:
    """A booking that holds its time waits for approval, if its room wants any."""
    booking.state = BookingState.SUBMITTED
    booking.hold_until = min(now + timedelta(hours=room.hold_ttl_h), booking.start_at)
    fact = BookingSubmitted(booking_id=booking.id, centre_id=booking.centre_id, bureau_id=booking.bureau_id)
    await outbox.record(fact, now=now)
    if room.approvals == 0:
        await make_firm(booking, now=now)
    else:
        await telling.ask_centre(booking, now=now)


async def wanted(booking: Booking) -> list[Wanted]:
    """Everything a booking claims, by what it was made with."""
    crew = await CrewAssignment.filter(booking_id=booking.id).exclude(state="declined")
    units = await BookingEquipment.filter(booking_id=booking.id)
    setup, turnover = timedelta(minutes=booking.setup_min), timedelta(minutes=booking.turnover_min)
    outer = (booking.start_at - setup, booking.end_at + turnover)
    return [
        Wanted("room", booking.room_id, *outer),
        *(Wanted("equipment", each.equipment_id, *outer) for each in units),
        *(
            Wanted("person", each, booking.start_at, booking.end_at)
            for each in {one.person_id for one in crew}
        ),
    ]


async def make_firm(booking: Booking, *, now: datetime) -> None:
    """Approved: its time is its own."""
    booking.state, booking.hold_until = BookingState.APPROVED, None
    born = await Broadcast.get_or_none(booking_id=booking.id)
    fact = BookingApproved(
        booking_id=booking.id,
        broadcast_id=born.id if born is not None else 0,
        centre_id=booking.centre_id,
        bureau_id=booking.bureau_id,
        at_ms=clock.to_ms(now),
    )
    await outbox.record(fact, now=now)


async def let_go(booking: Booking, *, into: BookingState, reason: str, now: datetime) -> None:
    """Give back what it holds, for whatever reason, and take its broadcast along."""
    states.require_move(moves.BOOKING, current=booking.state, target=into)
    await claims.release({booking.id})
    broadcast_id = await births.undo(booking.id)
    booking.state, booking.reason, booking.hold_until = into, reason.strip()[:REASON_LENGTH], None
    await changed(booking)
    fact = BookingReleased(
        booking_id=booking.id,
        broadcast_id=broadcast_id,
        centre_id=booking.centre_id,
        bureau_id=booking.bureau_id,
        state=str(into),
    )
    await outbox.record(fact, now=now)


async def changed(booking: Booking) -> None:
    """Store it as the next version."""
    booking.version += 1
    await booking.save()


def user_id(actor: Actor) -> int:
    """0 for tokens and jobs; the audit trail names them."""
    return actor.id if actor.kind == "user" else 0


def core(booking: Booking) -> Span:
    """The time itself, without buffers."""
    return Span(booking.start_at, booking.end_at)


def outer(booking: Booking) -> Span:
    """The time its room is taken for."""
    return Span(booking.start_at - timedelta(minutes=booking.setup_min), outer_end(booking))


def outer_end(booking: Booking) -> datetime:
    """When the room has been cleared."""
    return booking.end_at + timedelta(minutes=booking.turnover_min)


async def note(
    action: str, booking: Booking, *, actor: Actor, now: datetime, more: Mapping[str, str] | None = None
) -> None:
    """Write what was done into the audit trail, and ``more`` of it."""
    if not actor.centre_id:  # a job of ours, working for this centre
        actor = msgspec.structs.replace(actor, centre_id=booking.centre_id)
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("booking", booking.public_id),
        bureau_id=booking.bureau_id,
        detail={
            "state": str(booking.state),
            "version": booking.version,
            "reason": booking.reason,
            **({"override": booking.override_reason} if booking.override_reason else {}),
            **(more or {}),
        },
    )


async def note_about(action: str, entry: WaitlistEntry, *, actor: Actor, now: datetime) -> None:
    """The same for an entry of the waiting list."""
    await audit.write(
        action, actor=actor, now=now, about=("waitlist", entry.public_id), bureau_id=entry.bureau_id
    )
