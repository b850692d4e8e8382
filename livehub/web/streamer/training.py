"""The trainee's phone: her hours and her next class, and checking in by the screen's code."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor, system
from livehub.kit import clock
from livehub.kit.errors import Conflict, Forbidden, Invalid, LivehubError
from livehub.web import doors, reading
from livehub.web.rendering import page
from livehub.web.streamer import door
from rooms import training
from streamers.training import check_in, queries
from streamers.training.check_in import CheckedIn

bp = Blueprint("streamer_training", url_prefix="/s")


class Scanned(Struct):
    """What the screen's code said."""

    lesson: Annotated[str, Meta(min_length=1, max_length=16)]
    code: Annotated[str, Meta(min_length=1, max_length=40)]


@bp.get("/training")
@door.streamer
async def show(_request: Request, actor: Actor) -> HTTPResponse:
    """Her classes."""
    badges = await queries.badges(actor.id, now=clock.now())
    return page("streamer/training.html", name=actor.name, badges=badges)


@bp.get("/checkin/<lesson:str>/<code:str>")
@door.streamer
async def scanned(request: Request, _actor: Actor, lesson: str, code: str) -> HTTPResponse:
    """Where the code leads: nothing happens before a tap, since previews open links too."""
    return _page(request, lesson=lesson[:16], code=code[:40])


@bp.post("/checkin")
@door.streamer
async def check(request: Request, actor: Actor) -> HTTPResponse:
    """She is there."""
    try:
        given = reading.form(request, Scanned)
        done = await database.unit(lambda: _checked(given, actor))
    except (Invalid, Conflict, Forbidden) as refusal:
        return _page(request, refusal=refusal)
    return _page(request, done=done)


@bp.get("/checkin", name="back_from_checkin")
@doors.public
async def back(_request: Request) -> HTTPResponse:
    """Somebody refreshed the answer of the form."""
    return HTTPResponse(status=303, headers={"Location": "/s/training"})


async def _checked(given: Scanned, actor: Actor) -> CheckedIn:
    now = clock.now()
    done = await check_in.check_in(given.lesson, code=given.code, actor=actor, now=now)
    await training.begin(given.lesson, actor=system("check-in", centre_id=actor.centre_id), now=now)
    return done


def _page(
    request: Request,
    *,
    lesson: str = "",
    code: str = "",
    done: CheckedIn | None = None,
    refusal: LivehubError | None = None,
) -> HTTPResponse:
    return page(
        "streamer/checkin.html",
        status=refusal.status if refusal else 200,
        csrf=door.csrf(request),
        lesson=lesson,
        code=code,
        done=done,
        refusal=refusal.message if refusal else "",
    )
