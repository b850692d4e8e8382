"""排期: rooms, what takes them, asking for a time, deciding on it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit.states import WrongState
from livehub.web.api import named
from livehub.web.api.calls import as_utc
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Instant, Nothing, PublicId
from rooms import booking, queries
from rooms.conflicts import Span, Taken
from rooms.errors import (
    AlreadyDecided,
    OutsideRules,
    PersonNeeded,
    QuotaExceeded,
    ReasonMissing,
    RoomNotActive,
    SlotTaken,
)
from rooms.models import BookingKind, BookingState
from rooms.queries import BookingRow, RoomView
from rooms.wishes import Crew, Wish

calls = Section("排期")


class Room(Struct, frozen=True, kw_only=True):
    """直播间及其使用规则。"""

    id: str
    code: str
    name: str
    theme: str
    status: str
    opens_minute: Annotated[int, Meta(description="开放时间：当地零点后的分钟数")]
    closes_minute: Annotated[int, Meta(description="可超过 1440，即次日")]
    setup_min: Annotated[int, Meta(description="自动预留的准备分钟数")]
    turnover_min: Annotated[int, Meta(description="自动预留的收场分钟数")]
    min_duration_min: int
    max_duration_min: int
    approvals: Annotated[int, Meta(description="需要几个人批准")]


class Person(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """主播以外的参与人员。"""

    person: PublicId
    role: Annotated[str, Meta(max_length=12, description="岗位，如 console")]


class NewBooking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """申请的时段。"""

    room: PublicId
    title: Annotated[str, Meta(min_length=1, max_length=60)]
    starts_at: Instant
    minutes: Annotated[int, Meta(ge=1, le=1440, description="时长，分钟")]
    kind: BookingKind = BookingKind.LIVE
    streamer: Annotated[str, Meta(max_length=16, description="主播公开编号，直播必填")] = ""
    bureau: Annotated[str, Meta(max_length=16, description="部门公开编号；只属于一个部门时可省略")] = ""
    crew: Annotated[tuple[Person, ...], Meta(max_length=20)] = ()
    equipment: Annotated[tuple[PublicId, ...], Meta(max_length=20, description="设备公开编号")] = ()
    override: Annotated[str, Meta(max_length=200, description="中心不受开放时间、提前量限制的理由")] = ""


class Conflict(Struct, frozen=True, kw_only=True):
    """挡在前面的占用。"""

    kind: Annotated[str, Meta(description="room、person 或 equipment")]
    bureau_name: str
    starts_at: Instant
    ends_at: Instant
    closed: Annotated[str, Meta(description="封场的原因；不是封场时为空")] = ""


class FreeTime(Struct, frozen=True, kw_only=True):
    """空着的时段。"""

    starts_at: Instant
    ends_at: Instant


class Checked(Struct, frozen=True, kw_only=True):
    """此刻能不能申请；不占用时段。"""

    is_free: bool
    conflicts: list[Conflict]
    suggestions: list[FreeTime]


class Booking(Struct, frozen=True, kw_only=True):
    """一条排期。"""

    id: str
    title: str
    kind: BookingKind
    room: str
    room_name: str
    theme: str
    bureau: str
    bureau_name: str
    streamer_name: str
    starts_at: Instant
    ends_at: Instant
    state: BookingState
    version: Annotated[int, Meta(description="修改时放入 If-Match")]
    asked_at: Instant
    hold_until: Instant | None
    reason: str
    broadcast: Annotated[str, Meta(description="场次公开编号，不是直播时为空")]


class Rejection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """驳回的理由。"""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class Withdrawal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """取消的理由。"""

    reason: Annotated[str, Meta(max_length=200)] = ""


@calls.get("/rooms", summary="直播间", needs=(Permission.ROOM_READ,), query=Nothing, answer=All[Room])
async def rooms(asked: Asked[Nothing, None]) -> All[Room]:
    """The rooms of the centre."""
    return All(items=[as_room(each) for each in await queries.rooms_of(asked.actor.centre_id)])


@calls.post(
    "/bookings/check",
    summary="查看时段能否申请",
    needs=(Permission.BOOKING_REQUEST,),
    body=NewBooking,
    answer=Checked,
    refusals=(RoomNotActive, OutsideRules),
)
async def check(asked: Asked[None, NewBooking]) -> Checked:
    """What would stand in the way, and what is free instead."""
    wish = await as_wish(asked.body, actor=asked.actor)
    found = await booking.check(wish, actor=asked.actor, now=asked.now)
    return Checked(
        is_free=not found.conflicts,
        conflicts=[_conflict(each) for each in found.conflicts],
        suggestions=[_free(each) for each in found.suggestions],
    )


@calls.post(
    "/bookings",
    summary="申请排期；冲突时 data 里有 conflicts 和 suggestions",
    needs=(Permission.BOOKING_REQUEST,),
    body=NewBooking,
    answer=Booking,
    status=201,
    refusals=(SlotTaken, RoomNotActive, OutsideRules, QuotaExceeded),
)
async def request(asked: Asked[None, NewBooking]) -> Booking:
    """Take the time, or say who has it."""
    wish = await as_wish(asked.body, actor=asked.actor)
    made = await database.unit(lambda: booking.request(wish, actor=asked.actor, now=asked.now))
    return await booking_of(made.public_id, actor=asked.actor)


@calls.get(
    "/bookings/{booking_id}",
    summary="一条排期",
    needs=(Permission.BOOKING_READ,),
    query=Nothing,
    answer=Booking,
)
async def one(asked: Asked[Nothing, None], booking_id: str) -> Booking:
    """A booking the caller may see."""
    return await booking_of(booking_id, actor=asked.actor)


@calls.post(
    "/bookings/{booking_id}/approve",
    summary="批准排期",
    needs=(Permission.BOOKING_APPROVE,),
    body=Nothing,
    answer=Booking,
    refusals=(AlreadyDecided, PersonNeeded),
    versioned=True,
)
async def approve(asked: Asked[None, Nothing], booking_id: str) -> Booking:
    """Make it firm, or give it the first of two approvals."""
    await database.unit(
        lambda: booking.approve(booking_id, version=asked.version, actor=asked.actor, now=asked.now)
    )
    return await booking_of(booking_id, actor=asked.actor)


@calls.post(
    "/bookings/{booking_id}/reject",
    summary="驳回排期",
    needs=(Permission.BOOKING_APPROVE,),
    body=Rejection,
    answer=Booking,
    refusals=(AlreadyDecided, ReasonMissing),
    versioned=True,
)
async def reject(asked: Asked[None, Rejection], booking_id: str) -> Booking:
    """Refuse it with a reason."""
    await database.unit(
        lambda: booking.reject(
            booking_id, reason=asked.body.reason, version=asked.version, actor=asked.actor, now=asked.now
        )
    )
    return await booking_of(booking_id, actor=asked.actor)


@calls.post(
    "/bookings/{booking_id}/cancel",
    summary="取消排期，时段让给别人",
    needs=(Permission.BOOKING_REQUEST,),
    body=Withdrawal,
    answer=Booking,
    refusals=(WrongState,),
    versioned=True,
)
async def cancel(asked: Asked[None, Withdrawal], booking_id: str) -> Booking:
    """Give the time back."""
    await database.unit(
        lambda: booking.cancel(
            booking_id, reason=asked.body.reason, version=asked.version, actor=asked.actor, now=asked.now
        )
    )
    return await booking_of(booking_id, actor=asked.actor)


async def as_wish(body: NewBooking, *, actor: Actor) -> Wish:
    """What is asked for, with the bureau it is for."""
    return Wish(
        room=body.room,
        bureau_id=await named.bureau_id(body.bureau, actor=actor, permission=Permission.BOOKING_REQUEST),
        title=body.title,
        starts_at=as_utc(body.starts_at),
        minutes=body.minutes,
        kind=body.kind,
        streamer=body.streamer,
        crew=tuple(Crew(each.person, each.role) for each in body.crew),
        equipment=body.equipment,
        override=body.override,
    )


async def booking_of(public_id: str, *, actor: Actor) -> Booking:
    """A booking as it is answered."""
    row = await queries.booking(public_id, actor=actor)
    return as_answered(row, bureaus=await named.bureaus(actor.centre_id))


def as_answered(row: BookingRow, *, bureaus: dict[int, str]) -> Booking:
    """A booking with public names only."""
    return Booking(
        id=row.id,
        title=row.title,
        kind=BookingKind(row.kind),
        room=row.room_id,
        room_name=row.room,
        theme=row.theme,
        bureau=bureaus[row.bureau_id],
        bureau_name=row.bureau,
        streamer_name=row.streamer,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        state=BookingState(row.state),
        version=row.version,
        asked_at=row.asked_at,
        hold_until=row.hold_until,
        reason=row.reason,
        broadcast=row.broadcast_id,
    )


def as_room(view: RoomView) -> Room:
    """A room with public names only."""
    values = {name: getattr(view, name) for name in Room.__struct_fields__ if name != "id"}
    return Room(id=view.public_id, **values)


def _conflict(taken: Taken) -> Conflict:
    return Conflict(
        kind=taken.kind,
        bureau_name=taken.bureau,
        starts_at=taken.starts_at,
        ends_at=taken.ends_at,
        closed=taken.closed,
    )


def _free(span: Span) -> FreeTime:
    return FreeTime(starts_at=span.starts_at, ends_at=span.ends_at)
