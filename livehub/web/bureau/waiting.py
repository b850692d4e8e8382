"""/bureau/waitlist: standing in line for a time that is taken, and answering when it is one's turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import Conflict, Invalid, NotFound
from livehub.web import doors, reading
from livehub.web.bureau import week
from livehub.web.bureau.pages import PUBLIC_ID_LENGTH, BookingForm, form_page, wish_of
from rooms import waitlist
from rooms.sharing_models import WaitlistEntry

bp = Blueprint("bureau_waiting", url_prefix="/bureau/waitlist")

Verb = Callable[..., Awaitable[WaitlistEntry]]


@bp.post("/")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def join(request: Request, actor: Actor) -> HTTPResponse:
    """Stand in line for what the form asks for."""
    now = clock.now()
    try:
        wish = await wish_of(reading.form(request, BookingForm), actor=actor)
        entry = await database.unit(lambda: waitlist.join(wish, actor=actor, now=now))
    except (Invalid, Conflict) as error:
        return await form_page(request, actor, reading.refused(request, error), error=error)
    return _back(entry.start_at, "waiting")


@bp.post("/<entry_id:str>/accept")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def accept(_request: Request, actor: Actor, entry_id: str) -> HTTPResponse:
    """Take what was offered."""
    return await _settle(waitlist.accept, entry_id, actor=actor, done="accepted")


@bp.post("/<entry_id:str>/decline")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def decline(_request: Request, actor: Actor, entry_id: str) -> HTTPResponse:
    """Leave it to the next."""
    return await _settle(waitlist.decline, entry_id, actor=actor, done="declined")


@bp.post("/<entry_id:str>/withdraw")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def withdraw(_request: Request, actor: Actor, entry_id: str) -> HTTPResponse:
    """Wait no longer."""
    return await _settle(waitlist.withdraw, entry_id, actor=actor, done="withdrawn")


async def _settle(verb: Verb, entry_id: str, *, actor: Actor, done: str) -> HTTPResponse:
    if len(entry_id) > PUBLIC_ID_LENGTH:
        raise NotFound
    entry = await database.unit(lambda: verb(entry_id, actor=actor, now=clock.now()))
    return _back(entry.start_at, done)


def _back(starts_at: datetime, done: str) -> HTTPResponse:
    day = clock.local_day(starts_at)
    return redirect(f"/bureau?week={week.monday(day)}&day={day}&done={done}", status=303)
