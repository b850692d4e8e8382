"""/desk/waitlist 候补: who waits for which time, in what order, and who was offered it."""

from __future__ import annotations

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.web import doors
from livehub.web.desk.frame import frame
from livehub.web.rendering import page
from rooms import sharing_queries as sharing

bp = Blueprint("desk_waitlist", url_prefix="/desk/waitlist")


@bp.get("/")
@doors.signed_in(Permission.BOOKING_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The line for each time to come."""
    now = clock.now()
    return page(
        "desk/waitlist.html",
        shell=await frame(request, actor, "waitlist"),
        now=now,
        waiting=await sharing.waiting(actor=actor, now=now),
    )
