"""A bureau's week as its page shows it: the days, the rooms' lanes on one of them, the bookings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct

from livehub.kit import clock
from livehub.web import lanes
from livehub.web.lanes import Lane, Slot
from rooms import moves
from rooms.models import BookingState
from rooms.queries import BookingRow, Occupancy, RoomView
from rooms.sharing_queries import ClosedRoom

HOUR_STEP = 2
_TONES = {"submitted": "wait", "first_approved": "wait", "offered": "wait", "completed": "done"}


class Day(Struct, frozen=True):
    """One day of the week."""

    iso: str
    at: date
    is_chosen: bool
    mine: int  # bookings of ours that hold their time


class Row(Struct, frozen=True, kw_only=True):
    """One booking of the list."""

    id: str
    title: str
    kind: str
    room: str
    streamer: str
    starts_at: datetime
    ends_at: datetime
    state: str
    refusal: str
    version: int
    broadcast: str  # public id, empty when it is no live one
    may_cancel: bool


class Hours(Struct, frozen=True, kw_only=True):
    """The window of the lanes: a local day from the first opening to the last closing."""

    from_at: datetime
    until_at: datetime

    @property
    def labels(self) -> list[str]:
        """The hours along the top, evenly spaced."""
        count = int((self.until_at - self.from_at) / timedelta(hours=HOUR_STEP))
        return [
            f"{clock.local(self.from_at + timedelta(hours=HOUR_STEP * each)):%H}" for each in range(count)
        ]


def monday(day: date) -> date:
    """The first day of the week."""
    return day - timedelta(days=day.weekday())


def days(start: date, *, chosen: date, bookings: Sequence[BookingRow]) -> list[Day]:
    """The seven days, each with how many bookings of ours begin on it."""
    holding = [clock.local_day(each.starts_at) for each in bookings if _holds(each)]
    week = [start + timedelta(days=each) for each in range(7)]
    return [Day(day.isoformat(), day, day == chosen, holding.count(day)) for day in week]


def hours(day: date, rooms: Sequence[RoomView]) -> Hours:
    """When any of the rooms is open on a day, in whole steps."""
    step = HOUR_STEP * 60
    opens = min((room.opens_minute for room in rooms), default=480) // step * step
    closes = -(-max((room.closes_minute for room in rooms), default=1560) // step) * step
    midnight = clock.at_local(day)
    return Hours(from_at=midnight + timedelta(minutes=opens), until_at=midnight + timedelta(minutes=closes))


def board(
    rooms: Sequence[RoomView],
    taken: Sequence[Occupancy],
    *,
    closed: Sequence[ClosedRoom] = (),
    window: Hours,
    now: datetime,
) -> list[Lane]:
    """A lane for each room: ours with their titles, others' by the bureau's name only."""
    return [
        lanes.lane(
            room.name.removesuffix("直播间") or room.name,
            [_slot(each, now=now) for each in taken if each.room_id == room.id]
            + [_shut(each) for each in closed if each.room_id == room.id],
            from_at=window.from_at,
            until_at=window.until_at,
            note="" if room.status == "active" else "暂停使用",
        )
        for room in rooms
    ]


def row(each: BookingRow, *, now: datetime) -> Row:
    """A booking of the list, and whether its time can still be given back: not once it has begun."""
    cancellable = BookingState.CANCELLED in moves.BOOKING.get(BookingState(each.state), frozenset())
    return Row(
        id=each.id,
        title=each.title,
        kind=each.kind,
        room=each.room,
        streamer=each.streamer,
        starts_at=each.starts_at,
        ends_at=each.ends_at,
        state=each.state,
        refusal=each.reason,
        version=each.version,
        broadcast=each.broadcast_id,
        may_cancel=cancellable and now < each.starts_at,
    )


def _holds(each: BookingRow) -> bool:
    return BookingState(each.state) in moves.HOLDING or each.state == BookingState.COMPLETED


def _shut(each: ClosedRoom) -> Slot:
    """A closure takes its time exactly."""
    return Slot(title="封场", note=each.reason, starts_at=each.starts_at, ends_at=each.ends_at, tone="other")


def _slot(each: Occupancy, *, now: datetime) -> Slot:
    """Drawn with its buffers, since these are taken too; the note says the time of the show itself."""
    on_air = each.state == BookingState.CHECKED_IN and each.core_starts_at <= now < each.core_ends_at
    own = "live" if on_air else _TONES.get(each.state, "")
    span = f"{clock.local(each.core_starts_at):%H:%M}–{clock.local(each.core_ends_at):%H:%M}"
    return Slot(
        title=each.title if each.mine else each.bureau,
        note=f"{span} {each.streamer}".strip() if each.mine else span,
        starts_at=each.starts_at,
        ends_at=each.ends_at,
        tone=own if each.mine else "other",
    )
