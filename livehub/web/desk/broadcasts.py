"""/desk/broadcasts: the shows, and the console of one: on air, drops, links."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import Invalid, LivehubError, NotFound
from livehub.reports import broadcasts as reports
from livehub.vouchers import drops
from livehub.vouchers import kinds as templates
from livehub.vouchers import queries as vouchers
from livehub.vouchers.kinds import Bundle, Kind
from livehub.vouchers.queries import DropRow
from livehub.web import doors, reading
from livehub.web.desk.frame import asked, back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import onair, prechecks
from rooms import queries as rooms
from rooms.models import BroadcastState
from rooms.queries import BroadcastView
from streamers import links
from streamers import queries as streamers

bp = Blueprint("desk_broadcasts", url_prefix="/desk/broadcasts")

CHECKABLE = (BroadcastState.PLANNED, BroadcastState.CHECKED)
MAX_MINUTES = drops.MAX_WINDOW_S // 60


class Query(Struct, rename={"since": "from", "until": "to"}):
    """The list's address; the days are half-open."""

    state: Annotated[str, Meta(max_length=12)] = ""
    room: Annotated[str, Meta(max_length=16)] = ""
    since: date | None = None
    until: date | None = None
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class NewDrop(Struct):
    """Vouchers for this broadcast, put out now or kept for later."""

    template: Annotated[str, Meta(min_length=1, max_length=16)]
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)]
    minutes: Annotated[int, Meta(ge=1, le=MAX_MINUTES)]
    later: bool = False


class PlatformRoom(Struct):
    """Which room of a platform the broadcast is in."""

    platform: Annotated[str, Meta(min_length=1, max_length=32)]
    account_ref: Annotated[str, Meta(min_length=1, max_length=onair.REF_LENGTH)]
    room_ref: Annotated[str, Meta(min_length=1, max_length=onair.REF_LENGTH)]


