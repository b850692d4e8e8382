"""销售: figures on a basis and an axis, and the lines behind each figure."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

from msgspec import Meta, Struct, field

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid
from livehub.reports import drill, figures
from livehub.reports.basis import Axis, Basis
from livehub.reports.drill import LineAmount
from livehub.reports.figures import Figures, Grain, Scope
from livehub.web.api.calls import as_utc
from livehub.web.api.declared import ROOT, Asked, Section
from livehub.web.api.shapes import AsOf, Fen, Instant, Paging, Unit

calls = Section("销售")

Name = Annotated[str, Meta(max_length=64)]


class Question(Paging, frozen=True, kw_only=True):
    """哪些订单明细；留空即不限，- 表示“无”（未归属、未登记）。"""

    basis: Annotated[Basis, Meta(description="口径：G1 支付额，G2 成交额，G3 净成交额")] = Basis.G3
    axis: Annotated[Axis, Meta(description="日期轴：event 支付日，session 场次日")] = Axis.EVENT
    since: Annotated[date | None, Meta(description="起始日（含）")] = field(default=None, name="from")
    until: Annotated[date | None, Meta(description="截止日（含）")] = field(default=None, name="to")
    as_of: Annotated[Instant | None, Meta(description="只算到这一时刻入账的；不填为现在")] = None
    broadcast: Annotated[Name, Meta(description="场次公开编号")] = ""
    shop: Annotated[Name, Meta(description="店铺公开编号")] = ""
    platform: Name = ""
    streamer: Annotated[Name, Meta(description="主播公开编号")] = ""
    product: Annotated[Name, Meta(description="商品公开编号")] = ""
    town: Name = ""
    room: Annotated[Name, Meta(description="直播间公开编号")] = ""
    theme: Name = ""
    bureau: Annotated[Name, Meta(description="部门公开编号")] = ""
    attribution: Annotated[
        Literal["", "A", "B", "C", "D", "M", "U"], Meta(description="归属等级，U 为未归属")
    ] = ""


class FiguresQuestion(Question, frozen=True, kw_only=True):
    """哪些数字，按什么分组。"""

    by: Annotated[Grain | None, Meta(description="分组；不填只给合计")] = None


class Figure(Struct, frozen=True, kw_only=True):
    """一个数字，连同它的口径、截至时刻和明细地址。"""

    key: Annotated[str, Meta(description="分组的值；按日分组时为日期，- 表示“无”")]
    label: str
    numerator: Annotated[int, Meta(description="所问口径的金额，单位：分")]
    unit: Unit
    basis: Basis
    as_of: AsOf
    pending: Annotated[int, Meta(description="还没有取到全文的订单数，不在金额内")]
    evidence_url: Annotated[str, Meta(description="这个数字的明细；明细之和即这个数字")]
    g1_fen: Fen
    g2_fen: Fen
    g3_fen: Fen
    refund_fen: Fen
    voucher_subsidy_fen: Fen
    orders: int
    units: int
    refunds: int


class FiguresAnswer(Struct, frozen=True, kw_only=True):
    """合计与分组。"""

    basis: Basis
    axis: Axis
    unit: Unit
    as_of: AsOf
    by: Grain | None
    total: Figure
    rows: Annotated[list[Figure], Meta(description="金额大的在前；按日分组时新的在前")]
    has_more: Annotated[bool, Meta(description="分组多于 size，其余未列出")]


class SalesLine(Struct, frozen=True, kw_only=True):
    """一条订单明细在这个数字里的金额。"""

    order_ref: str
    line_ref: str
    shop: str
    shop_name: str
    platform: str
    numerator: Annotated[int, Meta(description="单位：分")]
    day: date
    attribution: str
    broadcast: str
    broadcast_title: str
    product_name: str
    paid_at: Instant | None
    status: str
    evidence_url: Annotated[str, Meta(description="这个订单和它的全部消息")]


class LinesAnswer(Struct, frozen=True, kw_only=True):
    """一个数字的明细。"""

    basis: Basis
    axis: Axis
    unit: Unit
    as_of: AsOf
    numerator: Annotated[int, Meta(description="全部明细之和，即这个数字，单位：分")]
    items: list[SalesLine]
    page: int
    size: int
    total: int


@calls.get(
    "/sales/figures",
    summary="销售数字：任一口径、日期轴、分组和截至时刻",
    needs=(Permission.SALES_READ,),
    query=FiguresQuestion,
    answer=FiguresAnswer,
)
async def sums(asked: Asked[FiguresQuestion, None]) -> FiguresAnswer:
    """The total, and its parts when they are asked for."""
    query = asked.query
    scope = scope_of(query, actor=asked.actor)
    as_of = scope.as_of or asked.now
    total = await figures.total(scope)
    parts: list[Figures] = []
    if query.by is not None:
        parts = await figures.by(scope, query.by, basis=query.basis, limit=query.size + 1)
    return FiguresAnswer(
        basis=query.basis,
        axis=query.axis,
        unit="fen",
        as_of=as_of,
        by=query.by,
        total=_figure(total, query, as_of=as_of),
        rows=[_figure(part, query, as_of=as_of, by=query.by) for part in parts[: query.size]],
        has_more=len(parts) > query.size,
    )


@calls.get(
    "/sales/lines",
    summary="一个数字的明细，金额大的在前",
    needs=(Permission.SALES_READ,),
    query=Question,
    answer=LinesAnswer,
)
async def lines(asked: Asked[Question, None]) -> LinesAnswer:
    """The order lines whose amounts add up to the figure of the same question."""
    query = asked.query
    scope = scope_of(query, actor=asked.actor)
    page = await drill.lines(scope, query.basis, number=query.page, size=query.size)
    whole = await figures.total(scope)
    return LinesAnswer(
        basis=query.basis,
        axis=query.axis,
        unit="fen",
        as_of=scope.as_of or asked.now,
        numerator=whole.amount(query.basis),
        items=[line(each) for each in page.items],
        page=page.number,
        size=page.size,
        total=page.total,
    )


def scope_of(query: Question, *, actor: Actor) -> Scope:
    """The rows meant, as far as the reader may see them."""
    if query.since is not None and query.until is not None and query.since > query.until:
        raise Invalid(details=[Detail("to", "早于 from", "不早于 from 的日期")])
    named = {name: getattr(query, name) for name in _FILTERS}
    return Scope(
        centre_id=actor.centre_id,
        bureaus=bureau_scope(actor, Permission.SALES_READ),
        day_from=query.since,
        day_to=query.until,
        axis=query.axis,
        as_of=as_utc(query.as_of) if query.as_of is not None else None,
        **named,
    )


_FILTERS = [
    "broadcast",
    "shop",
    "platform",
    "streamer",
    "product",
    "town",
    "room",
    "theme",
    "bureau",
    "attribution",
]


def _figure(row: Figures, query: Question, *, as_of: datetime, by: Grain | None = None) -> Figure:
    key = clock.day_of_number(int(row.key)).isoformat() if by is Grain.DAY else row.key
    return Figure(
        key=key,
        label=key if by is Grain.DAY else row.label,
        numerator=row.amount(query.basis),
        unit="fen",
        basis=query.basis,
        as_of=as_of,
        pending=row.pending,
        evidence_url=_evidence(query, by=by, key=key),
        g1_fen=row.g1_fen,
        g2_fen=row.g2_fen,
        g3_fen=row.g3_fen,
        refund_fen=row.refund_fen,
        voucher_subsidy_fen=row.voucher_subsidy_fen,
        orders=row.orders,
        units=row.units,
        refunds=row.refunds,
    )


def _evidence(query: Question, *, by: Grain | None, key: str) -> str:
    """The lines of one figure: the same question, narrowed to its row."""
    asked = {"basis": str(query.basis), **address(query)}
    if by is Grain.DAY:
        asked |= {"from": key, "to": key}
    elif by is not None:
        asked[str(by)] = key
    return f"{ROOT}/sales/lines?{urlencode({name: text for name, text in asked.items() if text})}"


def address(query: Question) -> dict[str, str]:
    """What narrows a question, as it stands in an address; '' where it does not."""
    return {
        "axis": str(query.axis),
        "from": query.since.isoformat() if query.since else "",
        "to": query.until.isoformat() if query.until else "",
        "as_of": as_utc(query.as_of).isoformat() if query.as_of else "",
        **{name: getattr(query, name) for name in _FILTERS},
    }


def line(each: LineAmount) -> SalesLine:
    """One line as it is answered."""
    return SalesLine(
        order_ref=each.order_ref,
        line_ref=each.line_ref,
        shop=each.shop,
        shop_name=each.shop_name,
        platform=each.platform,
        numerator=each.amount_fen,
        day=each.day,
        attribution=each.attribution,
        broadcast=each.broadcast,
        broadcast_title=each.broadcast_title,
        product_name=each.product_name,
        paid_at=each.paid_at,
        status=each.status,
        evidence_url=f"{ROOT}/orders/{each.shop}/{quote(each.order_ref, safe='')}",
    )
