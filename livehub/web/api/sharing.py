"""共用规则: a room's rules, equipment, closures, quotas, the waiting list."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.web.api.calls import as_utc
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Instant, Nothing, PublicId
from rooms import closures, registry
from rooms import equipment as units
from rooms import sharing_queries as queries
from rooms.conflicts import Hours
from rooms.errors import (
    AlreadyClosed,
    ClosureRefused,
    EquipmentRefused,
    OnAirNow,
    PreviewChanged,
    RoomBooked,
    RoomRefused,
    SerialTaken,
)
from rooms.models import BookingState
from rooms.sharing_models import Equipment

calls = Section("共用规则")

Minute = Annotated[int, Meta(ge=0, le=2880)]
Count = Annotated[int, Meta(ge=0, le=10**6)]
Mode = Literal["normal", "force"]


class OpenHours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一周中某一天的开放时间。"""

    weekday: Annotated[int, Meta(ge=0, le=6, description="0 是周一")]
    opens_minute: Annotated[Minute, Meta(description="当地零点后的分钟数")]
    closes_minute: Annotated[Minute, Meta(description="可超过 1440，即次日")]


class NewRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """直播间的使用规则；没写的保持不变，已有的排期不受影响。"""

    name: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    opens_minute: Minute | None = None
    closes_minute: Minute | None = None
    setup_min: Minute | None = None
    turnover_min: Minute | None = None
    min_duration_min: Minute | None = None
    max_duration_min: Minute | None = None
    approvals: Annotated[int, Meta(ge=0, le=2)] | None = None
    hold_ttl_h: Annotated[int, Meta(ge=1, le=1000)] | None = None
    min_lead_h: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    max_advance_d: Annotated[int, Meta(ge=1, le=1000)] | None = None
    weekly: Annotated[tuple[OpenHours, ...], Meta(max_length=28)] | None = None


class Rules(Struct, frozen=True, kw_only=True):
    """一间直播间的使用规则。"""

    room: str
    name: str
    theme: str
    status: str
    opens_minute: int
    closes_minute: int
    setup_min: int
    turnover_min: int
    min_duration_min: int
    max_duration_min: int
    approvals: int
    hold_ttl_h: int
    min_lead_h: int
    max_advance_d: int
    weekly: list[OpenHours]


class NewUnit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """要登记的一件设备。"""

    kind: Annotated[str, Meta(min_length=1, max_length=20)]
    name: Annotated[str, Meta(min_length=1, max_length=40)]
    serial: Annotated[str, Meta(min_length=1, max_length=40)]


class Unit(Struct, frozen=True, kw_only=True):
    """一件设备。"""

    id: str
    kind: str
    name: str
    serial: str
    active: bool


class NewClosure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """要封场的直播间和时间。"""

    rooms: Annotated[tuple[PublicId, ...], Meta(min_length=1, max_length=50)]
    starts_at: Instant
    ends_at: Instant
    reason: Annotated[str, Meta(min_length=1, max_length=200)]
    mode: Annotated[
        str, Meta(pattern="^(normal|force)$", description="normal 遇排期则拒绝，force 让排期让位")
    ] = "normal"
    expected: Annotated[int, Meta(ge=0, le=10**6, description="预览时受影响的条数；有变化则拒绝")] | None = (
        None
    )


class Trial(Struct, frozen=True, kw_only=True):
    """是否只预览。"""

    dry_run: Annotated[bool, Meta(description="只看会影响谁，不封场")] = False


class Met(Struct, frozen=True, kw_only=True):
    """受影响的一条排期。"""

    booking: str
    title: str
    room_name: str
    bureau_name: str
    starts_at: Instant
    ends_at: Instant
    state: BookingState
    becomes: Annotated[BookingState, Meta(description="封场后成为")]


class Closed(Struct, frozen=True, kw_only=True):
    """封场和它影响的排期。"""

    id: Annotated[str, Meta(description="只是预览时为空")]
    affected: list[Met]
    total: Annotated[int, Meta(description="受影响的条数")]


class ClosureView(Struct, frozen=True, kw_only=True):
    """一次封场。"""

    id: str
    rooms: list[str]
    starts_at: Instant
    ends_at: Instant
    reason: str
    mode: str
    made_at: Instant
    lifted_at: Instant | None


# ----- rooms and equipment


@calls.get(
    "/rooms/rules",
    summary="各直播间的使用规则",
    needs=(Permission.ROOM_READ,),
    query=Nothing,
    answer=All[Rules],
)
async def rules(asked: Asked[Nothing, None]) -> All[Rules]:
    """The rules of all rooms."""
    return All(items=[_rules(each) for each in await queries.room_rules(asked.actor.centre_id)])


