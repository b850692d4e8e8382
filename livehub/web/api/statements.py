"""平台结算单: looked at, imported, and what does not agree explained."""

from __future__ import annotations

import base64
from datetime import date
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from livehub.accounts.permissions import Permission
from livehub.kit.errors import Detail, Invalid
from livehub.kit.sheets.errors import Unreadable
from livehub.kit.states import WrongState
from livehub.orders.statements import differences, drafts, importing, queries
from livehub.orders.statements.errors import AlreadyImported, RowsWrong, UnknownSource, WrongShop
from livehub.orders.statements.models import StatementState
from livehub.orders.statements.queries import Difference, Seen, Whole
from livehub.web import importing as patience
from livehub.web.api.declared import Asked, Section
from livehub.web.api.named import row_number
from livehub.web.api.shapes import Fen, Instant, Listed, Nothing, Paging, PublicId, RowRef

calls = Section("平台结算单")

Name = Annotated[str, Meta(max_length=64)]


class StatementQuestion(Paging, frozen=True, kw_only=True):
    """哪些结算单。"""

    shop: Annotated[Name, Meta(description="店铺公开编号")] = ""


class DifferenceQuestion(Paging, frozen=True, kw_only=True):
    """哪些差异。"""

    statement: Annotated[Name, Meta(description="结算单公开编号")] = ""
    kind: Annotated[
        Literal["", "not_found", "no_line", "differs", "twice", "over"], Meta(description="哪一种差异")
    ] = ""
    state: Annotated[Literal["", "open", "explained", "closed"], Meta(description="哪一种状态")] = ""


