"""排期: who takes which room in a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct, field

from livehub.accounts.permissions import Permission
from livehub.kit.errors import Detail, Invalid
from livehub.web.api.bookings import Room, as_room
from livehub.web.api.calls import as_utc
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Instant
from rooms import queries
from rooms import sharing_queries as sharing
from rooms.models import BookingKind, BookingState
from rooms.queries import Occupancy

LONGEST_TIMELINE = timedelta(days=62)

calls = Section("排期")


class Window(Struct, frozen=True, kw_only=True):
    """查询的时间范围。"""

    since: Annotated[Instant, Meta(description="起（含）")] = field(name="from")
    until: Annotated[Instant, Meta(description="止（不含），最多 62 天")] = field(name="to")


class Taking(Struct, frozen=True, kw_only=True):
    """一段占用。别的部门的占用只有部门、类型和时间，其余为空。"""

    room: Annotated[str, Meta(description="直播间公开编号")]
    starts_at: Annotated[Instant, Meta(description="含准备时间")]
    ends_at: Annotated[Instant, Meta(description="含收场时间")]
    core_starts_at: Instant
    core_ends_at: Instant
    bureau_name: str
    kind: BookingKind
    state: BookingState
    mine: bool
    booking: str
    broadcast: str
    title: str
    streamer_name: str


class ClosedRoom(Struct, frozen=True, kw_only=True):
    """一间封场的直播间。"""

    room: Annotated[str, Meta(description="直播间公开编号")]
    starts_at: Instant
    ends_at: Instant
    reason: str


class Timeline(Struct, frozen=True, kw_only=True):
    """直播间和它们的占用。"""

    rooms: list[Room]
    taken: list[Taking]
    closed: Annotated[list[ClosedRoom], Meta(description="封场，和排期一样占用直播间")]


@calls.get(
    "/timeline",
    summary="一段时间里谁占用了哪间",
    needs=(Permission.BOOKING_READ,),
    query=Window,
    answer=Timeline,
)
async def timeline(asked: Asked[Window, None]) -> Timeline:
    """Rooms and what takes them; others' bookings by bureau only."""
    since, until = as_utc(asked.query.since), as_utc(asked.query.until)
    if not timedelta(0) < until - since <= LONGEST_TIMELINE:
        raise Invalid(details=[Detail("to", "时间范围不对", "晚于 from，最多 62 天")])
    centre_id = asked.actor.centre_id
    views = await queries.rooms_of(centre_id)
    public = {view.id: view.public_id for view in views}
    taken = await queries.timeline(centre_id, since=since, until=until, actor=asked.actor)
    closed = await sharing.closed_rooms(centre_id, since=since, until=until)
    return Timeline(
        rooms=[as_room(view) for view in views],
        closed=[
            ClosedRoom(
                room=public[each.room_id],
                starts_at=each.starts_at,
                ends_at=each.ends_at,
                reason=each.reason,
            )
            for each in closed
            if each.room_id in public
        ],
        taken=[_taking(each, room=public[each.room_id]) for each in taken if each.room_id in public],
    )


def _taking(each: Occupancy, *, room: str) -> Taking:
    return Taking(
        room=room,
        starts_at=each.starts_at,
        ends_at=each.ends_at,
        core_starts_at=each.core_starts_at,
        core_ends_at=each.core_ends_at,
        bureau_name=each.bureau,
        kind=BookingKind(each.kind),
        state=BookingState(each.state),
        mine=each.mine,
        booking=each.booking,
        broadcast=each.broadcast,
        title=each.title,
        streamer_name=each.streamer,
    )
