"""/desk/feeds 日历订阅: addresses for calendars, for the centre's staff and for bureau officers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts import queries as accounts
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.web import doors, reading
from livehub.web.desk.frame import back, frame
from livehub.web.rendering import page
from rooms import feeds
from rooms.feeds import Issued

bp = Blueprint("desk_feeds", url_prefix="/desk/feeds")


class NewFeed(Struct):
    """Whose slots; empty is all that the actor may see."""

    bureau: Annotated[str, Meta(max_length=16)] = ""


@bp.get("/")
@doors.signed_in(Permission.CALENDAR_SUBSCRIBE)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """My subscriptions."""
    return await _page(request, actor)


@bp.post("/")
@doors.signed_in(Permission.CALENDAR_SUBSCRIBE)
async def subscribe(request: Request, actor: Actor) -> HTTPResponse:
    """A new address, shown in this one answer only."""
    try:
        wanted = reading.form(request, NewFeed).bureau
        bureau_id = await _bureau_id(wanted, actor)
        issued = await database.unit(
            lambda: feeds.subscribe(bureau_id=bureau_id, actor=actor, now=clock.now())
        )
    except NotFound:
        raise
    except LivehubError as error:
        return await _page(request, actor, refusal=doors.shown(request, error))
    return await _page(request, actor, issued=issued)


@bp.post("/<feed_id:str>/rotate")
@doors.signed_in(Permission.CALENDAR_SUBSCRIBE)
async def rotate(request: Request, actor: Actor, feed_id: str) -> HTTPResponse:
    """Another address; the old one opens nothing any more."""
    issued = await database.unit(lambda: feeds.rotate(feed_id, actor=actor, now=clock.now()))
    return await _page(request, actor, issued=issued)


@bp.post("/<feed_id:str>/revoke")
@doors.signed_in(Permission.CALENDAR_SUBSCRIBE)
async def revoke(_request: Request, actor: Actor, feed_id: str) -> HTTPResponse:
    """End a subscription."""
    await database.unit(lambda: feeds.revoke(feed_id, actor=actor, now=clock.now()))
    return back("/desk/feeds", done="feed-revoked")


async def _bureau_id(wanted: str, actor: Actor) -> int:
    scope = bureau_scope(actor, Permission.CALENDAR_SUBSCRIBE)
    if not wanted and scope is None:
        return 0
    for each in await accounts.bureaus(actor.centre_id):
        if (each.public_id == wanted or not wanted) and (scope is None or each.id in scope):
            return int(each.id)
    raise NotFound


async def _page(
    request: Request, actor: Actor, *, issued: Issued | None = None, refusal: LivehubError | None = None
) -> HTTPResponse:
    scope = bureau_scope(actor, Permission.CALENDAR_SUBSCRIBE)
    bureaus = [each for each in await accounts.bureaus(actor.centre_id) if scope is None or each.id in scope]
    return page(
        "desk/feeds.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "plans", refusal=refusal),
        feeds=await feeds.own(actor),
        names={each.id: each.name for each in await accounts.bureaus(actor.centre_id)},
        bureaus=[(each.public_id, each.name) for each in bureaus],
        sees_all=scope is None,
        url=f"{request.app.ctx.settings.url}/feeds/{issued.token}.ics" if issued else "",
    )