class NewStatement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个结算单文件；较大的文件在 /desk/statements 上传。"""

    name: Annotated[str, Meta(min_length=1, max_length=120, description="文件名")]
    shop: PublicId
    source: Annotated[str, Meta(min_length=1, max_length=32, description="格式，如 doudian、generic")]
    content_base64: Annotated[str, Meta(min_length=4, description="文件的字节，base64")]


class Explanation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """为什么不一致。"""

    reason: Annotated[str, Meta(min_length=2, max_length=200)]


class Mistake(Struct, frozen=True, kw_only=True):
    """文件里一处读不懂的地方。"""

    line: int
    column: str
    reason: str
    expected: str


class Tally(Struct, frozen=True, kw_only=True):
    """一种差异有多少。"""

    kind: str
    state: str
    count: int
    difference_fen: Annotated[int, Meta(description="已结减应结，单位：分")]


class Statement(Struct, frozen=True, kw_only=True):
    """一份结算单。"""

    id: PublicId
    name: str
    source: str
    shop: str
    shop_name: str
    platform: str
    state: StatementState
    sha256: str
    rows: int
    wrong: Annotated[int, Meta(description="读不懂的地方；不为 0 时不能导入")]
    repeated: Annotated[int, Meta(description="别的文件里已有的行，不再算")]
    sales_fen: Annotated[int, Meta(description="销售款，即 G4 的来源，单位：分")]
    fee_fen: Fen
    commission_fen: Fen
    freight_fen: Fen
    other_fen: Fen
    first_day: date | None
    last_day: date | None
    made_at: Instant
    imported_at: Instant | None
    open_differences: int


class StatementWhole(Struct, frozen=True, kw_only=True):
    """一份结算单和它的结果。"""

    statement: Statement
    matched: Annotated[int, Meta(description="对上订单明细的行数")]
    settled_fen: Annotated[int, Meta(description="对上的销售款，单位：分")]
    mistakes: Annotated[list[Mistake], Meta(description="读不懂的地方，最多列 200 处")]
    differences: list[Tally]


class SettlementDifference(Struct, frozen=True, kw_only=True):
    """结算单和订单不一致的一处。"""

    id: RowRef
    kind: str
    state: str
    statement: str
    line: Annotated[int, Meta(description="文件里的行；0 表示说的是订单明细")]
    shop: str
    order_ref: str
    line_ref: str
    net_fen: Annotated[int, Meta(description="应结：成交额减去全部退款，单位：分")]
    settled_fen: Annotated[int, Meta(description="已结，单位：分")]
    difference_fen: Annotated[int, Meta(description="已结减应结，单位：分")]
    opened_at: Instant
    reason: str
    explained_by: str
    explained_at: Instant | None
    closed_at: Instant | None


@calls.get(
    "/statements",
    summary="平台结算单，新的在前",
    needs=(Permission.STATEMENT_READ,),
    query=StatementQuestion,
    answer=Listed[Statement],
)
async def listing(asked: Asked[StatementQuestion, None]) -> Listed[Statement]:
    """The statements of the centre."""
    query = asked.query
    page = await queries.statements(actor=asked.actor, shop=query.shop, number=query.page, size=query.size)
    return Listed(
        items=[_statement(each) for each in page.items], page=page.number, size=page.size, total=page.total
    )


@calls.post(
    "/statements",
    summary="上传一份结算单并检查，还不入账",
    needs=(Permission.STATEMENT_IMPORT,),
    body=NewStatement,
    answer=StatementWhole,
    status=201,
    refusals=(Unreadable, WrongShop, UnknownSource, AlreadyImported),
)
async def upload(asked: Asked[None, NewStatement]) -> StatementWhole:
    """Look at a file; nothing is booked yet."""
    body = asked.body
    try:
        raw = base64.b64decode(body.content_base64, validate=True)
    except ValueError:  # also where it has other letters than ASCII
        raise Invalid(details=[Detail("content_base64", "不是 base64", "文件字节的 base64")]) from None
    made = await drafts.draft(
        raw, name=body.name, shop=body.shop, source=body.source, actor=asked.actor, now=asked.now
    )
    return _whole(await queries.statement(made.public_id, actor=asked.actor))


@calls.get(
    "/statements/{statement_id}",
    summary="一份结算单和它的结果",
    needs=(Permission.STATEMENT_READ,),
    query=Nothing,
    answer=StatementWhole,
)
async def one(asked: Asked[Nothing, None], statement_id: str) -> StatementWhole:
    """One statement."""
    return _whole(await queries.statement(statement_id, actor=asked.actor))


@calls.post(
    "/statements/{statement_id}/import",
    summary="把检查过的结算单入账；大文件的回答里还是 importing，稍后再查",
    needs=(Permission.STATEMENT_IMPORT,),
    body=Nothing,
    answer=StatementWhole,
    refusals=(RowsWrong, AlreadyImported),
)
async def take(asked: Asked[None, Nothing], statement_id: str) -> StatementWhole:
    """Book it."""
    statement = await importing.begin(statement_id, actor=asked.actor, now=asked.now)
    await patience.go_on(asked.opened, statement.id, now=asked.now)
    return _whole(await queries.statement(statement_id, actor=asked.actor))


@calls.get(
    "/statement-differences",
    summary="结算单和订单不一致的地方，待说明的在前，差得多的在前",
    needs=(Permission.STATEMENT_READ,),
    query=DifferenceQuestion,
    answer=Listed[SettlementDifference],
)
async def disagreeing(asked: Asked[DifferenceQuestion, None]) -> Listed[SettlementDifference]:
    """What does not agree."""
    query = asked.query
    page = await queries.differences(
        actor=asked.actor, statement=query.statement, kind=query.kind, state=query.state, number=query.page,
        size=query.size,
    )  # fmt: skip
    return Listed(
        items=[_difference(each) for each in page.items], page=page.number, size=page.size, total=page.total
    )


@calls.post(
    "/statement-differences/{difference_id}/explain",
    summary="说明一处差异",
    needs=(Permission.STATEMENT_IMPORT,),
    body=Explanation,
    answer=Nothing,
    refusals=(WrongState,),
)
async def explain(asked: Asked[None, Explanation], difference_id: str) -> Nothing:
    """Say why something does not agree."""
    await differences.explain(
        row_number(difference_id), reason=asked.body.reason, actor=asked.actor, now=asked.now
    )
    return Nothing()


def _statement(seen: Seen) -> Statement:
    same = (
        *("name", "source", "shop", "shop_name", "platform", "sha256", "rows", "wrong", "repeated"),
        *("first_day", "last_day", "made_at", "imported_at", "open_differences"),
    )
    values: dict[str, Any] = {name: getattr(seen, name) for name in same}
    values |= {f"{name}_fen": fen for name, fen in seen.sums.items()}
    return Statement(id=seen.public_id, state=StatementState(seen.state), **values)


def _whole(whole: Whole) -> StatementWhole:
    return StatementWhole(
        statement=_statement(whole.seen),
        matched=whole.matched,
        settled_fen=whole.settled_fen,
        mistakes=[
            Mistake(line=each.line, column=each.column, reason=each.reason, expected=each.expected)
            for each in whole.mistakes
        ],
        differences=[
            Tally(kind=each.kind, state=each.state, count=each.count, difference_fen=each.fen)
            for each in whole.tallies
        ],
    )


def _difference(each: Difference) -> SettlementDifference:
    same = (
        *("kind", "state", "statement", "line", "shop", "order_ref", "line_ref", "net_fen", "settled_fen"),
        *("opened_at", "reason", "explained_by", "explained_at", "closed_at"),
    )
    return SettlementDifference(
        id=str(each.id), difference_fen=each.fen, **{name: getattr(each, name) for name in same}
    )
