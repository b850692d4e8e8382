"""/desk/bridge: how the figures of one scope differ by their basis, each step with the lines behind it."""

from __future__ import annotations

from msgspec import Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.reports import bridge
from livehub.reports.bridge import EQUATIONS, Bridge, Term
from livehub.reports.drill import LineAmount
from livehub.web import doors, exports, reading
from livehub.web.desk import sales, words
from livehub.web.desk.frame import asked, frame, order_path
from livehub.web.exports import Fen
from livehub.web.rendering import link, page

bp = Blueprint("desk_bridge", url_prefix="/desk/bridge")

PATH = "/desk/bridge"


class Query(sales.Query, rename={"since": "from", "until": "to"}):
    """The same scope as on the sales page, and which step is looked into."""

    term: Term = Term.G0


class Step(Struct, frozen=True, kw_only=True):
    """One row of the bridge."""

    term: Term
    sign: int  # 0: a pillar
    fen: int
    href: str


@bp.get("/")
@doors.signed_in(Permission.SALES_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The bridge of a scope."""
    now = clock.now()
    query = _read(request)
    scope = query.scope(actor)
    given = asked(request, Query)
    found = await bridge.of(scope)
    return page(
        "desk/bridge.html",
        shell=await frame(request, actor, "bridge"),
        query=given,
        axis=query.axis,
        from_day=query.since,
        to_day=query.until,
        as_of=query.as_of,
        now=now,
        pending=found.pending,
        parts=[_steps(found, equation, given, query) for equation in EQUATIONS],
        is_closed=not any(found.open_fen()),
        narrowings=await sales.narrowings_of(query, given, scope),
    )


@bp.get("/lines")
@doors.signed_in(Permission.SALES_READ)
async def show_lines(request: Request, actor: Actor) -> HTTPResponse:
    """The lines of one step, with the step beside their sum."""
    now = clock.now()
    query = _read(request)
    scope = query.scope(actor)
    given = asked(request, Query)
    whole = await bridge.of(scope)
    found = await bridge.lines(scope, query.term, number=query.page)
    return page(
        "desk/bridge_lines.html",
        shell=await frame(request, actor, "bridge"),
        query=given,
        term=query.term,
        axis=query.axis,
        from_day=query.since,
        to_day=query.until,
        as_of=query.as_of or now,
        pending=whole.pending,
        total_fen=whole.fen[query.term],
        page=found,
        hrefs=[order_path(line.shop, line.order_ref) for line in found.items],
        narrowings=await sales.narrowings_of(query, given, scope),
    )


@bp.get("/lines.csv")
@doors.signed_in(Permission.SALES_READ, freshly=True)
async def export_lines(request: Request, actor: Actor) -> HTTPResponse:
    """The lines of one step as a file."""
    query = _read(request)
    scope, rows, total = query.scope(actor), list[LineAmount](), 1
    while len(rows) < min(total, exports.LIMIT):
        found = await bridge.lines(scope, query.term, number=len(rows) // 200 + 1, size=200)
        total = found.total
        rows += found.items
        if not found.items:
            break
    return exports.csv_file(
        f"口径桥-{query.term}-{query.since or ''}-{query.until or ''}",
        [*sales.LINES_HEAD, words.term(query.term)],
        ((*sales.line_cells(line), Fen(line.amount_fen)) for line in rows),
        cut=exports.cut(total),
    )


def _read(request: Request) -> Query:
    return sales.with_days(reading.query(request, Query), now=clock.now())


def _steps(
    found: Bridge, equation: tuple[Term, tuple[Term, ...], Term], given: dict[str, str], query: Query
) -> list[Step]:
    start, between, end = equation
    return [
        Step(
            term=term,
            sign=term.sign if term in between else 0,
            fen=found.fen[term],
            href=_href(given, query, term),
        )
        for term in (start, *between, end)
    ]


def _href(given: dict[str, str], query: Query, term: Term) -> str:
    return link(f"{PATH}/lines", given, term=term, **{"from": query.since, "to": query.until})
