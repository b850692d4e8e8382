"""核对与关账: which days of a month still move, what is frozen of it, and what came afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.permissions import Permission
from livehub.reports import adjustments, periods
from livehub.reports.adjustments import Adjustment
from livehub.reports.errors import (
    DayNotOver,
    DayPending,
    DaysMoved,
    DaysNotReconciled,
    MonthClosed,
    MonthNotOver,
    NoSuchMonth,
)
from livehub.reports.periods import Closing, Day, DayState
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Fen, Instant, Unit
from livehub.web.doors import SignInAgain

calls = Section("核对与关账")

Number = Annotated[int, Meta(ge=201001, le=209912, description="月份，如 202603")]


class MonthQuestion(Struct, frozen=True, kw_only=True):
    """哪个月。"""

    month: Number


class Reconciling(
    Struct, frozen=True, kw_only=True, rename={"since": "from", "until": "to"}, forbid_unknown_fields=True
):
    """哪些天，含首尾。"""

    since: date
    until: Annotated[date, Meta(description="最多 400 天")]
    seen_at: Annotated[Instant | None, Meta(description="读到这些数字的时刻；之后的入账没有人看过")] = None


class ClosingMonth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """关哪个月。"""

    month: Number


class Reconciled(Struct, frozen=True, kw_only=True):
    """核对了几天。"""

    days: int


class PeriodDay(Struct, frozen=True, kw_only=True):
    """有数的一天，按发生日。"""

    day: date
    state: DayState
    g2_fen: Fen
    refund_fen: Fen
    g3_fen: Fen
    orders: int
    pending: Annotated[int, Meta(description="待取数的订单，不在任何金额内")]
    reconciled_at: Annotated[Instant | None, Meta(description="核对时看到的数字截至何时")]
    reconciled_by: str
    changes: Annotated[int, Meta(description="核对之后又入账的笔数")]
    changed_fen: Annotated[int, Meta(description="核对之后净成交额的变动，单位：分")]


class PeriodClosing(Struct, frozen=True, kw_only=True):
    """关账快照，不再改动。"""

    as_of: Instant
    at: Instant
    by: str
    sha256: str
    numerator: Annotated[int, Meta(description="净成交额 G3，单位：分")]
    unit: Unit
    basis: Literal["G3"]
    g2_fen: Fen
    refund_fen: Fen
    bridge: Annotated[dict[str, int], Meta(description="各口径的台阶，单位：分")]


class PeriodAdjustment(Struct, frozen=True, kw_only=True):
    """关账后才入账的更正。"""

    month: Annotated[int, Meta(description="更正的是哪个月")]
    reason: Annotated[str, Meta(description="late、refund、attribution、clerk、mapping、unpaid、repair")]
    g2_fen: Fen
    refund_fen: Fen
    g3_fen: Fen
    orders: int
    first_at: Instant
    last_at: Instant


class Period(Struct, frozen=True, kw_only=True):
    """一个月：每天到哪一步，关账时是多少，之后又更正了什么。"""

    month: int
    as_of: Instant
    days: list[PeriodDay]
    closing: PeriodClosing | None
    adjustments: list[PeriodAdjustment]


@calls.get(
    "/periods",
    summary="一个月的核对、关账快照与之后的更正",
    needs=(Permission.STATEMENT_READ,),
    query=MonthQuestion,
    answer=Period,
    refusals=(NoSuchMonth,),
)
async def month(asked: Asked[MonthQuestion, None]) -> Period:
    """A month as it stands."""
    return await _period(asked, asked.query.month)


@calls.post(
    "/periods/reconcile",
    summary="说明这些天的数字核对无误",
    needs=(Permission.PERIOD_CLOSE,),
    body=Reconciling,
    answer=Reconciled,
    refusals=(DayNotOver, DayPending, DaysMoved, MonthClosed),
)
async def reconcile(asked: Asked[None, Reconciling]) -> Reconciled:
    """Say that days are right."""
    body = asked.body
    days = await periods.reconcile(
        body.since, body.until, actor=asked.actor, now=asked.now, seen_at=body.seen_at
    )
    return Reconciled(days=days)


@calls.post(
    "/periods/close",
    summary="关账；令牌不能关账，登录的人要在不久前输过密码",
    needs=(Permission.PERIOD_CLOSE,),
    body=ClosingMonth,
    answer=Period,
    refusals=(
        *(MonthNotOver, DaysNotReconciled, MonthClosed),
        *(NoSuchMonth, SecondPersonNeeded, SignInAgain),
    ),
)
async def close(asked: Asked[None, ClosingMonth]) -> Period:
    """Freeze a month's figures."""
    await periods.close(asked.body.month, actor=asked.actor, now=asked.now)
    return await _period(asked, asked.body.month)


async def _period(asked: Asked[MonthQuestion, None] | Asked[None, ClosingMonth], number: int) -> Period:
    centre = asked.actor.centre_id
    seen = await periods.month(number, centre_id=centre)
    return Period(
        month=number,
        as_of=asked.now,
        days=_days(seen.days),
        closing=None if seen.closing is None else _closing(seen.closing),
        adjustments=[_adjustment(each) for each in await adjustments.of(number, centre_id=centre)],
    )


def _days(days: Sequence[Day]) -> list[PeriodDay]:
    return [
        PeriodDay(
            day=each.day,
            state=each.state,
            g2_fen=each.figures.g2_fen,
            refund_fen=each.figures.refund_fen,
            g3_fen=each.figures.g3_fen,
            orders=each.figures.orders,
            pending=each.figures.pending,
            reconciled_at=each.reconciled_at,
            reconciled_by=each.reconciled_by,
            changes=each.changes,
            changed_fen=each.changed_fen,
        )
        for each in days
        if each.figures is not None
    ]


def _closing(closing: Closing) -> PeriodClosing:
    total = closing.snapshot.total
    return PeriodClosing(
        as_of=closing.as_of,
        at=closing.at,
        by=closing.by,
        sha256=closing.sha256,
        numerator=total.g3_fen,
        unit="fen",
        basis="G3",
        g2_fen=total.g2_fen,
        refund_fen=total.refund_fen,
        bridge=closing.snapshot.bridge,
    )


def _adjustment(each: Adjustment) -> PeriodAdjustment:
    same = ("month", "reason", "g2_fen", "refund_fen", "g3_fen", "orders", "first_at", "last_at")
    return PeriodAdjustment(**{name: getattr(each, name) for name in same})
