"""/desk/rooms 直播间: when each is open and what it asks of its bookings."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.web import doors, reading
from livehub.web.desk.frame import back, frame
from livehub.web.hours import typed_week
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import registry
from rooms import sharing_queries as sharing
from rooms.conflicts import Hours
from rooms.errors import RoomRefused
from rooms.registry import Changes
from rooms.sharing_queries import RoomRules

bp = Blueprint("desk_rooms", url_prefix="/desk/rooms")

Count = Annotated[int, Meta(ge=0, le=10_000)]
Span = Annotated[str, Meta(max_length=60)]
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-–~至到]\s*(\d{1,2}):(\d{2})")


class RulesForm(Struct):
    """A room's rules; the week's hours as typed, such as 09:00-12:00 14:00-26:00, blank when closed."""

    min_duration_min: Count
    max_duration_min: Count
    setup_min: Count
    turnover_min: Count
    approvals: Annotated[int, Meta(ge=0, le=2)]
    hold_ttl_h: Count
    min_lead_h: Count
    max_advance_d: Count
    day0: Span = ""
    day1: Span = ""
    day2: Span = ""
    day3: Span = ""
    day4: Span = ""
    day5: Span = ""
    day6: Span = ""


@bp.get("/")
@doors.signed_in(Permission.ROOM_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """Every room with its rules."""
    return page(
        "desk/rooms.html",
        shell=await frame(request, actor, "rooms"),
        rooms=[(each.room, typed_week(each)) for each in await sharing.room_rules(actor.centre_id)],
        may_change=may(actor, Permission.ROOM_MANAGE),
    )


@bp.get("/<room_id:str>")
@doors.signed_in(Permission.ROOM_MANAGE)
async def edit(request: Request, actor: Actor, room_id: str) -> HTTPResponse:
    """One room's rules as a form."""
    found = await _room(room_id, actor=actor)
    names = [name for name in RulesForm.__struct_fields__ if not name.startswith("day")]
    values = {name: str(getattr(found.room, name)) for name in names}
    week = {f"day{number}": text for number, text in enumerate(typed_week(found))}
    return await _form(request, actor, found, reading.blank(**values, **week))


@bp.post("/<room_id:str>")
@doors.signed_in(Permission.ROOM_MANAGE)
async def change(request: Request, actor: Actor, room_id: str) -> HTTPResponse:
    """Change the rules; bookings that stand are left alone."""
    found = await _room(room_id, actor=actor)
    try:
        given = reading.form(request, RulesForm)
        numbers = {
            name: getattr(given, name) for name in given.__struct_fields__ if not name.startswith("day")
        }
        changes = Changes(**numbers, weekly=_week(given))
        await database.unit(lambda: registry.change(room_id, changes, actor=actor, now=clock.now()))
    except (Invalid, RoomRefused) as error:
        return await _form(request, actor, found, reading.refused(request, error), status=error.status)
    return back("/desk/rooms", done="room-changed")


async def _form(
    request: Request, actor: Actor, found: RoomRules, form: Form, *, status: int = 200
) -> HTTPResponse:
    return page(
        "desk/room.html",
        status=status,
        shell=await frame(request, actor, "rooms"),
        room=found.room,
        form=form,
    )


async def _room(room_id: str, *, actor: Actor) -> RoomRules:
    for each in await sharing.room_rules(actor.centre_id):
        if each.room.public_id == room_id:
            return each
    raise NotFound


def _week(given: RulesForm) -> tuple[Hours, ...]:
    found: list[Hours] = []
    details: list[Detail] = []
    for weekday in range(7):
        text = getattr(given, f"day{weekday}").strip()
        spans = list(_SPAN.finditer(text))
        if text and (not spans or _SPAN.sub("", text).strip(" ,，、;；")):
            details.append(Detail(f"day{weekday}", "看不懂", "如 09:00-12:00 14:00-26:00，不开放就留空"))
        for span in spans:
            opens, closes = int(span[1]) * 60 + int(span[2]), int(span[3]) * 60 + int(span[4])
            if opens >= 1440 or closes <= opens or closes > 2880:
                details.append(Detail(f"day{weekday}", "时间不对", "开放早于关闭，最晚到次日 24:00（48:00）"))
            found.append(Hours(weekday, opens, closes))
    if not found and not details:
        details.append(Detail("day0", "至少要有一天开放", "停用直播间请改它的状态"))
    if details:
        raise Invalid(details=details)
    return tuple(found)
