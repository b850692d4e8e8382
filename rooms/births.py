"""A live booking is born with its broadcast, and takes it along when it ends early."""

from __future__ import annotations

from livehub.kit import clock, ids
from rooms.models import Booking, Broadcast, BroadcastAccount, BroadcastState, Room
from streamers.models import Streamer, StreamerAccount


async def broadcast(booking: Booking, *, room: Room, streamer: Streamer) -> Broadcast:
    """The planned broadcast of a booking, on every account its streamer has."""
    born = await Broadcast.create(
        public_id=ids.public_id(),
        centre_id=booking.centre_id,
        booking_id=booking.id,
        room_id=room.id,
        bureau_id=booking.bureau_id,
        streamer_id=streamer.id,
        title=booking.title,
        state=BroadcastState.PLANNED,
        business_day=clock.business_day(booking.start_at, boundary_hour=room.boundary_hour),
        planned_start_at=booking.start_at,
        planned_end_at=booking.end_at,
    )
    accounts = await StreamerAccount.filter(streamer_id=streamer.id).order_by("platform", "account_ref")
    await BroadcastAccount.bulk_create(
        BroadcastAccount(broadcast_id=born.id, platform=each.platform, account_ref=each.account_ref)
        for each in accounts
    )
    return born


async def undo(booking_id: int) -> int:
    """Abort the broadcast if it never went on air; returns its id, 0 when the booking has none."""
    born = await Broadcast.get_or_none(booking_id=booking_id)
    if born is None:
        return 0
    if born.state in (BroadcastState.PLANNED, BroadcastState.CHECKED):
        await Broadcast.filter(id=born.id).update(state=BroadcastState.ABORTED)
    return int(born.id)
