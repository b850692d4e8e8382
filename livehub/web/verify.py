"""/verify/{code}: anybody may ask whether a certificate is genuine; told is what the paper says, no more."""

from __future__ import annotations

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.web import doors
from livehub.web.rendering import page
from streamers.training import certificates

bp = Blueprint("verify", url_prefix="/verify")


@bp.get("/<code:str>")
@doors.public
async def verify(_request: Request, code: str) -> HTTPResponse:
    """Genuine, ended, or unknown (404)."""
    found = await certificates.verify(code)
    answer = page("verify.html", status=200 if found else 404, found=found, code=code[:40])
    answer.headers["Cache-Control"] = "no-store"
    return answer