@calls.post(
    "/rooms/{room_id}/rules",
    summary="修改直播间的使用规则",
    needs=(Permission.ROOM_MANAGE,),
    body=NewRules,
    answer=Rules,
    refusals=(RoomRefused,),
)
async def change_rules(asked: Asked[None, NewRules], room_id: str) -> Rules:
    """From now on; bookings that stand are left alone."""
    body = asked.body
    weekly = None
    if body.weekly is not None:
        weekly = tuple(Hours(each.weekday, each.opens_minute, each.closes_minute) for each in body.weekly)
    given = {name: getattr(body, name) for name in body.__struct_fields__ if name != "weekly"}
    changes = registry.Changes(**given, weekly=weekly)
    await database.unit(lambda: registry.change(room_id, changes, actor=asked.actor, now=asked.now))
    found = await queries.room_rules(asked.actor.centre_id)
    return next(_rules(each) for each in found if each.room.public_id == room_id)


@calls.get("/equipment", summary="设备", needs=(Permission.ROOM_READ,), query=Nothing, answer=All[Unit])
async def equipment(asked: Asked[Nothing, None]) -> All[Unit]:
    """The units of the centre."""
    found = await queries.equipment(asked.actor.centre_id)
    return All(items=[_unit(each) for each in found])


@calls.post(
    "/equipment",
    summary="登记设备",
    needs=(Permission.ROOM_MANAGE,),
    body=NewUnit,
    answer=Unit,
    status=201,
    refusals=(EquipmentRefused, SerialTaken),
)
async def register(asked: Asked[None, NewUnit]) -> Unit:
    """One more unit."""
    body = asked.body
    unit = units.Unit(kind=body.kind, name=body.name, serial=body.serial)
    made = await database.unit(
        lambda: units.register(unit, centre_id=asked.actor.centre_id, actor=asked.actor, now=asked.now)
    )
    return _unit(made)


# ----- closures


@calls.get("/closures", summary="封场", needs=(Permission.ROOM_READ,), query=Nothing, answer=All[ClosureView])
async def closed(asked: Asked[Nothing, None]) -> All[ClosureView]:
    """Those to come, and those of the last thirty days."""
    found = await queries.closures(asked.actor.centre_id, now=asked.now)
    return All(items=[_closure(each) for each in found])


@calls.post(
    "/closures",
    summary="封场；dry_run=1 只预览会影响谁",
    needs=(Permission.ROOM_MANAGE,),
    query=Trial,
    body=NewClosure,
    answer=Closed,
    status=201,
    refusals=(ClosureRefused, RoomBooked, AlreadyClosed, OnAirNow, PreviewChanged),
)
async def close(asked: Asked[Trial, NewClosure]) -> Closed:
    """Close the rooms, or say whom that would meet."""
    body = asked.body
    plan = closures.Plan(
        rooms=body.rooms,
        starts_at=as_utc(body.starts_at),
        ends_at=as_utc(body.ends_at),
        reason=body.reason,
        force=body.mode == "force",
    )
    if asked.query.dry_run:
        hits = await database.unit(lambda: closures.preview(plan, actor=asked.actor, now=asked.now))
        return Closed(id="", affected=[_met(each) for each in hits], total=len(hits))
    made, hits = await database.unit(
        lambda: closures.close(plan, expected=body.expected, actor=asked.actor, now=asked.now)
    )
    return Closed(id=made.public_id, affected=[_met(each) for each in hits], total=len(hits))


@calls.post(
    "/closures/{closure_id}/lift",
    summary="提前解除封场",
    needs=(Permission.ROOM_MANAGE,),
    body=Nothing,
    answer=All[ClosureView],
)
async def lift(asked: Asked[None, Nothing], closure_id: str) -> All[ClosureView]:
    """Open the rooms again."""
    await database.unit(lambda: closures.lift(closure_id, actor=asked.actor, now=asked.now))
    return await closed(Asked(actor=asked.actor, now=asked.now, query=Nothing(), body=None))


def _rules(each: queries.RoomRules) -> Rules:
    own = {"room", "theme", "weekly"}
    values = {name: getattr(each.room, name) for name in Rules.__struct_fields__ if name not in own}
    weekly = [
        OpenHours(weekday=one.weekday, opens_minute=one.opens_minute, closes_minute=one.closes_minute)
        for one in each.weekly
    ]
    return Rules(room=each.room.public_id, theme=str(each.room.theme), weekly=weekly, **values)


def _unit(each: Equipment) -> Unit:
    return Unit(id=each.public_id, kind=each.kind, name=each.name, serial=each.serial, active=each.active)


def _closure(each: queries.ClosureRow) -> ClosureView:
    return ClosureView(**{name: getattr(each, name) for name in ClosureView.__struct_fields__})


def _met(hit: closures.Hit) -> Met:
    return Met(
        booking=hit.public_id,
        title=hit.title,
        room_name=hit.room,
        bureau_name=hit.bureau,
        starts_at=hit.starts_at,
        ends_at=hit.ends_at,
        state=hit.state,
        becomes=hit.becomes,
    )
