"""/bureau/series 系列排期: a show that comes again, seen before it is asked for, changed in three scopes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from livehub import database
from livehub.accounts import queries as accounts
from livehub.accounts.actors import Actor
from livehub.accounts.models import Bureau
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import Detail, LivehubError, NotFound
from livehub.web import doors, reading
from livehub.web.reading import Form
from livehub.web.rendering import page
from livehub.web.shell import Shell
from rooms import moves, queries, recurrence, series, series_edits
from rooms.errors import SeriesRefused
from rooms.models import BookingKind
from rooms.moving import MOVABLE, Target
from rooms.recurrence import Rule
from rooms.series import Prospect
from rooms.series_edits import Scope
from rooms.wishes import TITLE_LENGTH, Wish
from streamers import queries as streamers

bp = Blueprint("bureau_series", url_prefix="/bureau/series")

_DONE = {
    "asked": "已提交能排上的每一场，排不上的列在下面",
    "moved": "已改时间",
    "cancelled": "已取消，时段让给别人",
}


class SeriesForm(Struct):
    """What comes again, and how often."""

    title: Annotated[str, Meta(min_length=1, max_length=TITLE_LENGTH)]
    room: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择直播间"})]
    starts_at: reading.LocalTime
    minutes: Annotated[int, Meta(ge=1, le=1440)]
    every: Literal["DAILY", "WEEKLY", "MONTHLY"] = "WEEKLY"
    interval: Annotated[int, Meta(ge=1, le=12)] = 1
    count: Annotated[int, Meta(ge=1, le=recurrence.AT_MOST)] = 8
    but: Annotated[str, Meta(max_length=400)] = ""
    kind: BookingKind = BookingKind.LIVE
    streamer: Annotated[str, Meta(max_length=16)] = ""
    bureau: Annotated[str, Meta(max_length=16)] = ""
    preview: bool = False

    def rule(self) -> Rule:
        """The rule on the wall clock; the days to leave out are those of its own times."""
        start = clock.local(self.starts_at).replace(tzinfo=None)
        return Rule(
            start=start,
            rrule=f"FREQ={self.every};INTERVAL={self.interval};COUNT={self.count}",
            exdates=tuple(datetime.combine(day, start.time()) for day in self._left_out()),
        )

    def _left_out(self) -> Sequence[date]:
        try:
            return [date.fromisoformat(each) for each in re.split(r"[\s,，、]+", self.but.strip()) if each]
        except ValueError:
            raise SeriesRefused(
                details=[Detail("but", "日期格式不对", "如 2026-10-01，几天用空格隔开")]
            ) from None


class Edit(Struct):
    """Which of them, and what becomes of them."""

    booking: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择一场"})]
    scope: Scope
    at: Annotated[
        str, Meta(max_length=5, pattern=r"^(\d\d:\d\d)?$", extra={"expected": "时间，如 20:00"})
    ] = ""
    cancel: bool = False


@bp.get("/new")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def new(request: Request, actor: Actor) -> HTTPResponse:
    """The empty form."""
    form = reading.blank(minutes="120", every="WEEKLY", interval="1", count="8", kind="live")
    return await _form(request, actor, form)


@bp.post("/")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def ask(request: Request, actor: Actor) -> HTTPResponse:
    """Show what each time would meet, or ask for all that can be had."""
    now = clock.now()
    try:
        given = reading.form(request, SeriesForm)
        rule, wish = given.rule(), await _wish(given, actor)
        if given.preview:
            told = await series.preview(wish, rule=rule, actor=actor, now=now)
            return await _form(request, actor, Form(values=reading.typed(request)), told=told)
        made = await database.unit(lambda: series.create(wish, rule=rule, actor=actor, now=now))
    except NotFound:
        raise
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        form.errors["starts_at"] = form.errors.get("starts_at") or form.errors.get("rrule", "")
        return await _form(request, actor, form, status=error.status)
    return redirect(f"/bureau/series/{made.public_id}?done=asked", status=303)


@bp.get("/<series_id:str>")
@doors.signed_in(Permission.BOOKING_READ)
async def show(request: Request, actor: Actor, series_id: str) -> HTTPResponse:
    """What became of its times, and the form to change them."""
    return await _series(request, actor, series_id)


@bp.post("/<series_id:str>/edit")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def edit(request: Request, actor: Actor, series_id: str) -> HTTPResponse:
    """Move or give back this time, this and those after it, or all that are to come."""
    seen = await series.seen(series_id, actor=actor)
    try:
        given = reading.form(request, Edit)
        meant = next((each for _, each in seen.bookings if each.public_id == given.booking), None)
        if meant is None:
            raise NotFound
        if given.cancel:
            await database.unit(
                lambda: series_edits.cancel(given.booking, scope=given.scope, actor=actor, now=clock.now())
            )
            return redirect(f"/bureau/series/{series_id}?done=cancelled", status=303)
        minutes = int((meant.end_at - meant.start_at) / timedelta(minutes=1))
        to = Target(starts_at=_at(clock.local(meant.start_at), given.at), minutes=minutes)
        await database.unit(
            lambda: series_edits.move(given.booking, scope=given.scope, to=to, actor=actor, now=clock.now())
        )
    except NotFound:
        raise
    except LivehubError as error:
        return await _series(request, actor, series_id, refusal=doors.shown(request, error))
    return redirect(f"/bureau/series/{series_id}?done=moved", status=303)


def _at(local: datetime, typed: str) -> datetime:
    """The same day at another time of the clock."""
    try:
        there = time.fromisoformat(typed)
    except ValueError:
        raise SeriesRefused(details=[Detail("at", "请填写改到几点", "如 20:00")]) from None
    return local.replace(hour=there.hour, minute=there.minute).astimezone(UTC)


async def _wish(given: SeriesForm, actor: Actor) -> Wish:
    mine = await _bureaus_of(actor)
    named = [each for each in mine if each.public_id == given.bureau] or mine
    return Wish(
        room=given.room,
        bureau_id=named[0].id if named else 0,
        title=given.title,
        starts_at=given.starts_at,
        minutes=given.minutes,
        kind=given.kind,
        streamer=given.streamer,
    )


async def _bureaus_of(actor: Actor) -> list[Bureau]:
    held = actor.bureaus()
    return [each for each in await accounts.bureaus(actor.centre_id) if not held or each.id in held]


async def _form(
    request: Request, actor: Actor, form: Form, *, told: Sequence[Prospect] = (), status: int = 200
) -> HTTPResponse:
    return page(
        "bureau/series_new.html",
        status=status,
        shell=_shell(request, actor),
        form=form,
        told=told,
        refused=sum(bool(each.code) for each in told),
        bureaus=[(each.public_id, each.name) for each in await _bureaus_of(actor)],
        rooms=[
            (each.public_id, each.name)
            for each in await queries.rooms_of(actor.centre_id)
            if each.status == "active"
        ],
        streamers=[(each.public_id, each.stage_name) for each in await streamers.streamers(actor.centre_id)],
    )


async def _series(
    request: Request, actor: Actor, series_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    seen = await series.seen(series_id, actor=actor)
    shell = _shell(request, actor)
    shell.alert = "；".join(each.reason for each in refusal.details) or refusal.message if refusal else ""
    return page(
        "bureau/series.html",
        status=refusal.status if refusal else 200,
        shell=shell,
        series=seen.series,
        bookings=seen.bookings,
        rejected=seen.rejected,
        open=[
            (each.public_id, f"{clock.local(each.start_at):%m-%d %H:%M}")
            for _, each in seen.bookings
            if each.state in MOVABLE
        ],
        holding=moves.HOLDING,
    )


def _shell(request: Request, actor: Actor) -> Shell:
    door = "bureau" if actor.bureaus() else "desk"
    shell = doors.shell(request, actor, door=door, current="series")
    shell.flash = _DONE.get(str(request.args.get("done", "")), "")
    return shell
