"""/desk/broadcasts/{id}/precheck 开播前检查: staff sign for the console or for the centre."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.web import doors, reading
from livehub.web.desk.broadcasts import console
from livehub.web.desk.frame import back
from rooms import prechecks

bp = Blueprint("desk_prechecks", url_prefix="/desk/broadcasts")


class Signed(Struct):
    """What was ticked, and as what it is signed."""

    role: Annotated[str, Meta(max_length=8)] = ""
    ticked: Annotated[list[str], Meta(max_length=20)] = []


@bp.post("/<public_id:str>/precheck")
@doors.signed_in(Permission.BROADCAST_RUN)
async def sign(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Sign the checklist."""
    ticked: list[str] = []
    try:
        given = reading.form(request, Signed)
        ticked = given.ticked
        await database.unit(
            lambda: prechecks.sign(
                public_id, ticked=given.ticked, role=given.role, actor=actor, now=clock.now()
            )
        )
    except NotFound:
        raise
    except LivehubError as error:
        return await console(request, actor, public_id, refusal=doors.shown(request, error), ticked=ticked)
    return back(f"/desk/broadcasts/{public_id}", done="check-signed")
