"""口径桥: how the figures of one scope differ by their basis, and the lines of each step."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from msgspec import Meta, Struct

from livehub.accounts.permissions import Permission
from livehub.reports import bridge
from livehub.reports.basis import Axis
from livehub.reports.bridge import EQUATIONS, Term
from livehub.web.api import sales
from livehub.web.api.declared import ROOT, Asked, Section
from livehub.web.api.sales import Question, SalesLine
from livehub.web.api.shapes import AsOf, Unit

calls = Section("口径桥")


class StepQuestion(Question, frozen=True, kw_only=True):
    """哪一项的订单明细。"""

    term: Annotated[Term, Meta(description="口径桥的一项，如 unpaid 未付款")] = Term.G0


class Step(Struct, frozen=True, kw_only=True):
    """口径桥的一项。"""

    term: Term
    numerator: Annotated[int, Meta(description="金额，单位：分")]
    evidence_url: Annotated[str, Meta(description="这一项的明细；明细之和即这一项")]


class Equation(Struct, frozen=True, kw_only=True):
    """一个等式：start 加上 plus 的各项，减去 minus 的各项，等于 end。"""

    start: Term
    plus: list[Term]
    minus: list[Term]
    end: Term
    difference: Annotated[int, Meta(description="等式两边的差，单位：分；0 为分毫不差")]


class BridgeAnswer(Struct, frozen=True, kw_only=True):
    """同一范围内各口径的数字，以及它们怎样相差。"""

    axis: Axis
    unit: Unit
    as_of: AsOf
    pending: Annotated[int, Meta(description="还没有取到全文的订单数，没有金额，不在任何一项里")]
    steps: list[Step]
    equations: list[Equation]


class StepLines(Struct, frozen=True, kw_only=True):
    """一项的明细。"""

    term: Term
    axis: Axis
    unit: Unit
    as_of: AsOf
    numerator: Annotated[int, Meta(description="全部明细之和，即这一项，单位：分")]
    items: list[SalesLine]
    page: int
    size: int
    total: int


@calls.get(
    "/sales/bridge",
    summary="口径桥：从下单额到净成交额和结算额，每一项都有明细",
    needs=(Permission.SALES_READ,),
    query=Question,
    answer=BridgeAnswer,
)
async def steps(asked: Asked[Question, None]) -> BridgeAnswer:
    """Every term of one scope, and whether they add up."""
    query = asked.query
    scope = sales.scope_of(query, actor=asked.actor)
    found = await bridge.of(scope)
    return BridgeAnswer(
        axis=query.axis,
        unit="fen",
        as_of=scope.as_of or asked.now,
        pending=found.pending,
        steps=[
            Step(term=term, numerator=fen, evidence_url=_evidence(query, term))
            for term, fen in found.fen.items()
        ],
        equations=[
            Equation(
                start=start,
                plus=[term for term in between if term.sign > 0],
                minus=[term for term in between if term.sign < 0],
                end=end,
                difference=difference,
            )
            for (start, between, end), difference in zip(EQUATIONS, found.open_fen(), strict=True)
        ],
    )


@calls.get(
    "/sales/bridge/lines",
    summary="口径桥一项的明细，金额大的在前",
    needs=(Permission.SALES_READ,),
    query=StepQuestion,
    answer=StepLines,
)
async def lines(asked: Asked[StepQuestion, None]) -> StepLines:
    """The order lines whose amounts add up to one term."""
    query = asked.query
    scope = sales.scope_of(query, actor=asked.actor)
    page = await bridge.lines(scope, query.term, number=query.page, size=query.size)
    whole = await bridge.of(scope)
    return StepLines(
        term=query.term,
        axis=query.axis,
        unit="fen",
        as_of=scope.as_of or asked.now,
        numerator=whole.fen[query.term],
        items=[sales.line(each) for each in page.items],
        page=page.number,
        size=page.size,
        total=page.total,
    )


def _evidence(query: Question, term: Term) -> str:
    asked = {"term": str(term), **sales.address(query)}
    return f"{ROOT}/sales/bridge/lines?{urlencode({name: text for name, text in asked.items() if text})}"
