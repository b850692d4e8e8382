"""Opening rooms and taking them out of use."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import ids
from livehub.kit.errors import Detail, NotFound
from rooms.conflicts import Hours
from rooms.errors import RoomCodeTaken, RoomRefused
from rooms.models import Room, Theme
from rooms.sharing_models import OpenRule

STATUSES = ("active", "maintenance", "retired")


class Plan(Struct, frozen=True, kw_only=True):
    """What a room is and asks of its bookings."""

    code: str
    name: str
    theme: Theme
    kind: str = "studio"  # studio | field
    boundary_hour: int = 6
    opens_minute: int = 480
    closes_minute: int = 1560
    setup_min: int = 30
    turnover_min: int = 30
    min_duration_min: int = 30
    max_duration_min: int = 360
    approvals: int = 1
    commerce_allowed: bool = True
    hold_ttl_h: int = 48
    min_lead_h: int = 0
    max_advance_d: int = 180


@database.atomic
async def open_room(plan: Plan, *, centre_id: int, actor: Actor, now: datetime) -> Room:
    """Add a room to a centre; RoomCodeTaken when its code is in use there."""
    require(actor, Permission.ROOM_MANAGE, centre_id=centre_id)
    _require_sound(plan)
    room = Room(public_id=ids.public_id(), centre_id=centre_id, **_columns(plan))
    try:
        async with database.transaction():
            await room.save()
    except IntegrityError as error:
        raise RoomCodeTaken from error
    await audit.write("room.opened", actor=actor, now=now, about=("room", room.public_id))
    return room


@database.atomic
async def set_status(public_id: str, *, status: str, actor: Actor, now: datetime) -> Room:
    """Take a room out of use, or back into it; bookings that stand are left alone."""
    room = await Room.get_or_none(public_id=public_id)
    if room is None:
        raise NotFound
    require(actor, Permission.ROOM_MANAGE, centre_id=room.centre_id)
    if status not in STATUSES:
        raise RoomRefused(details=[Detail("status", "没有这种状态", "、".join(STATUSES))])
    room.status = status
    await room.save(update_fields=["status"])
    await audit.write(
        "room.status", actor=actor, now=now, about=("room", room.public_id), detail={"status": status}
    )
    return room


class Changes(Struct, frozen=True, kw_only=True):
    """What a room asks of its bookings from now on; None leaves as it is, bookings that stand are left alone.

    ``weekly`` replaces the hours of the whole week; empty goes back to the same hours every day.
    """

    name: str | None = None
    opens_minute: int | None = None
    closes_minute: int | None = None
    setup_min: int | None = None
    turnover_min: int | None = None
    min_duration_min: int | None = None
    max_duration_min: int | None = None
    approvals: int | None = None
    hold_ttl_h: int | None = None
    min_lead_h: int | None = None
    max_advance_d: int | None = None
    weekly: tuple[Hours, ...] | None = None


@database.atomic
async def change(public_id: str, changes: Changes, *, actor: Actor, now: datetime) -> Room:
    """Change a room's rules; RoomRefused names each that is wrong."""
    room = await Room.get_or_none(public_id=public_id)
    if room is None:
        raise NotFound
    require(actor, Permission.ROOM_MANAGE, centre_id=room.centre_id)
    given = {
        name: value
        for name in changes.__struct_fields__
        if name != "weekly" and (value := getattr(changes, name)) is not None
    }
    room.update_from_dict(given)
    _require_sound(Plan(**{name: getattr(room, name) for name in Plan.__struct_fields__}))
    await room.save()
    if changes.weekly is not None:
        _require_sound_week(changes.weekly)
        await OpenRule.filter(room_id=room.id).delete()
        await OpenRule.bulk_create(
            OpenRule(
                room_id=room.id,
                weekday=each.weekday,
                opens_minute=each.opens_minute,
                closes_minute=each.closes_minute,
            )
            for each in sorted(changes.weekly)
        )
        given["weekly"] = [[each.weekday, each.opens_minute, each.closes_minute] for each in changes.weekly]
    await audit.write("room.rules", actor=actor, now=now, about=("room", room.public_id), detail=given)
    return room


def _require_sound_week(weekly: tuple[Hours, ...]) -> None:
    details = [
        Detail(f"weekly[{number}]", "时间不对", "星期 0 到 6，开放早于关闭，关闭不超过次日 24:00")
        for number, each in enumerate(weekly)
        if not (0 <= each.weekday <= 6 and 0 <= each.opens_minute < 1440)
        or not each.opens_minute < each.closes_minute <= 2880
    ]
    if len(weekly) > 28:
        details.append(Detail("weekly", "太多了", "每天最多 4 段"))
    if details:
        raise RoomRefused(details=details)


def _columns(plan: Plan) -> dict[str, object]:
    return {name: getattr(plan, name) for name in plan.__struct_fields__}


def _require_sound(plan: Plan) -> None:
    checks = {
        "code": 0 < len(plan.code) <= 16,
        "name": 0 < len(plan.name) <= 40,
        "kind": plan.kind in ("studio", "field"),
        "boundary_hour": 0 <= plan.boundary_hour <= 12,
        "opens_minute": 0 <= plan.opens_minute < 1440,
        "closes_minute": plan.opens_minute < plan.closes_minute <= 2880,
        "min_duration_min": 0 < plan.min_duration_min <= plan.max_duration_min,
        "setup_min": 0 <= plan.setup_min <= 480,
        "turnover_min": 0 <= plan.turnover_min <= 480,
        "approvals": 0 <= plan.approvals <= 2,
        "hold_ttl_h": plan.hold_ttl_h > 0,
        "min_lead_h": plan.min_lead_h >= 0,
        "max_advance_d": plan.max_advance_d > 0,
    }
    wrong = [name for name, right in checks.items() if not right]
    if wrong:
        raise RoomRefused(details=[Detail(name, "不在允许的范围内") for name in wrong])
