"""The bureau officer's pages: my week, asking for a time, giving it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from msgspec import Meta, Struct, structs
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from livehub import database
from livehub.accounts import queries as accounts
from livehub.accounts.actors import Actor
from livehub.accounts.models import Bureau
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import Conflict, Invalid, LivehubError, NotFound
from livehub.web import doors, lanes, reading
from livehub.web.bureau import week
from livehub.web.hours import typed_week
from livehub.web.reading import Form
from livehub.web.rendering import page
from livehub.web.shell import Shell
from rooms import booking, queries
from rooms import sharing_queries as sharing
from rooms.conflicts import Span
from rooms.errors import OutsideRules, QuotaExceeded, SlotTaken
from rooms.models import BookingKind
from rooms.queries import BookingRow, RoomView
from rooms.sharing_queries import QuotaUse
from rooms.wishes import TITLE_LENGTH, Wish
from streamers import queries as streamers

bp = Blueprint("bureau", url_prefix="/bureau")

USUAL_MINUTES = 120
PUBLIC_ID_LENGTH = 16
_DONE = {
    "asked": "已提交，时段先为您留着，等中心审批",
    "approved": "已排上，无需审批",
    "cancelled": "已取消，时段已让出",
    "waiting": "已登记候补，时段让出时会通知您",
    "accepted": "已接受，等中心审批",
    "declined": "已谢绝，时段让给下一位",
    "withdrawn": "已退出候补",
}


class WhichWeek(Struct):
    """The week and its day that are looked at; today's when nothing is said."""

    week: date | None = None
    day: date | None = None


class Prefilled(Struct):
    """What the form may begin with."""

    room: Annotated[str, Meta(max_length=16)] = ""
    starts_at: Annotated[str, Meta(max_length=16)] = ""


class BookingForm(Struct):
    """What the form asks for."""

    title: Annotated[str, Meta(min_length=1, max_length=TITLE_LENGTH)]
    room: Annotated[str, Meta(min_length=1, max_length=16)]
    starts_at: reading.LocalTime
    minutes: Annotated[int, Meta(ge=1, le=1440)]
    kind: BookingKind = BookingKind.LIVE
    streamer: Annotated[str, Meta(max_length=16)] = ""
    bureau: Annotated[str, Meta(max_length=16)] = ""


class Cancelling(Struct):
    """The version that was looked at."""

    version: Annotated[int, Meta(ge=1, le=10**6)] | None = None


class Suggested(Struct, frozen=True, kw_only=True):
    """A free time, ready to be asked for."""

    room: str
    room_name: str
    starts_at: datetime
    ends_at: datetime
    local: str  # as the form's field wants it
    minutes: int


@bp.get("/")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def my_week(request: Request, actor: Actor) -> HTTPResponse:
    """Seven days, the rooms on one of them, and what we asked for."""
    mine = await bureaus_of(actor)
    if not mine:
        return redirect("/desk/bookings", status=303)  # staff decide there, and ask for a bureau there
    now = clock.now()
    start, chosen = _chosen(reading.query(request, WhichWeek), today=clock.local_day(now))
    bookings = await _bookings(mine, start, actor=actor)
    rooms = await queries.rooms_of(actor.centre_id)
    window = week.hours(chosen, rooms)
    span = {"since": window.from_at, "until": window.until_at}
    taken = await queries.timeline(actor.centre_id, actor=actor, **span)
    closed = await sharing.closed_rooms(actor.centre_id, **span)
    return page(
        "bureau/bookings.html",
        shell=shell_of(request, actor, mine, current="bookings"),
        now=now,
        week_start=start.isoformat(),
        prev_week=(start - timedelta(days=7)).isoformat(),
        next_week=(start + timedelta(days=7)).isoformat(),
        first_day=start,
        last_day=start + timedelta(days=6),
        hours=window.labels,
        lanes=week.board(rooms, taken, closed=closed, window=window, now=now),
        now_at=lanes.present(now, from_at=window.from_at, until_at=window.until_at),
        days=week.days(start, chosen=chosen, bookings=bookings),
        quotas=await _quotas(mine, start, actor=actor),
        waiting=[
            row
            for each in mine
            for row in await sharing.waiting(actor=actor, now=now, bureau_id=each.id)
            if row.state in ("waiting", "offered")
        ],
        bookings=[week.row(each, now=now) for each in bookings],
    )


@bp.get("/bookings/new")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def new(request: Request, actor: Actor) -> HTTPResponse:
    """The empty form."""
    begun = reading.query(request, Prefilled)
    form = reading.blank(
        room=begun.room,
        starts_at=begun.starts_at,
        minutes=str(USUAL_MINUTES),
        kind=str(BookingKind.LIVE),
    )
    return await form_page(request, actor, form)


@bp.post("/bookings")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def ask(request: Request, actor: Actor) -> HTTPResponse:
    """Ask for a time; a refusal shows the reason, free times instead, and everything that was typed."""
    now = clock.now()
    try:
        wish = await wish_of(reading.form(request, BookingForm), actor=actor)
        made = await database.unit(lambda: booking.request(wish, actor=actor, now=now))
    except SlotTaken as error:
        free = await _instead(wish, error, actor=actor, now=now)
        return await form_page(request, actor, reading.refused(request, error), error=error, suggestions=free)
    except OutsideRules as error:
        return await form_page(request, actor, _with_what_would_be_right(request, error), error=error)
    except (Invalid, Conflict) as error:
        return await form_page(request, actor, reading.refused(request, error), error=error)
    day = clock.local_day(made.start_at)
    done = "approved" if made.hold_until is None else "asked"
    return redirect(f"/bureau?week={week.monday(day)}&day={day}&done={done}", status=303)


