"""/desk/streamers/{id}: one streamer: what is on file, her phone's link, what comes, and how she did."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.reports import performance
from livehub.web import doors, reading
from livehub.web.desk.frame import Reason, back, frame
from livehub.web.desk.streamers import PATH, STATUSES, Days
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import queries as rooms
from rooms.queries import BroadcastView
from streamers import links, listing, people, queries, registry
from streamers.models import StreamerStatus
from streamers.people import Revealed
from streamers.queries import LinkView

bp = Blueprint("desk_streamer", url_prefix="/desk/streamers")

AHEAD = timedelta(days=60)  # how far what comes is shown
PLATFORMS = ("doudian", "kuaishou", "weixin_shop", "taobao", "jd", "pinduoduo", "douyin_life")


class Status(Struct):
    """How far she is."""

    status: Annotated[StreamerStatus, Meta(extra={"expected": "选择状态"})]


class Account(Struct):
    """An account on a platform."""

    platform: Annotated[str, Meta(min_length=1, max_length=32, extra={"expected": "选择平台"})]
    account_ref: Annotated[
        str, Meta(min_length=1, max_length=registry.REF_LENGTH, extra={"expected": "平台账号"})
    ]
    account_name: Annotated[str, Meta(max_length=60)] = ""


@bp.get("/<streamer_id:str>")
@doors.signed_in(Permission.STREAMER_READ)
async def show(request: Request, actor: Actor, streamer_id: str) -> HTTPResponse:
    """Her page."""
    return await _page(request, actor, streamer_id)


@bp.post("/<streamer_id:str>/status")
@doors.signed_in(Permission.STREAMER_MANAGE)
async def set_status(request: Request, actor: Actor, streamer_id: str) -> HTTPResponse:
    """Say how far she is."""
    try:
        given = reading.form(request, Status)
        await database.unit(
            lambda: registry.set_status(streamer_id, status=given.status, actor=actor, now=clock.now())
        )
    except NotFound:
        raise
    except LivehubError as error:
        return await _refused(request, actor, streamer_id, error)
    return back(f"{PATH}/{streamer_id}", done="streamer-status")


@bp.post("/<streamer_id:str>/accounts")
@doors.signed_in(Permission.STREAMER_MANAGE)
async def add_account(request: Request, actor: Actor, streamer_id: str) -> HTTPResponse:
    """Note an account of hers."""
    try:
        given = reading.form(request, Account)
        await database.unit(
            lambda: registry.add_account(
                streamer_id,
                platform=given.platform,
                account_ref=given.account_ref,
                name=given.account_name,
                actor=actor,
                now=clock.now(),
            )
        )
    except NotFound:
        raise
    except LivehubError as error:
        return await _refused(request, actor, streamer_id, error)
    return back(f"{PATH}/{streamer_id}", done="account-added")


@bp.post("/<streamer_id:str>/link")
@doors.signed_in(Permission.STREAMER_MANAGE)
async def make_link(request: Request, actor: Actor, streamer_id: str) -> HTTPResponse:
    """A new link for her phone, shown in this one answer only."""
    issued = await database.unit(lambda: links.issue(streamer_id, actor=actor, now=clock.now()))
    url = f"{request.app.ctx.settings.url}/s/{issued.token}"
    answer = await _page(request, actor, streamer_id, url=url)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.post("/<streamer_id:str>/links/<link_id:int>/revoke")
@doors.signed_in(Permission.STREAMER_MANAGE)
async def end_link(_request: Request, actor: Actor, streamer_id: str, link_id: int) -> HTTPResponse:
    """Close one of her links and the device bound to it."""
    number = await queries.link_of(streamer_id, str(link_id), actor=actor)
    await database.unit(lambda: links.revoke(number, actor=actor, now=clock.now()))
    return back(f"{PATH}/{streamer_id}", done="revoked")


@bp.post("/<streamer_id:str>/reveal")
@doors.signed_in(Permission.PERSONAL_DATA_OPEN)
async def reveal(request: Request, actor: Actor, streamer_id: str) -> HTTPResponse:
    """Her numbers in clear, shown in this one answer only; the reason is in the trail."""
    found = await listing.dossier(streamer_id, actor=actor)
    try:
        reason = reading.form(request, Reason).reason
        numbers = await database.unit(
            lambda: people.reveal(found.person, reason=reason, actor=actor, now=clock.now())
        )
    except LivehubError as error:
        return await _refused(request, actor, streamer_id, error)
    answer = await _page(request, actor, streamer_id, revealed=numbers)
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def _refused(request: Request, actor: Actor, streamer_id: str, error: LivehubError) -> HTTPResponse:
    form = reading.refused(request, doors.shown(request, error))
    return await _page(request, actor, streamer_id, form=form, status=error.status)


async def _page(
    request: Request,
    actor: Actor,
    streamer_id: str,
    *,
    form: Form | None = None,
    status: int = 200,
    url: str = "",
    revealed: Revealed | None = None,
) -> HTTPResponse:
    now = clock.now()
    given = reading.query(request, Days) if request.method == "GET" else Days()
    period = performance.period(given.since, given.until, today=clock.local_day(now))
    found = await listing.dossier(streamer_id, actor=actor)
    may_manage = may(actor, Permission.STREAMER_MANAGE)
    return page(
        "desk/streamer.html",
        status=status,
        shell=await frame(request, actor, "streamers"),
        found=found,
        did=await performance.of_streamer(streamer_id, period, actor=actor, now=now),
        coming=await _coming(found.who.id, actor=actor),
        links=_open_links(await queries.links(found.who.id)) if may_manage else [],
        form=form or reading.blank(status=found.who.status),
        url=url,
        revealed=revealed,
        statuses=STATUSES,
        platforms=PLATFORMS,
        may_manage=may_manage,
        may_reveal=may(actor, Permission.PERSONAL_DATA_OPEN),
        may_plan=may(actor, Permission.BOOKING_READ),
    )


async def _coming(streamer_id: int, *, actor: Actor) -> list[BroadcastView]:
    """What is planned with her and has not begun, as far as the reader may see it."""
    scope = bureau_scope(actor, Permission.BROADCAST_READ)
    now = clock.now()
    found = await rooms.broadcasts_of(streamer_id, since=now, until=now + AHEAD)
    return [each for each in found if each.started_at is None and (scope is None or each.bureau_id in scope)]


def _open_links(found: list[LinkView]) -> list[LinkView]:
    now = clock.now()
    return [each for each in found if each.revoked_at is None and each.expires_at > now]
