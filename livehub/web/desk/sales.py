"""/desk/sales: any total by any grain on a named basis, and the lines it is the sum of."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit import clock
from livehub.orders import reconciled
from livehub.reports import broadcasts, drill, figures, periods
from livehub.reports.basis import Axis, Basis
from livehub.reports.broadcasts import Where
from livehub.reports.drill import LineAmount
from livehub.reports.figures import Figures, Grain, Scope
from livehub.reports.periods import DayState
from livehub.web import doors, exports, reading
from livehub.web.desk import words
from livehub.web.desk.frame import asked, frame, order_path
from livehub.web.exports import Fen
from livehub.web.reading import LocalTime
from livehub.web.rendering import link, page

bp = Blueprint("desk_sales", url_prefix="/desk/sales")

SHOWN = 200  # rows of the table
USUAL_DAYS = 7
YEARS = range(2000, 2200)
NARROWING = (
    *("broadcast", "streamer", "room", "theme", "bureau"),
    *("product", "town", "shop", "platform", "attribution"),
)
TABLE_HEAD = (
    *("编号", "名称", "支付额 G1", "成交额 G2", "退款", "净成交额 G3"),
    *("订单", "件数", "退款笔数", "待取数"),
)
LINES_HEAD = ("平台", "店铺", "订单号", "明细号", "商品", "日期", "支付时间", "场次", "归属")
Ref = Annotated[str, Meta(max_length=64)]
Q = TypeVar("Q", bound="Query")


class Query(Struct, rename={"since": "from", "until": "to"}):
    """The address of a number: from and to are half-open, '-' names what has none."""

    since: date | None = None
    until: date | None = None
    basis: Basis = Basis.G3
    axis: Axis = Axis.EVENT
    by: Grain = Grain.DAY
    as_of: LocalTime | None = None
    booked_after: LocalTime | None = None
    paid_from: LocalTime | None = None
    paid_until: LocalTime | None = None
    broadcast: Ref = ""
    streamer: Ref = ""
    room: Ref = ""
    theme: Ref = ""
    bureau: Ref = ""
    product: Ref = ""
    town: Ref = ""
    shop: Ref = ""
    platform: Ref = ""
    attribution: Literal["", "A", "B", "C", "D", "M", "U"] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1

    def __post_init__(self) -> None:
        """Refuse days that no calendar of ours reaches."""
        if any(day is not None and day.year not in YEARS for day in (self.since, self.until)):
            raise ValueError("日期超出范围")

    def scope(self, actor: Actor) -> Scope:
        """The rows meant, as far as the reader may see them."""
        return Scope(
            centre_id=actor.centre_id,
            bureaus=bureau_scope(actor, Permission.SALES_READ),
            day_from=self.since,
            day_to=self.until - timedelta(days=1) if self.until else None,
            axis=self.axis,
            as_of=self.as_of,
            booked_after=self.booked_after,
            paid_from=self.paid_from,
            paid_until=self.paid_until,
            **{name: getattr(self, name) for name in NARROWING},
        )

    def narrowed(self) -> bool:
        """Whether something else than the days narrows the question."""
        return any(getattr(self, name) for name in NARROWING)


class Narrowing(Struct, frozen=True, kw_only=True):
    """A condition in force and the address without it."""

    grain: str
    name: str
    without: str


class Row(Struct, frozen=True, kw_only=True):
    """One row of the table; ``href`` leads to its lines."""

    name: str
    where: Where | None  # of a broadcast
    href: str
    figures: Figures
    amount_fen: int


@bp.get("/")
@doors.signed_in(Permission.SALES_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """A total, taken apart."""
    now = clock.now()
    query = with_days(reading.query(request, Query), now=now)
    scope = query.scope(actor)
    rows = await figures.by(scope, query.by, basis=query.basis, limit=SHOWN + 1)
    where = await broadcasts.named([each.key for each in rows]) if query.by is Grain.BROADCAST else {}
    given = asked(request, Query)
    return page(
        "desk/sales.html",
        shell=await frame(request, actor, "sales"),
        now=now,
        query=given,
        basis=query.basis,
        axis=query.axis,
        by=query.by,
        grains=list(Grain),
        from_day=query.since,
        to_day=query.until,
        as_of=query.as_of,
        booked_after=query.booked_after,
        total=await figures.total(scope),
        rows=[_row(each, query, given, where.get(each.key)) for each in rows[:SHOWN] if _counts(each)],
        is_cut=len(rows) > SHOWN,
        lines_href={basis: _lines_href(given, query, basis=basis) for basis in Basis},
        narrowings=await narrowings_of(query, given, scope),
        day_states=await _day_states(query, actor, now=now),
        unreconciled=await reconciled.late(centre_id=scope.centre_id, bureaus=scope.bureaus, now=now),
    )


@bp.get("/export.csv")
@doors.signed_in(Permission.SALES_READ, freshly=True)
async def export(request: Request, actor: Actor) -> HTTPResponse:
    """The table as a file, every basis in a column of its own."""
    query = with_days(reading.query(request, Query), now=clock.now())
    rows = await figures.by(query.scope(actor), query.by, basis=query.basis, limit=exports.LIMIT + 1)
    return exports.csv_file(
        f"销售汇总-{query.since or ''}-{query.until or ''}",
        TABLE_HEAD,
        (
            (
                each.key,
                _name(query.by, each),
                Fen(each.g1_fen),
                Fen(each.g2_fen),
                Fen(each.refund_fen),
                Fen(each.g3_fen),
                each.orders,
                each.units,
                each.refunds,
                each.pending,
            )
            for each in rows[: exports.LIMIT]
        ),
        cut=exports.cut(len(rows)),
    )


@bp.get("/lines")
@doors.signed_in(Permission.SALES_READ)
async def show_lines(request: Request, actor: Actor) -> HTTPResponse:
    """The lines of a number, with their own sum beside it."""
    now = clock.now()
    query = with_days(reading.query(request, Query), now=now)
    scope = query.scope(actor)
    number = await figures.total(scope)
    # The lines are read from the entries, the number from the buckets: two ways to the same sum.
    lines_sum = await figures.total(msgspec.structs.replace(scope, as_of=query.as_of or now))
    found = await drill.lines(scope, query.basis, number=query.page)
    return page(
        "desk/sales_lines.html",
        shell=await frame(request, actor, "sales"),
        query=asked(request, Query),
        basis=query.basis,
        axis=query.axis,
        as_of=query.as_of or now,
        booked_after=query.booked_after,
        paid=(query.paid_from, query.paid_until),
        from_day=query.since,
        to_day=query.until,
        total_fen=number.amount(query.basis),
        lines_fen=lines_sum.amount(query.basis),
        pending=number.pending,
        page=found,
        hrefs=[order_path(line.shop, line.order_ref) for line in found.items],
        narrowings=await narrowings_of(query, asked(request, Query), scope),
    )


@bp.get("/lines.csv")
@doors.signed_in(Permission.SALES_READ, freshly=True)
async def export_lines(request: Request, actor: Actor) -> HTTPResponse:
    """The lines of a number as a file."""
    query = with_days(reading.query(request, Query), now=clock.now())
    scope, rows, total = query.scope(actor), list[LineAmount](), 1
    while len(rows) < min(total, exports.LIMIT):
        found = await drill.lines(scope, query.basis, number=len(rows) // 200 + 1, size=200)
        total = found.total
        rows += found.items
        if not found.items:
            break
    return exports.csv_file(
        f"明细-{query.basis}-{query.since or ''}-{query.until or ''}",
        [*LINES_HEAD, f"{query.basis.label} {query.basis}"],
        ((*line_cells(line), Fen(line.amount_fen)) for line in rows),
        cut=exports.cut(total),
    )


def line_cells(line: LineAmount) -> tuple[exports.Cell, ...]:
    """A line under LINES_HEAD."""
    return (
        words.platform(line.platform),
        line.shop_name,
        line.order_ref,
        line.line_ref,
        line.product_name,
        line.day,
        line.paid_at,
        line.broadcast_title,
        words.attribution(line.attribution),
    )


async def _day_states(query: Query, actor: Actor, *, now: datetime) -> dict[DayState, int]:
    """How many of the days in sight are in which state; nothing where the address names no days."""
    today = clock.local_day(now)
    last = min(today, query.until - timedelta(days=1)) if query.until else today
    if query.since is None or query.since > last or query.axis is Axis.SESSION:
        return {}
    found = await periods.days(centre_id=actor.centre_id, first=query.since, last=last)
    return dict(Counter(each.state for each in found))


def with_days(query: Q, *, now: datetime) -> Q:
    """The last week unless the address says which days, or what it is about."""
    if query.since is None and query.until is None and not query.narrowed():
        today = clock.local_day(now)
        query.since, query.until = today - timedelta(days=USUAL_DAYS - 1), today + timedelta(days=1)
    return query


def _counts(each: Figures) -> bool:
    """Whether a row says anything: a broadcast that an order was moved away from is all zeroes."""
    return any((each.g1_fen, each.g2_fen, each.refund_fen, each.orders, each.units, each.pending))


def _row(each: Figures, query: Query, given: dict[str, str], where: Where | None) -> Row:
    return Row(
        name=_name(query.by, each),
        where=where,
        href=_lines_href(given, query, basis=query.basis, key=each.key),
        figures=each,
        amount_fen=each.amount(query.basis),
    )


def _lines_href(given: dict[str, str], query: Query, *, basis: Basis, key: str = "") -> str:
    """Where the lines of a total are, or of the row of one key."""
    changes: dict[str, object] = {"by": "", "basis": basis, "from": query.since, "to": query.until}
    if key and query.by is Grain.DAY:
        day = clock.day_of_number(int(key))
        changes |= {"from": day, "to": day + timedelta(days=1)}
    elif key:
        changes[str(query.by)] = key
    return link("/desk/sales/lines", given, **changes)


async def narrowings_of(query: Query, given: dict[str, str], scope: Scope) -> list[Narrowing]:
    """What narrows the question, by name, and how each is taken away."""
    found = []
    for name in NARROWING:
        wanted = getattr(query, name)
        if wanted:
            alone = Scope(centre_id=scope.centre_id, bureaus=scope.bureaus, **{name: wanted})
            named = await figures.by(alone, Grain(name), limit=1)
            label = _name(Grain(name), named[0]) if named else wanted
            without = {key: text for key, text in given.items() if key != name}
            found.append(Narrowing(grain=name, name=label, without=link("", without) or "?"))
    return found


def _name(by: Grain, row: Figures) -> str:
    """What a row is called."""
    if by is Grain.DAY:
        return clock.day_of_number(int(row.key)).isoformat()
    if row.key == "-":
        return NONE_OF.get(by, "无")
    named = {Grain.PLATFORM: words.platform, Grain.THEME: words.theme, Grain.ATTRIBUTION: words.attribution}
    return named[by](row.key) if by in named else row.label


NONE_OF = {
    Grain.BROADCAST: "未归属场次",
    Grain.STREAMER: "未归属主播",
    Grain.ROOM: "未归属直播间",
    Grain.THEME: "未归属主题",
    Grain.PRODUCT: "未映射商品",
    Grain.TOWN: "产地未知",
}
