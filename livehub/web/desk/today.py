"""/desk: what is on air, what comes next, what is late and what waits for somebody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, may
from livehub.kit import clock
from livehub.reports import broadcasts as reports
from livehub.reports import figures, leverage
from livehub.reports.figures import Figures, Scope
from livehub.reports.leverage import Counts
from livehub.vouchers.leverage import Leverage
from livehub.web import doors, lanes
from livehub.web.desk import todos
from livehub.web.desk.frame import frame
from livehub.web.lanes import Lane, Slot
from livehub.web.rendering import page
from rooms import queries as rooms
from rooms.models import BookingState, BroadcastState
from rooms.queries import BroadcastView, Occupancy, RoomView

bp = Blueprint("desk_today", url_prefix="/desk")

FIRST_HOUR, HOURS = 6, 24  # the board shows one business day of a studio
STEP_HOURS = 2
RECENT = 8
WAITING = (BookingState.OFFERED, BookingState.SUBMITTED, BookingState.FIRST_APPROVED)


class Money(Struct, frozen=True, kw_only=True):
    """Today's figures of those who may see sales."""

    sales: Figures
    vouchers: Counts
    pulled: Leverage


@bp.get("/")
@doors.signed_in(Permission.ROOM_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The day at a glance."""
    now = clock.now()
    since = clock.at_local(clock.business_day(now, boundary_hour=FIRST_HOUR), hour=FIRST_HOUR)
    until = since + timedelta(hours=HOURS)
    all_rooms = await rooms.rooms_of(actor.centre_id)
    taken = await rooms.timeline(actor.centre_id, since=since, until=until, actor=actor)
    shows = await rooms.broadcasts(clock.business_day(now, boundary_hour=FIRST_HOUR), actor=actor)
    may_see_sales = may(actor, Permission.SALES_READ)
    recent = await _recent(actor, now=now)
    return page(
        "desk/today.html",
        shell=await frame(request, actor, "today"),
        now=now,
        day=clock.local_day(now),
        room_count=len(all_rooms),
        broadcast_count=sum(each.state != BroadcastState.ABORTED for each in shows),
        on_air=sum(each.state == BroadcastState.LIVE for each in shows),
        money=await _money(actor, now=now) if may_see_sales else None,
        hours=[f"{(FIRST_HOUR + step) % 24:02d}" for step in range(0, HOURS, STEP_HOURS)],
        lanes=_lanes(all_rooms, taken, shows, since=since, until=until, now=now),
        now_at=lanes.present(now, from_at=since, until_at=until),
        todos=await todos.of(actor, taken, shows, now=now),
        recent=recent,
        results=await reports.results([each.id for each in recent]),
        may_see_sales=may_see_sales,
        may_approve=may(actor, Permission.BOOKING_APPROVE),
        may_see_broadcasts=may(actor, Permission.BROADCAST_READ),
    )


async def _money(actor: Actor, *, now: datetime) -> Money:
    today = clock.local_day(now)
    scope = Scope(
        centre_id=actor.centre_id,
        bureaus=bureau_scope(actor, Permission.SALES_READ),
        day_from=today,
        day_to=today,
    )
    campaigns = bureau_scope(actor, Permission.CAMPAIGN_READ)
    midnight = clock.at_local(today)
    return Money(
        sales=await figures.total(scope),
        vouchers=await leverage.counts(centre_id=actor.centre_id, since=midnight, now=now, bureaus=campaigns),
        pulled=await leverage.of(centre_id=actor.centre_id, bureaus=campaigns),
    )


async def _recent(actor: Actor, *, now: datetime) -> list[BroadcastView]:
    """What was or is on air, the latest first."""
    found = await rooms.latest_broadcasts(actor=actor, until=now + timedelta(hours=1), size=4 * RECENT)
    return [each for each in found.items if each.started_at is not None][:RECENT]


def _lanes(
    all_rooms: Sequence[RoomView],
    taken: Sequence[Occupancy],
    shows: Sequence[BroadcastView],
    *,
    since: datetime,
    until: datetime,
    now: datetime,
) -> list[Lane]:
    on_air = {each.public_id for each in shows if each.state == BroadcastState.LIVE}
    slots: dict[int, list[Slot]] = {room.id: [] for room in all_rooms}
    for each in taken:
        if each.room_id in slots:
            slots[each.room_id].append(_slot(each, on_air=each.broadcast in on_air, now=now))
    return [
        lanes.lane(
            room.name,
            slots[room.id],
            from_at=since,
            until_at=until,
            note="" if room.status == "active" else "停用",
        )
        for room in all_rooms
    ]


def _slot(taken: Occupancy, *, on_air: bool, now: datetime) -> Slot:
    if not taken.mine:
        tone = "other"
    elif on_air:
        tone = "live"
    elif taken.state in WAITING:
        tone = "wait"
    else:
        tone = "done" if taken.core_ends_at <= now else ""
    return Slot(
        title=taken.title if taken.mine else taken.bureau,
        note=(taken.streamer or taken.bureau) if taken.mine else "",
        starts_at=taken.core_starts_at,
        ends_at=taken.core_ends_at,
        tone=tone,
        href=f"/desk/broadcasts/{taken.broadcast}" if taken.broadcast else "",
    )