@bp.get("/")
@doors.signed_in(Permission.BROADCAST_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The list, the latest first."""
    query = reading.query(request, Query)
    found = await rooms.latest_broadcasts(
        actor=actor,
        state=query.state,
        room=query.room,
        since=clock.at_local(query.since) if query.since else None,
        until=clock.at_local(query.until) if query.until else None,
        number=query.page,
    )
    return page(
        "desk/broadcasts.html",
        shell=await frame(request, actor, "broadcasts"),
        query=asked(request, Query),
        rooms=[(each.public_id, each.name) for each in await rooms.rooms_of(actor.centre_id)],
        page=found,
        results=await reports.results([each.id for each in found.items]),
        may_see_sales=may(actor, Permission.SALES_READ),
    )


@bp.get("/<public_id:str>")
@doors.signed_in(Permission.BROADCAST_READ)
async def show_one(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """The console."""
    return await console(request, actor, public_id)


@bp.post("/<public_id:str>/start")
@doors.signed_in(Permission.BROADCAST_RUN)
async def start(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Go on air."""
    try:
        await database.unit(lambda: onair.start(public_id, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await console(request, actor, public_id, refusal=doors.shown(request, error))
    return back(f"/desk/broadcasts/{public_id}", done="started")


@bp.post("/<public_id:str>/end")
@doors.signed_in(Permission.BROADCAST_RUN)
async def end(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Go off the air."""
    try:
        await database.unit(lambda: onair.end(public_id, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await console(request, actor, public_id, refusal=doors.shown(request, error))
    return back(f"/desk/broadcasts/{public_id}", done="ended")


@bp.post("/<public_id:str>/room")
@doors.signed_in(Permission.BROADCAST_RUN)
async def bind_room(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Say which room of a platform the broadcast is in, so that its orders find it."""
    try:
        given = reading.form(request, PlatformRoom)
        await database.unit(
            lambda: onair.bind_room(
                public_id,
                platform=given.platform,
                account_ref=given.account_ref,
                room_ref=given.room_ref,
                actor=actor,
                now=clock.now(),
            )
        )
    except LivehubError as error:
        return await console(request, actor, public_id, refusal=doors.shown(request, error))
    return back(f"/desk/broadcasts/{public_id}", done="bound")


@bp.post("/<public_id:str>/drops")
@doors.signed_in(Permission.DROP_RUN)
async def new_drop(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Set vouchers aside for this broadcast, and put them out at once unless it is for later."""
    seen = await rooms.broadcast(public_id, actor=actor)
    try:
        given = reading.form(request, NewDrop)
        template_id = await _template_id(given.template, actor)
        await database.unit(
            lambda: _drop(seen.id, template_id=template_id, given=given, actor=actor, now=clock.now())
        )
    except LivehubError as error:
        return await console(
            request,
            actor,
            public_id,
            form=reading.refused(request, doors.shown(request, error)),
            status=error.status,
        )
    return back(f"/desk/broadcasts/{public_id}", done="planned" if given.later else "opened")


@bp.post("/<public_id:str>/drops/<drop:str>/open")
@doors.signed_in(Permission.DROP_RUN)
async def open_drop(request: Request, actor: Actor, public_id: str, drop: str) -> HTTPResponse:
    """Put planned vouchers out."""
    row_id = await _drop_id(public_id, drop, actor)
    try:
        await database.unit(lambda: drops.open_drop(row_id, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await console(request, actor, public_id, refusal=doors.shown(request, error))
    return back(f"/desk/broadcasts/{public_id}", done="opened")


@bp.post("/<public_id:str>/drops/<drop:str>/close")
@doors.signed_in(Permission.DROP_RUN)
async def close_drop(request: Request, actor: Actor, public_id: str, drop: str) -> HTTPResponse:
    """End a drop; what nobody claimed is the template's again."""
    row_id = await _drop_id(public_id, drop, actor)
    try:
        await database.unit(lambda: drops.close_drop(row_id, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await console(request, actor, public_id, refusal=doors.shown(request, error))
    return back(f"/desk/broadcasts/{public_id}", done="closed")


@bp.post("/<public_id:str>/streamer-link")
@doors.signed_in(Permission.STREAMER_MANAGE)
async def new_streamer_link(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """A new link for the streamer's phone, shown in this one answer only."""
    seen = await rooms.broadcast(public_id, actor=actor)
    streamer = await streamers.by_id(seen.streamer_id)
    if streamer is None:
        raise NotFound
    issued = await database.unit(lambda: links.issue(streamer.public_id, actor=actor, now=clock.now()))
    return await console(
        request, actor, public_id, streamer_url=f"{request.app.ctx.settings.url}/s/{issued.token}"
    )


@bp.post("/<public_id:str>/streamer-link/<link_id:int>/revoke")
@doors.signed_in(Permission.STREAMER_MANAGE)
async def revoke_streamer_link(_request: Request, actor: Actor, public_id: str, link_id: int) -> HTTPResponse:
    """Close one of the streamer's links and the device bound to it."""
    seen = await rooms.broadcast(public_id, actor=actor)
    if link_id not in {each.id for each in await streamers.links(seen.streamer_id)}:
        raise NotFound
    await database.unit(lambda: links.revoke(link_id, actor=actor, now=clock.now()))
    return back(f"/desk/broadcasts/{public_id}", done="revoked")


async def _drop(broadcast_id: int, *, template_id: int, given: NewDrop, actor: Actor, now: datetime) -> None:
    planned = await drops.plan(
        broadcast_id,
        template_id=template_id,
        quantity=given.quantity,
        window_s=given.minutes * 60,
        actor=actor,
        now=now,
    )
    if not given.later:
        await drops.open_drop(planned.id, actor=actor, now=now)


async def _template_id(public_id: str, actor: Actor) -> int:
    for row_id, kind in await templates.to_drop(actor.centre_id):
        if kind.id == public_id:
            return row_id
    raise Invalid("这个券种现在不能投放，请重新选择。")


async def _drop_id(public_id: str, drop: str, actor: Actor) -> int:
    seen = await rooms.broadcast(public_id, actor=actor)
    for each in await vouchers.drops_of(seen.id):
        if each.id == drop:
            return each.row_id
    raise NotFound


async def console(
    request: Request,
    actor: Actor,
    public_id: str,
    *,
    ticked: Collection[str] = (),
    form: Form | None = None,
    streamer_url: str = "",
    refusal: LivehubError | None = None,
    status: int = 200,
) -> HTTPResponse:
    """The console's page, also when something was refused."""
    now = clock.now()
    seen = await rooms.broadcast(public_id, actor=actor)
    may_drop = may(actor, Permission.DROP_RUN, bureau_id=seen.bureau_id)
    may_link = may(actor, Permission.STREAMER_MANAGE)
    kinds = await templates.to_drop(actor.centre_id) if may_drop else []
    return page(
        "desk/broadcast.html",
        status=refusal.status if refusal else status,
        shell=await frame(request, actor, "broadcasts", refusal=refusal),
        now=now,
        broadcast=seen,
        result=(await reports.results([seen.id]))[seen.id],
        accounts=await rooms.accounts_of(seen.id),
        drops=[_present(each, now=now) for each in await vouchers.drops_of(seen.id)],
        templates=[(kind.id, _label(kind)) for _, kind in kinds],
        form=form or reading.blank(minutes="10"),
        links=[
            {"row": each, "url": f"{request.app.ctx.settings.url}/c/{each.slug}"}
            for each in await vouchers.links_of(seen.id)
        ],
        streamer_url=streamer_url,
        streamer_links=_open_links(await streamers.links(seen.streamer_id), now=now) if may_link else [],
        may_run=may(actor, Permission.BROADCAST_RUN, bureau_id=seen.bureau_id),
        may_start=_may_start(seen, now=now),
        check=await prechecks.standing(seen.id) if seen.state in CHECKABLE else None,
        ticked=ticked,
        may_drop=may_drop,
        may_link=may_link,
        may_see_sales=may(actor, Permission.SALES_READ),
    )


def _may_start(seen: BroadcastView, *, now: datetime) -> bool:
    waits = seen.state in (BroadcastState.CHECKED, BroadcastState.ENDED)
    return waits and now < seen.planned_end_at


def _present(drop: DropRow, *, now: datetime) -> dict[str, object]:
    """A drop with what became of it: one that is over or empty no longer gives anything."""
    state = drop.state
    if state == "open" and drop.claimed >= drop.quantity:
        state = "sold_out"
    elif state == "open" and drop.closes_at <= now:
        state = "closed"
    return {"row": drop, "state": state, "may_open": state == "planned", "may_close": drop.state == "open"}


def _open_links(found: list[streamers.LinkView], *, now: datetime) -> list[streamers.LinkView]:
    return [each for each in found if each.revoked_at is None and each.expires_at > now]


def _label(offer: Kind | Bundle) -> str:
    left = offer.quantity - offer.issued
    if isinstance(offer, Bundle):
        return f"{offer.name}（券包，每份 {offer.vouchers} 张，余 {left:,} 份）"
    return f"{offer.name}（余 {left:,} 张）"
