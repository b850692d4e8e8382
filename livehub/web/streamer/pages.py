"""The streamer's phone: today, her voucher links, going on air, putting vouchers out, live figures."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from sanic import Blueprint, Request, Sanic
from sanic.response import HTTPResponse, empty, redirect

from livehub import database
from livehub.accounts.actors import Actor
from livehub.kit import clock
from livehub.kit.errors import Conflict, Forbidden, Invalid, LivehubError, NotFound, TooMany
from livehub.vouchers import drops, identity
from livehub.vouchers.errors import CodeWrong, VoucherRefused
from livehub.web import doors, reading, show
from livehub.web.reading import Form
from livehub.web.rendering import fragment, page
from livehub.web.shielding import live_stream
from livehub.web.sse import Event, Shared, stream
from livehub.web.streamer import day, door
from livehub.web.streamer.day import Screen
from rooms import onair, prechecks, rundown
from rooms.queries import BroadcastView
from streamers import links
from streamers import queries as streamers
from streamers.errors import DeviceCodeNeeded
from streamers.models import Streamer
from streamers.training import queries as training

bp = Blueprint("streamer", url_prefix="/s")

EVERY_SECONDS = 1.0
PULSE_SECONDS = 60.0  # well below the silence after which a broadcast counts as abandoned
STREAM_SECONDS = 600.0  # then the browser comes again, and is asked again whose device it is
_DONE = {
    "checked": "已签字",
    "started": "已开播",
    "ended": "已下播",
    "dropped": "已投放，观众现在可以领券",
    "fired": "环节已开始",
}


class OnAir(Struct):
    """Which broadcast is started or ended."""

    broadcast: Annotated[str, Meta(max_length=16)]


class Checked(Struct):
    """What she ticked before a broadcast."""

    broadcast: Annotated[str, Meta(max_length=16)]
    ticked: Annotated[list[str], Meta(max_length=20)] = []


class PutOut(Struct):
    """Which planned drop is opened, and how much of it."""

    template: Annotated[str, Meta(min_length=1, max_length=16)]
    quantity: Annotated[int, Meta(ge=1, le=10**6)]


class Block(Struct):
    """Which block of the rundown begins."""

    cue: Annotated[str, Meta(min_length=1, max_length=16)]


class Code(Struct):
    """The code from her phone."""

    code: reading.OneTimeCode


@bp.before_server_start
async def _open(app: Sanic[Any, Any]) -> None:
    app.ctx.streamer_screens = {}


@bp.get("/")
@door.streamer
async def home(request: Request, actor: Actor) -> HTTPResponse:
    """Her day. Who looks at a live broadcast watches over it."""
    now = clock.now()
    showing = day.current(await day.today(actor, now=now), now=now)
    if showing is not None and showing.state == "live":
        await _pulse(showing, actor, now=now)
    return await _home(request, actor)


@bp.get("/live")
@live_stream
@door.streamer
async def live(request: Request, actor: Actor) -> HTTPResponse | None:
    """The part that moves, anew whenever it changed; nothing (204) when there is no broadcast."""
    now = clock.now()
    showing = day.current(await day.today(actor, now=now), now=now)
    if showing is None:
        return empty()
    events = _events(request.app.ctx.streamer_screens, actor, showing)
    await stream(request, events, may_stay=door.still_hers(request))
    return None


@bp.post("/check")
@door.streamer
async def check(request: Request, actor: Actor) -> HTTPResponse:
    """Sign the checklist of her own broadcast."""
    ticked: list[str] = []
    try:
        given = reading.form(request, Checked)
        ticked = given.ticked
        await database.unit(
            lambda: prechecks.sign(
                given.broadcast, ticked=given.ticked, role="anchor", actor=actor, now=clock.now()
            )
        )
    except (Invalid, Conflict, Forbidden) as refusal:
        return await _home(request, actor, refusal=refusal, ticked=ticked)
    return redirect("/s/?done=checked", status=303)


@bp.post("/start")
@door.streamer
async def start(request: Request, actor: Actor) -> HTTPResponse:
    """开播, her own broadcast only."""
    try:
        which = reading.form(request, OnAir).broadcast
        await database.unit(lambda: onair.start(which, actor=actor, now=clock.now()))
    except (Invalid, Conflict) as refusal:
        return await _home(request, actor, refusal=refusal)
    return redirect("/s/?done=started", status=303)


@bp.post("/end")
@door.streamer
async def end(request: Request, actor: Actor) -> HTTPResponse:
    """下播, her own broadcast only."""
    try:
        which = reading.form(request, OnAir).broadcast
        await database.unit(lambda: onair.end(which, actor=actor, now=clock.now()))
    except (Invalid, Conflict) as refusal:
        return await _home(request, actor, refusal=refusal)
    return redirect("/s/?done=ended", status=303)


@bp.post("/drops")
@door.streamer
async def put_out(request: Request, actor: Actor) -> HTTPResponse:
    """Open a planned drop of her live broadcast, never more than was planned."""
    now = clock.now()
    try:
        wanted = reading.form(request, PutOut)
        showing = day.current(await day.today(actor, now=now), now=now)
        planned = (await day.screen(showing, centre_id=actor.centre_id, now=now)).planned
        row = next((each for each in planned if each.id == wanted.template), None)
        if row is None:
            raise NotFound("这批券已经投放过，或不属于本场。")
        await database.unit(
            lambda: drops.open_drop(row.row_id, actor=actor, now=now, quantity=wanted.quantity)
        )
    except (Invalid, VoucherRefused, NotFound) as refusal:
        return await _home(request, actor, refusal=refusal, form=reading.refused(request, refusal))
    return redirect("/s/?done=dropped", status=303)


@bp.post("/cues")
@door.streamer
async def fire(request: Request, actor: Actor) -> HTTPResponse:
    """Put a planned block of her rundown on the air; a voucher block opens its drop a moment later."""
    try:
        which = reading.form(request, Block).cue
        await database.unit(lambda: rundown.fire(which, actor=actor, now=clock.now()))
    except (Invalid, Conflict) as refusal:
        return await _home(request, actor, refusal=refusal)
    return redirect("/s/?done=fired", status=303)


@bp.post("/heartbeat")
@door.streamer
async def heartbeat(_request: Request, actor: Actor) -> HTTPResponse:
    """A sign of life for a live broadcast; her open page gives one by itself."""
    now = clock.now()
    showing = day.current(await day.today(actor, now=now), now=now)
    if showing is not None and showing.state == "live":
        await _pulse(showing, actor, now=now)
    return empty()


@bp.get("/device")
@door.newcomer
async def device(request: Request, token: str) -> HTTPResponse:
    """A link that is new here: the first device takes it by a tap, another one by a code."""
    return await _device(request, token)


@bp.post("/device/first")
@door.newcomer
async def take(_request: Request, token: str) -> HTTPResponse:
    """The first device that is tapped is hers; whoever comes second is asked for a code."""
    now = clock.now()
    try:
        opened = await database.unit(lambda: links.open_link(token, device_token=None, now=now))
    except DeviceCodeNeeded:
        return redirect("/s/device", status=303)
    answer = door.let_in(redirect("/s/", status=303), opened, now=now)
    doors.drop_cookie(answer, door.LINK)
    return answer


@bp.post("/device/code")
@door.newcomer
async def send_code(request: Request, token: str) -> HTTPResponse:
    """Send a code to the phone that is on file, never to one that is typed here."""
    now = clock.now()
    owner = await _owner(token, now=now)
    phone = await streamers.phone_of(owner.id)
    if not phone:
        raise NotFound("您没有登记手机号，请联系中心工作人员换链接。")
    try:
        await identity.send_code(
            phone,
            centre_id=owner.centre_id,
            ip=doors.where(request)["ip"],
            channel=request.app.ctx.settings.sms_channel,
            now=now,
            purpose="device",
        )
    except TooMany as refusal:
        return await _device(request, token, refusal=refusal)
    return await _device(request, token, code_sent=True)


@bp.post("/device")
@door.newcomer
async def move(request: Request, token: str) -> HTTPResponse:
    """With the code this device takes the link over; the one before is shut out."""
    now = clock.now()
    owner = await _owner(token, now=now)
    try:
        code = reading.form(request, Code).code
        await identity.check_code(await streamers.phone_of(owner.id), code, now=now, purpose="device")
    except (Invalid, CodeWrong) as refusal:
        return await _device(request, token, refusal=refusal)
    opened = await database.unit(lambda: links.move_to_device(token, now=now))
    answer = door.let_in(redirect("/s/", status=303), opened, now=now)
    doors.drop_cookie(answer, door.LINK)
    return answer


@bp.get("/device/code", name="back_from_device_code")
@bp.get("/device/first", name="back_from_device_first")
@bp.get("/check", name="back_from_check")
@bp.get("/start", name="back_from_start")
@bp.get("/end", name="back_from_end")
@bp.get("/drops", name="back_from_drops")
@bp.get("/cues", name="back_from_cues")
@doors.public
async def back(request: Request) -> HTTPResponse:
    """Somebody refreshed the answer of a form."""
    return redirect("/s/device" if "/device" in request.path else "/s/", status=303)


@bp.get("/<token:str>")
@doors.public
async def open_link(request: Request, token: str) -> HTTPResponse:
    """Her link on its device; elsewhere nothing happens before a tap, since previews open links too.

    The address is left at once: it is a secret.
    """
    now = clock.now()
    known = request.cookies.get(door.DEVICE)
    opened = await links.recognise(token, device_token=known, now=now)
    if opened is not None:
        return door.let_in(redirect("/s/", status=303), opened, now=now)
    answer = redirect("/s/device", status=303)
    doors.set_cookie(answer, door.LINK, token, seconds=door.LINK_SECONDS)
    return answer


async def _home(
    request: Request,
    actor: Actor,
    *,
    refusal: LivehubError | None = None,
    form: Form | None = None,
    ticked: Sequence[str] = (),
) -> HTTPResponse:
    now = clock.now()
    shows = await day.today(actor, now=now)
    showing = day.current(shows, now=now)
    screen = await day.screen(showing, centre_id=actor.centre_id, now=now)
    first = screen.planned[0] if screen.planned else None
    blank = reading.blank(template=first.id, quantity=str(first.quantity)) if first else reading.blank()
    base = request.app.ctx.settings.url
    is_live = showing is not None and showing.state == "live"  # else the form of drops is not there
    return page(
        "streamer/home.html",
        status=refusal.status if refusal else 200,
        csrf=door.csrf(request),
        name=actor.name,
        stream="/s/live" if showing else "",
        today=shows,
        reviewed=await day.reviewed(actor, now=now),
        badges=await training.badges(actor.id, now=now),
        links=[{"url": f"{base}/c/{each.slug}", "row": each} for each in await day.links(showing)],
        rundown=await day.rundown(showing),
        check=await day.check(showing),
        ticked=ticked,
        left_in_plan=sum(each.quantity for each in screen.planned),
        form=form or blank,
        message=_DONE.get(str(request.args.get("done", "")), ""),
        refusal=refusal.message if refusal and (form is None or not is_live) else "",
        **_moving(screen),
    )


def _moving(screen: Screen) -> dict[str, Any]:
    return msgspec.structs.asdict(screen)


async def _events(
    screens: dict[int, Shared], actor: Actor, showing: BroadcastView
) -> AsyncGenerator[Event, None]:
    """One reader for all of her screens; her watching is the broadcast's sign of life."""

    async def load() -> str:
        now = clock.now()
        fresh = day.current(await day.today(actor, now=now), now=now)
        screen = await day.screen(fresh, centre_id=actor.centre_id, now=now)
        return fragment("streamer/live.html", **_moving(screen))

    shared = screens.setdefault(actor.id, Shared(load, every_seconds=EVERY_SECONDS))
    began = pulsed = time.monotonic()
    try:
        async with aclosing(shared.watch()) as events:
            async for event in events:
                yield event
                moment = time.monotonic()
                if moment - pulsed > PULSE_SECONDS:
                    pulsed = moment
                    await _pulse(showing, actor, now=clock.now())
                if moment - began > STREAM_SECONDS:
                    return
    finally:
        if not shared.is_watched:
            screens.pop(actor.id, None)


