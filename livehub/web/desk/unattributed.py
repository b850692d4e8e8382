"""/desk/broadcasts/{id}/unattributed 未归属明细: sold by a show's shops in its hours, and no show's yet."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import quote, unquote

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, LivehubError
from livehub.orders import assigning
from livehub.orders.assigning import Named
from livehub.reports import unattributed
from livehub.reports.unattributed import Loose
from livehub.web import doors, reading
from livehub.web.desk.frame import asked, back, frame, order_path
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import queries as rooms

bp = Blueprint("desk_unattributed", url_prefix="/desk/broadcasts")

AFTER = ((0, "到下播为止"), (30, "下播后 30 分钟"), (24 * 60, "下播后 24 小时"))


class Query(Struct):
    """The list's address; minutes after the end."""

    after: Literal[0, 30, 1440] = 30
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Given(Struct):
    """Which lines belong to this broadcast, and how that is known."""

    lines: Annotated[list[Annotated[str, Meta(max_length=600)]], Meta(max_length=assigning.MOST)] = []
    reason: Annotated[str, Meta(max_length=200)] = ""


@bp.get("/<public_id:str>/unattributed")
@doors.signed_in(Permission.SALES_READ)
async def show(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """The list."""
    return await _list(request, actor, public_id, form=reading.blank())


@bp.post("/<public_id:str>/unattributed")
@doors.signed_in(Permission.SALES_ASSIGN)
async def give(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Give the chosen lines to this broadcast."""
    await rooms.broadcast(public_id, actor=actor)
    try:
        given = reading.form(request, Given)
        lines = [named(each) for each in given.lines]
        await database.unit(
            lambda: assigning.give(
                lines, broadcast=public_id, reason=given.reason, actor=actor, now=clock.now()
            )
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _list(request, actor, public_id, form=form, status=error.status)
    return back(f"/desk/broadcasts/{public_id}/unattributed", done="lines-given")


async def _list(
    request: Request, actor: Actor, public_id: str, *, form: Form, status: int = 200
) -> HTTPResponse:
    seen, now = await rooms.broadcast(public_id, actor=actor), clock.now()
    query = reading.query(request, Query)
    found = await unattributed.near(
        seen, after=timedelta(minutes=query.after), actor=actor, now=now, number=query.page
    )
    return page(
        "desk/unattributed.html",
        status=status,
        shell=await frame(request, actor, "broadcasts"),
        broadcast=seen,
        query=asked(request, Query),
        after=query.after,
        choices=AFTER,
        page=found,
        values=[value(each) for each in found.items],
        hrefs=[order_path(each.shop, each.order_ref) for each in found.items],
        form=form,
        may_assign=may(actor, Permission.SALES_ASSIGN),
    )


def value(line: Loose) -> str:
    """A line as a form's field has it."""
    return "/".join(quote(each, safe="") for each in (line.shop, line.order_ref, line.line_ref))


def named(text: str) -> Named:
    """The line of a form's field."""
    parts = [unquote(each) for each in text.split("/")]
    if len(parts) != len(Named.__struct_fields__) or any("\x00" in each for each in parts):
        raise Invalid(details=[Detail("lines", "请从列表里选择明细", "店铺/订单号/明细号")])
    return Named(*parts)