@bp.post("/bookings/<booking_id:str>/cancel")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def cancel(request: Request, actor: Actor, booking_id: str) -> HTTPResponse:
    """Give the time back; StaleVersion when somebody changed the booking since it was shown."""
    version = reading.form(request, Cancelling).version
    if len(booking_id) > PUBLIC_ID_LENGTH:
        raise NotFound
    gone = await database.unit(
        lambda: booking.cancel(booking_id, version=version, actor=actor, now=clock.now())
    )
    day = clock.local_day(gone.start_at)
    return redirect(f"/bureau?week={week.monday(day)}&day={day}&done=cancelled", status=303)


async def form_page(
    request: Request,
    actor: Actor,
    form: Form,
    *,
    error: LivehubError | None = None,
    suggestions: Sequence[Suggested] = (),
) -> HTTPResponse:
    """The form as it stands, with what is wrong with it."""
    mine = await bureaus_of(actor)
    if not mine:
        return redirect("/desk/bookings", status=303)
    rooms = [each for each in await queries.rooms_of(actor.centre_id) if each.status == "active"]
    is_taken = isinstance(error, SlotTaken)
    return page(
        "bureau/booking_new.html",
        status=error.status if error else 200,
        shell=shell_of(request, actor, mine, current="new"),
        form=form,
        bureaus=[(each.public_id, each.name) for each in mine],
        rooms=[(each.public_id, each.name) for each in rooms],
        streamers=[
            (each.public_id, f"{each.stage_name} · {each.town}" if each.town else each.stage_name)
            for each in await streamers.streamers(actor.centre_id)
        ],
        room_rules=[
            (each.room, typed_week(each))
            for each in await sharing.room_rules(actor.centre_id)
            if each.room.status == "active"
        ],
        is_taken=is_taken,
        conflicts=error.data["conflicts"] if error and is_taken else [],
        waitlistable=bool(error and error.data.get("waitlistable")),
        quota=error.data if isinstance(error, QuotaExceeded) else {},
        suggestions=suggestions,
    )


async def wish_of(form: BookingForm, *, actor: Actor) -> Wish:
    """What the form asks for, for the bureau it names or the officer's first."""
    mine = await bureaus_of(actor)
    named = [each for each in mine if each.public_id == form.bureau]
    return Wish(
        room=form.room,
        bureau_id=(named or mine)[0].id if mine else 0,
        title=form.title,
        starts_at=form.starts_at,
        minutes=form.minutes,
        kind=form.kind,
        streamer=form.streamer,
    )


async def _instead(wish: Wish, error: SlotTaken, *, actor: Actor, now: datetime) -> list[Suggested]:
    """The same time in other rooms, then the nearest times in the same room."""
    rooms = [each for each in await queries.rooms_of(actor.centre_id) if each.status == "active"]
    free: list[Any] = error.data["suggestions"]  # type: ignore[assignment]  # rooms.slots says what it holds
    later = [
        _suggestion(room, Span(**each)) for room in rooms if room.public_id == wish.room for each in free
    ]
    elsewhere = [_suggestion(room, wish.core) for room in rooms if await _is_free(room, wish, actor, now)]
    return elsewhere + later


async def _is_free(room: RoomView, wish: Wish, actor: Actor, now: datetime) -> bool:
    there = structs.replace(wish, room=room.public_id)
    try:
        return not (await booking.check(there, actor=actor, now=now)).conflicts
    except OutsideRules:
        return False


def _with_what_would_be_right(request: Request, error: OutsideRules) -> Form:
    form = reading.refused(request, error)
    form.errors = {
        each.field: f"{each.reason}（{each.expected}）" if each.expected else each.reason
        for each in error.details
    }
    return form


def _suggestion(room: RoomView, span: Span) -> Suggested:
    return Suggested(
        room=room.public_id,
        room_name=room.name,
        starts_at=span.starts_at,
        ends_at=span.ends_at,
        local=f"{clock.local(span.starts_at):%Y-%m-%dT%H:%M}",
        minutes=int((span.ends_at - span.starts_at) / timedelta(minutes=1)),
    )


async def _bookings(mine: Sequence[Bureau], start: date, *, actor: Actor) -> list[BookingRow]:
    since, until = clock.at_local(start), clock.at_local(start + timedelta(days=7))
    found = [
        row for each in mine for row in await queries.my_week(each.id, since=since, until=until, actor=actor)
    ]
    return sorted(found, key=lambda row: (row.starts_at, row.id))


async def _quotas(mine: Sequence[Bureau], start: date, *, actor: Actor) -> list[QuotaUse]:
    return [
        use for each in mine for use in await sharing.quota_uses(actor=actor, day=start, bureau_id=each.id)
    ]


async def bureaus_of(actor: Actor) -> list[Bureau]:
    """The bureaus she is an officer of."""
    held = actor.bureaus()
    return [each for each in await accounts.bureaus(actor.centre_id) if each.id in held]


def _chosen(asked: WhichWeek, *, today: date) -> tuple[date, date]:
    """(Monday, the day looked at): the day asked for if it is in the week, else today, else Monday."""
    start = week.monday(_near(asked.week or asked.day or today, today))
    for day in (asked.day, today):
        if day is not None and timedelta(0) <= day - start < timedelta(days=7):
            return start, day
    return start, start


def _near(day: date, today: date) -> date:
    """The day, or today where nobody could have planned anything."""
    return day if abs(day.year - today.year) <= 20 else today


def shell_of(request: Request, actor: Actor, mine: Sequence[Bureau], *, current: str) -> Shell:
    """The frame of a page of the bureau."""
    shell = doors.shell(
        request, actor, door="bureau", current=current, place="、".join(each.name for each in mine)
    )
    shell.flash = _DONE.get(str(request.args.get("done", "")), "")
    return shell
