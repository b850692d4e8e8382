"""/desk/repairs 数据修复: figures that the audit found wrong, what they were and what they became."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.reports import repairs
from livehub.web import doors, reading
from livehub.web.desk.frame import asked, frame, order_path
from livehub.web.rendering import page

bp = Blueprint("desk_repairs", url_prefix="/desk/repairs")


class Query(Struct):
    """The list's address."""

    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


@bp.get("/")
@doors.signed_in(Permission.INBOX_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The list, the newest first."""
    query = reading.query(request, Query)
    found = await repairs.of_centre(actor=actor, number=query.page)
    return page(
        "desk/repairs.html",
        shell=await frame(request, actor, "inbox"),
        query=asked(request, Query),
        page=found,
        hrefs=[order_path(each.shop, each.order_ref) if each.order_ref else "" for each in found.items],
    )
