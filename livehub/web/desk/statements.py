"""/desk/statements 平台结算单: a file is looked at, imported, and what does not agree is explained."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, LivehubError, NotFound
from livehub.orders.statements import differences, drafts, importing, queries, registry
from livehub.orders.statements.errors import AlreadyImported
from livehub.orders.statements.models import DifferenceState
from livehub.orders.statements.queries import Difference
from livehub.web import doors, exports, reading
from livehub.web import importing as patience
from livehub.web.desk import words
from livehub.web.desk.frame import Reason, asked, back, frame, order_path
from livehub.web.exports import Fen
from livehub.web.reading import Form
from livehub.web.rendering import page

bp = Blueprint("desk_statements", url_prefix="/desk/statements")

PATH = "/desk/statements"
NAME_LENGTH = 120
HEAD = (
    "结算单",
    "文件行",
    "平台",
    "店铺",
    "订单号",
    "明细号",
    "差异",
    "应结",
    "已结",
    "相差",
    "状态",
    "说明",
    "说明人",
)


class Query(Struct):
    """The list's address."""

    shop: Annotated[str, Meta(max_length=16)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class DifferenceQuery(Struct):
    """Which differences."""

    statement: Annotated[str, Meta(max_length=16)] = ""
    kind: Annotated[str, Meta(max_length=12)] = ""
    state: Annotated[str, Meta(max_length=12)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Upload(Struct):
    """What stands beside the file."""

    shop: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择店铺"})]
    source: Annotated[str, Meta(min_length=1, max_length=32, extra={"expected": "选择格式"})]


class Explained(Reason):
    """A reason, and the list to go back to."""

    back: Annotated[str, Meta(max_length=400)] = ""


@bp.get("/")
@doors.signed_in(Permission.STATEMENT_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The statements, and the form for another."""
    return await _list(request, actor, form=reading.blank())


@bp.post("/", stream=True)
@doors.uploading(Permission.STATEMENT_IMPORT)
async def upload(request: Request, actor: Actor) -> HTTPResponse:
    """Look at a file; nothing is booked yet."""
    try:
        given = reading.form(request, Upload)
        name, raw = _file(request)
        made = await drafts.draft(
            raw, name=name, shop=given.shop, source=given.source, actor=actor, now=clock.now()
        )
    except AlreadyImported as error:
        return back(f"{PATH}/{error.data['statement']}", done="statement-known")
    except LivehubError as error:
        return await _list(
            request, actor, form=reading.refused(request, doors.shown(request, error)), refusal=error
        )
    return back(f"{PATH}/{made.public_id}", done="statement-read")


@bp.get("/differences")
@doors.signed_in(Permission.STATEMENT_READ)
async def show_differences(request: Request, actor: Actor) -> HTTPResponse:
    """What does not agree, of all statements or of one."""
    return await _differences(request, actor)


@bp.get("/differences.csv")
@doors.signed_in(Permission.STATEMENT_READ, freshly=True)
async def export_differences(request: Request, actor: Actor) -> HTTPResponse:
    """The same as a file."""
    query = reading.query(request, DifferenceQuery)
    rows, total = list[Difference](), 1
    while len(rows) < min(total, exports.LIMIT):
        found = await _found(query, actor, number=len(rows) // 200 + 1, size=200)
        total = found.total
        rows += found.items
        if not found.items:
            break
    return exports.csv_file(
        "对账差异",
        HEAD,
        (
            (
                each.statement_name,
                each.line or None,
                words.platform(each.platform),
                each.shop_name,
                each.order_ref,
                each.line_ref,
                words.difference(each.kind),
                Fen(each.net_fen),
                Fen(each.settled_fen),
                Fen(each.fen),
                words.state("difference", each.state),
                each.reason,
                each.explained_by,
            )
            for each in rows
        ),
        cut=exports.cut(total),
    )


@bp.post("/differences/<difference_id:int>/explain")
@doors.signed_in(Permission.STATEMENT_IMPORT)
async def explain(request: Request, actor: Actor, difference_id: int) -> HTTPResponse:
    """Say why something does not agree."""
    try:
        given = reading.form(request, Explained)
        await differences.explain(difference_id, reason=given.reason, actor=actor, now=clock.now())
    except NotFound:
        raise
    except LivehubError as error:
        return await _differences(request, actor, refusal=doors.shown(request, error), failed=difference_id)
    is_ours = given.back.startswith(f"{PATH}/") and "//" not in given.back
    return back(given.back if is_ours else f"{PATH}/differences", done="explained")


@bp.get("/<public_id:str>")
@doors.signed_in(Permission.STATEMENT_READ)
async def show_one(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """One statement: what its file holds, or what came of it."""
    return await _statement(request, actor, public_id)


@bp.post("/<public_id:str>/import")
@doors.signed_in(Permission.STATEMENT_IMPORT)
async def import_one(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Book it. A long file goes on after the page is answered."""
    try:
        statement = await importing.begin(public_id, actor=actor, now=clock.now())
    except NotFound:
        raise
    except LivehubError as error:
        return await _statement(request, actor, public_id, refusal=doors.shown(request, error))
    is_done = await patience.go_on(request.app.ctx, statement.id, now=clock.now())
    return back(f"{PATH}/{public_id}", done="statement-imported" if is_done else "statement-importing")


def _file(request: Request) -> tuple[str, bytes]:
    """(name, bytes) of the file; Invalid when there is none, or it is too large."""
    sent = request.files.get("file") if request.files else None
    if sent is None or not sent.name:
        raise Invalid(details=[Detail("file", "请选择文件", "平台导出的结算单")])
    limit = request.app.ctx.settings.statement_limit
    if len(sent.body) > limit:
        raise Invalid(details=[Detail("file", f"文件超过 {limit // 2**20} MB", "按月或按旬拆成几个文件")])
    name = sent.name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(letter for letter in name if unicodedata.category(letter)[0] not in "CZ" or letter == " ")
    return plain.strip()[-NAME_LENGTH:] or "结算单", sent.body


async def _list(
    request: Request, actor: Actor, *, form: Form, refusal: LivehubError | None = None
) -> HTTPResponse:
    query = reading.query(request, Query) if refusal is None else Query()
    sellers = await queries.sellers(centre_id=actor.centre_id)
    return page(
        "desk/statements.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "statements"),
        page=await queries.statements(actor=actor, shop=query.shop, number=query.page),
        query=asked(request, Query),
        waiting=await queries.open_differences(centre_id=actor.centre_id),
        may_import=may(actor, Permission.STATEMENT_IMPORT),
        form=form,
        shops=[(each.public_id, f"{words.platform(each.platform)} · {each.name}") for each in sellers],
        sources=[(each.name, each.label) for each in registry.all()],
        megabytes=request.app.ctx.settings.statement_limit // 2**20,
    )


async def _statement(
    request: Request, actor: Actor, public_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    whole = await queries.statement(public_id, actor=actor)
    found = await queries.differences(actor=actor, statement=public_id, state=DifferenceState.OPEN, size=20)
    return page(
        "desk/statement.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "statements", refusal=refusal),
        statement=whole.seen,
        whole=whole,
        page=found,
        hrefs=_hrefs(found.items),
        may_import=may(actor, Permission.STATEMENT_IMPORT),
    )


async def _differences(
    request: Request, actor: Actor, *, refusal: LivehubError | None = None, failed: int = 0
) -> HTTPResponse:
    query = reading.query(request, DifferenceQuery)
    found = await _found(query, actor, number=query.page, size=50)
    return page(
        "desk/differences.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "statements", refusal=refusal),
        query=asked(request, DifferenceQuery),
        page=found,
        hrefs=_hrefs(found.items),
        waiting=await queries.open_differences(centre_id=actor.centre_id),
        may_explain=may(actor, Permission.STATEMENT_IMPORT),
        failed=failed,
        reason=reading.last(request, "reason"),
    )


async def _found(query: DifferenceQuery, actor: Actor, *, number: int, size: int) -> queries.Differences:
    return await queries.differences(
        actor=actor, statement=query.statement, kind=query.kind, state=query.state, number=number, size=size
    )


def _hrefs(found: list[Difference]) -> list[str]:
    return [order_path(each.shop, each.order_ref) if each.is_known else "" for each in found]
