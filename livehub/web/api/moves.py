"""排期: moving, swapping, approving several, who came, and handing the room over."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.kit.errors import LivehubError, StaleVersion
from livehub.kit.states import WrongState
from livehub.web.api.bookings import Booking, booking_of
from livehub.web.api.calls import as_utc
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Instant, Nothing, PublicId
from rooms import attendance, booking, moving
from rooms.attendance import HandingOver
from rooms.errors import (
    AlreadyHandedOver,
    HandoverRefused,
    NotTimeYet,
    OnAirNow,
    OutsideRules,
    QuotaExceeded,
    RoomNotActive,
    SlotTaken,
)
from rooms.models import BookingState
from rooms.moving import Target

calls = Section("排期")

Name = Annotated[str, Meta(min_length=1, max_length=40)]


class Elsewhere(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """排期的新位置；没写的保持不变。"""

    room: Annotated[str, Meta(max_length=16, description="直播间公开编号")] = ""
    starts_at: Instant | None = None
    minutes: Annotated[int, Meta(ge=1, le=1440)] | None = None
    override: Annotated[str, Meta(max_length=200, description="不受开放时间、提前量限制的理由")] = ""


class Seen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一条排期，和读到的版本。"""

    booking: PublicId
    version: Annotated[int, Meta(ge=1, le=10**9)]


class Pair(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """要对调的两条排期：互换直播间和开始时间，时长各自不变。"""

    one: Seen
    other: Seen


class Several(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """要批准的排期。"""

    bookings: Annotated[tuple[Seen, ...], Meta(min_length=1, max_length=50)]


class Decided(Struct, frozen=True, kw_only=True):
    """其中一条的结果。"""

    booking: str
    state: Annotated[BookingState | None, Meta(description="没有批准时为空")]
    code: Annotated[str, Meta(description="没有批准的原因代码，批准时为空")]
    message: str


class Handed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """交接单。"""

    out_by: Annotated[Name, Meta(description="离场人")]
    in_by: Annotated[Name, Meta(description="接收人")]
    missing: Annotated[tuple[str, ...], Meta(max_length=6, description="不正常的检查项")] = ()
    note: Annotated[str, Meta(max_length=200)] = ""


class HandedOver(Struct, frozen=True, kw_only=True):
    """登记好的交接。"""

    booking: str
    missing: list[str]
    note: str
    out_by: str
    in_by: str
    noted_at: Instant


@calls.post(
    "/bookings/{booking_id}/move",
    summary="调整排期的时间或直播间",
    needs=(Permission.BOOKING_APPROVE,),
    body=Elsewhere,
    answer=Booking,
    refusals=(SlotTaken, OutsideRules, RoomNotActive, QuotaExceeded, WrongState),
    versioned=True,
)
async def move(asked: Asked[None, Elsewhere], booking_id: str) -> Booking:
    """Put it elsewhere."""
    body = asked.body
    target = Target(
        room=body.room,
        starts_at=as_utc(body.starts_at) if body.starts_at else None,
        minutes=body.minutes,
        override=body.override,
    )
    await database.unit(
        lambda: moving.move(booking_id, target, version=asked.version, actor=asked.actor, now=asked.now)
    )
    return await booking_of(booking_id, actor=asked.actor)


@calls.post(
    "/bookings/swap",
    summary="对调两条排期",
    needs=(Permission.BOOKING_APPROVE,),
    body=Pair,
    answer=All[Booking],
    refusals=(SlotTaken, OutsideRules, RoomNotActive, QuotaExceeded, WrongState, StaleVersion),
)
async def swap(asked: Asked[None, Pair]) -> All[Booking]:
    """Both in each other's place, or neither."""
    one, other = asked.body.one, asked.body.other
    await database.unit(
        lambda: moving.swap(
            (one.booking, one.version), (other.booking, other.version), actor=asked.actor, now=asked.now
        )
    )
    return All(items=[await booking_of(each.booking, actor=asked.actor) for each in (one, other)])


@calls.post(
    "/bookings/batch-approve",
    summary="批准多条排期；每条各自成败",
    needs=(Permission.BOOKING_APPROVE,),
    body=Several,
    answer=All[Decided],
)
async def approve_several(asked: Asked[None, Several]) -> All[Decided]:
    """Each is decided on its own."""
    answers: list[Decided] = []
    for each in asked.body.bookings:
        try:
            approved = await database.unit(
                lambda each=each: booking.approve(  # type: ignore[misc]  # the loop's own
                    each.booking, version=each.version, actor=asked.actor, now=asked.now
                )
            )
        except LivehubError as error:
            answers.append(Decided(booking=each.booking, state=None, code=error.code, message=error.message))
        else:
            answers.append(Decided(booking=each.booking, state=approved.state, code="", message=""))
    return All(items=answers)


@calls.post(
    "/bookings/{booking_id}/checkin",
    summary="签到，从准备时间开始",
    needs=(Permission.BOOKING_REQUEST,),
    body=Nothing,
    answer=Booking,
    refusals=(NotTimeYet, WrongState),
    versioned=True,
)
async def check_in(asked: Asked[None, Nothing], booking_id: str) -> Booking:
    """The crew is there."""
    await database.unit(
        lambda: attendance.check_in(booking_id, version=asked.version, actor=asked.actor, now=asked.now)
    )
    return await booking_of(booking_id, actor=asked.actor)


@calls.post(
    "/bookings/{booking_id}/complete",
    summary="离场，余下的时间让出来",
    needs=(Permission.BOOKING_REQUEST,),
    body=Nothing,
    answer=Booking,
    refusals=(OnAirNow, WrongState),
    versioned=True,
)
async def complete(asked: Asked[None, Nothing], booking_id: str) -> Booking:
    """The crew has left."""
    await database.unit(
        lambda: attendance.complete(booking_id, version=asked.version, actor=asked.actor, now=asked.now)
    )
    return await booking_of(booking_id, actor=asked.actor)


@calls.post(
    "/bookings/{booking_id}/no-show",
    summary="登记未到场，余下的时间让出来",
    needs=(Permission.BOOKING_APPROVE,),
    body=Nothing,
    answer=Booking,
    refusals=(NotTimeYet, WrongState),
    versioned=True,
)
async def miss(asked: Asked[None, Nothing], booking_id: str) -> Booking:
    """Nobody came."""
    await database.unit(
        lambda: attendance.miss(booking_id, version=asked.version, actor=asked.actor, now=asked.now)
    )
    return await booking_of(booking_id, actor=asked.actor)


@calls.post(
    "/bookings/{booking_id}/handover",
    summary="登记交接",
    needs=(Permission.BOOKING_REQUEST,),
    body=Handed,
    answer=HandedOver,
    status=201,
    refusals=(HandoverRefused, AlreadyHandedOver, WrongState),
)
async def hand_over(asked: Asked[None, Handed], booking_id: str) -> HandedOver:
    """In what order the room was left."""
    body = asked.body
    given = HandingOver(missing=body.missing, note=body.note, out_by=body.out_by, in_by=body.in_by)
    noted = await database.unit(
        lambda: attendance.hand_over(booking_id, given, actor=asked.actor, now=asked.now)
    )
    return HandedOver(
        booking=booking_id,
        missing=noted.missing.split(),
        note=noted.note,
        out_by=noted.out_by,
        in_by=noted.in_by,
        noted_at=noted.noted_at,
    )
