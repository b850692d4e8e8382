"""/desk/outbox 发件箱: what was written to people where no channel carries it out of the house."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.notices import queries
from livehub.notices.queries import NoticeRow
from livehub.web import doors, reading
from livehub.web.desk.frame import asked, frame
from livehub.web.rendering import page

bp = Blueprint("desk_outbox", url_prefix="/desk/outbox")

_CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")


class Query(Struct):
    """The list's address."""

    kind: Annotated[str, Meta(max_length=32)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


@bp.get("/")
@doors.signed_in(Permission.OUTBOX_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The list, newest first; a code is only in what the outbox itself delivers."""
    query = reading.query(request, Query)
    found = await queries.recent(actor, number=query.page, kind=query.kind)
    return page(
        "desk/outbox.html",
        shell=await frame(request, actor, "outbox"),
        now=clock.now(),
        query=asked(request, Query),
        page=found,
        codes={row.id: code for row in found.items if (code := _code(row))},
    )


def _code(row: NoticeRow) -> str:
    found = _CODE.search(row.body) if row.kind == "one_time_code" else None
    return found.group() if found else ""