async def _pulse(showing: BroadcastView, actor: Actor, *, now: datetime) -> None:
    try:
        await database.unit(lambda: onair.heartbeat(showing.public_id, actor=actor, now=now))
    except (Conflict, database.DatabaseUnavailable):  # it ended a moment ago, or the next one will do
        return


async def _device(
    request: Request, token: str, *, refusal: LivehubError | None = None, code_sent: bool = False
) -> HTTPResponse:
    now = clock.now()
    link = await links.unbound(token, now=now)
    if not link.has_device:
        csrf = door.csrf(request, cookie=door.LINK)
        return page("streamer/first.html", csrf=csrf, name=link.stage_name)
    owner = await _owner(token, now=now)
    phone = await streamers.phone_of(owner.id)
    every = identity.PER_PHONE[0].seconds
    wait = every - clock.to_ms(now) // 1000 % every if code_sent else 0
    form = reading.refused(request, refusal) if refusal else reading.blank()
    if isinstance(refusal, CodeWrong):
        form.errors["code"], form.message = refusal.message, ""
    answer = page(
        "streamer/device.html",
        status=refusal.status if refusal else 200,
        csrf=door.csrf(request, cookie=door.LINK),
        phone=show.phone(phone) if phone else "",
        code_sent=code_sent,
        wait_seconds=(refusal.retry_after or 0) if refusal else wait,
        form=form,
    )
    if refusal is not None and refusal.retry_after is not None:
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer


async def _owner(token: str, *, now: datetime) -> Streamer:
    return await Streamer.get(id=await links.streamer_of_link(token, now=now))
