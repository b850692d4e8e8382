"""/feeds/{token}.ics: what calendars fetch; whoever has the address may read it, and learns nothing else."""

from __future__ import annotations

from hashlib import sha256

from sanic import Blueprint, Request
from sanic.response import HTTPResponse, empty

from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.web import doors
from rooms import feeds

bp = Blueprint("feeds", url_prefix="/feeds")

CALENDAR = "text/calendar; charset=utf-8"
TOKEN_LENGTH = 64


@bp.get("/<token=str:ext=ics>")
@doors.public
async def calendar(request: Request, token: str, ext: str) -> HTTPResponse:  # noqa: ARG001 -- the route's
    """The calendar, or nothing new; unknown, changed and revoked addresses are answered alike."""
    if len(token) > TOKEN_LENGTH:
        raise NotFound
    body = await feeds.read(token, now=clock.now())
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=300", "Referrer-Policy": "no-referrer"}
    if tag in request.headers.get("if-none-match", "").replace("W/", ""):
        return empty(status=304, headers=headers)
    return HTTPResponse(body, content_type=CALENDAR, headers=headers)
