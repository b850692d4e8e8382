"""销售: figures on a basis and an axis, the lines behind each figure, and the order behind each line."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from urllib.parse import quote, urlencode

from msgspec import Meta, Struct, field

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid
from livehub.platforms.contract import RefundKind, RefundSnapshot
from livehub.reports import drill, figures
from livehub.reports.basis import Axis, Basis
from livehub.reports.drill import Booked, LineAmount, MessageSeen, OrderView
from livehub.reports.figures import Figures, Grain, Scope
from livehub.web.api.calls import as_utc
from livehub.web.api.declared import ROOT, Asked, Section
from livehub.web.api.shapes import AsOf, Fen, Instant, Nothing, Paging, RowRef, Unit

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
    attribution: Annotated[Name, Meta(description="归属等级，如 A、U")] = ""


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


class OrderLine(Struct, frozen=True, kw_only=True):
    """订单里的一行：标价 = 商家优惠 + 平台优惠 + 其他优惠 + 消费券 + 实付，运费另计。"""

    line_ref: str
    title: str
    quantity: int
    list_fen: Fen
    merchant_disc_fen: Fen
    platform_disc_fen: Fen
    other_disc_fen: Fen
    voucher_subsidy_fen: Fen
    buyer_paid_fen: Fen
    freight_fen: Fen


class OrderRefund(Struct, frozen=True, kw_only=True):
    """一笔售后。"""

    refund_ref: str
    line_ref: Annotated[str, Meta(description="空：整单")]
    kind: RefundKind
    status: str
    applied_fen: Fen | None
    refunded_fen: Fen | None
    succeeded_at: Instant | None


class Entry(Struct, frozen=True, kw_only=True):
    """一条消息使一行明细的金额变了多少。"""

    line_ref: str
    day: date
    attribution: str
    broadcast: str
    g2_fen: Fen
    refund_fen: Fen
    message: RowRef
    evidence_url: str
    reason: str
    applied_at: Instant


class OrderMessage(Struct, frozen=True, kw_only=True):
    """说到这个订单的一条消息。"""

    id: RowRef
    native_type: str
    native_id: str
    source: str
    status: str
    reason: str
    error: str
    received_at: Instant
    delivery: RowRef
    verdict: str
    evidence_url: str


class Order(Struct, frozen=True, kw_only=True):
    """一个订单：合并后的状态，入账的每一笔，和引起它们的每条消息。"""

    order_ref: str
    shop: str
    shop_name: str
    platform: str
    status: str
    is_complete: bool
    is_pending: bool
    paid_at: Instant | None
    basis: Annotated[Basis, Meta(description="g2_fen 的口径；减去 refund_fen 即 G3")]
    unit: Unit
    as_of: AsOf
    g2_fen: Fen
    refund_fen: Fen
    lines: list[OrderLine]
    refunds: list[OrderRefund]
    outstanding: Annotated[list[str], Meta(description="还要取的内容")]
    entries: list[Entry]
    messages: list[OrderMessage]


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
    scope = _scope(query, actor=asked.actor)
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
    scope = _scope(query, actor=asked.actor)
    page = await drill.lines(scope, query.basis, number=query.page, size=query.size)
    whole = await figures.total(scope)
    return LinesAnswer(
        basis=query.basis,
        axis=query.axis,
        unit="fen",
        as_of=scope.as_of or asked.now,
        numerator=whole.amount(query.basis),
        items=[_line(each) for each in page.items],
        page=page.number,
        size=page.size,
        total=page.total,
    )


@calls.get(
    "/orders/{shop_id}/{order_ref}",
    summary="一个订单和引起它的每条消息",
    needs=(Permission.SALES_READ,),
    query=Nothing,
    answer=Order,
)
async def order(asked: Asked[Nothing, None], shop_id: str, order_ref: str) -> Order:
    """The order as merged, every entry it made and every message about it."""
    return _order(await drill.order(shop_id, order_ref, actor=asked.actor), as_of=asked.now)


def _scope(query: Question, *, actor: Actor) -> Scope:
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
    asked = {
        "basis": str(query.basis),
        "axis": str(query.axis),
        "from": query.since.isoformat() if query.since else "",
        "to": query.until.isoformat() if query.until else "",
        "as_of": as_utc(query.as_of).isoformat() if query.as_of else "",
        **{name: getattr(query, name) for name in _FILTERS},
    }
    if by is Grain.DAY:
        asked |= {"from": key, "to": key}
    elif by is not None:
        asked[str(by)] = key
    return f"{ROOT}/sales/lines?{urlencode({name: text for name, text in asked.items() if text})}"


def _line(each: LineAmount) -> SalesLine:
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


def _order(view: OrderView, *, as_of: datetime) -> Order:
    return Order(
        order_ref=view.order_ref,
        shop=view.shop,
        shop_name=view.shop_name,
        platform=view.platform,
        status=view.status,
        is_complete=view.complete,
        is_pending=view.pending,
        paid_at=view.paid_at,
        basis=Basis.G2,
        unit="fen",
        as_of=as_of,
        g2_fen=view.g2_fen,
        refund_fen=view.refund_fen,
        lines=[
            OrderLine(**{name: getattr(each, name) for name in OrderLine.__struct_fields__})
            for each in view.lines
        ],
        refunds=[_refund(each) for each in view.refunds],
        outstanding=list(view.outstanding),
        entries=[_entry(each) for each in view.entries],
        messages=[message_of_order(each) for each in view.messages],
    )


def _refund(refund: RefundSnapshot) -> OrderRefund:
    at = refund.succeeded_at
    return OrderRefund(
        refund_ref=refund.refund_ref,
        line_ref=refund.line_ref,
        kind=refund.kind,
        status=refund.status.name.lower(),
        applied_fen=refund.applied_fen,
        refunded_fen=refund.refunded_fen,
        succeeded_at=clock.from_ms(at) if at else None,
    )


def _entry(each: Booked) -> Entry:
    return Entry(
        line_ref=each.line_ref,
        day=each.day,
        attribution=each.attribution,
        broadcast=each.broadcast,
        g2_fen=each.g2_fen,
        refund_fen=each.refund_fen,
        message=str(each.message_id),
        evidence_url=f"{ROOT}/inbox/messages/{each.message_id}",
        reason=each.reason,
        applied_at=each.applied_at,
    )


def message_of_order(each: MessageSeen) -> OrderMessage:
    """A message as an order or a delivery lists it."""
    return OrderMessage(
        id=str(each.id),
        native_type=each.native_type,
        native_id=each.native_id,
        source=each.source,
        status=each.status,
        reason=each.reason,
        error=each.error,
        received_at=each.received_at,
        delivery=str(each.delivery_id),
        verdict=each.verdict,
        evidence_url=f"{ROOT}/inbox/messages/{each.id}",
    )
