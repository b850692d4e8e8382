"""培训成效：结业、首播、留存和结业后的销售，每个数字都能追到场次。"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Annotated

from msgspec import Meta, Struct

from livehub.accounts.permissions import Permission
from livehub.reports import training
from livehub.reports.training import OfCohort, Outcome, Show, Summary
from livehub.web.api.declared import ROOT, Asked, Section
from livehub.web.api.shapes import AsOf, Fen, Instant, Nothing, PublicId, Unit
from streamers.training.models import EnrolmentState

calls = Section("培训成效")

Rate = Annotated[str | None, Meta(description="精确的比例，如 17/22；分母为 0 时没有")]


class Question(Struct, frozen=True, kw_only=True):
    """哪些班。"""

    bureau: Annotated[str, Meta(max_length=16, description="主管部门公开编号；不填为可见的全部")] = ""
    period: Annotated[
        str, Meta(max_length=7, description="结业所在时期：2026、2026-Q1 或 2026-03；不填为全部")
    ] = ""


class Funnel(Struct, frozen=True, kw_only=True):
    """培训 → 结业 → 30 天内开播 → 第 61–90 天仍在卖。"""

    trained: Annotated[int, Meta(description="开课后在册的人")]
    enrolled: Annotated[int, Meta(description="第一节课时在册的人")]
    withdrawn: int
    graduated: int
    certified: int
    live_in_30: Annotated[int, Meta(description="结业后 30 天内首播（≥30 分钟，不算实训）")]
    not_due_30: int
    due_90: Annotated[int, Meta(description="满 90 天的结业学员")]
    not_due_90: Annotated[int, Meta(description="未满 90 天，不计入留存的分子和分母")]
    retained: Annotated[int, Meta(description="满 90 天的人里，第 61–90 天有开播")]
    still_sell: Annotated[int, Meta(description="满 90 天的人里，第 61–90 天的场次有净销售")]
    attendance: Rate
    graduation_rate: Rate
    pass_rate: Rate
    certificate_rate: Rate
    first_stream_rate_30: Rate
    retention_90: Rate
    net_sales_90_fen: Annotated[Fen, Meta(description="结业起 90 天内开播的场次的净成交额 G3")]
    broadcasts: int
    untold: Annotated[int, Meta(description="属于其他部门、销售不在此列的场次")]


class CohortOutcome(Struct, frozen=True, kw_only=True):
    """一个班的成效。"""

    id: PublicId
    code: str
    name: str
    programme_name: str
    bureau_name: str
    ends_on: date
    funnel: Funnel


class ReportSeen(Struct, frozen=True, kw_only=True):
    """一个时期的培训成效。"""

    as_of: AsOf
    unit: Unit
    total: Funnel
    items: list[CohortOutcome]
    has_more: Annotated[bool, Meta(description="班次太多，只算了最近的")]


class Graduate(Struct, frozen=True, kw_only=True):
    """一名结业学员的成效。"""

    enrolment: PublicId
    name: str
    state: EnrolmentState
    graduated_on: date
    first_stream_on: date | None
    broadcasts: int
    untold: int
    net_sales_90_fen: Fen
    is_due_90: bool
    retained: Annotated[bool | None, Meta(description="未满 90 天时没有")]


class Graduates(Struct, frozen=True, kw_only=True):
    """一个班和它的每名结业学员。"""

    as_of: AsOf
    unit: Unit
    cohort: CohortOutcome
    items: list[Graduate]


class ShowSeen(Struct, frozen=True, kw_only=True):
    """一场直播；其他部门的场次只有日期和时长。"""

    broadcast: str
    title: str
    day: date
    started_at: Instant
    minutes: int
    g2_fen: Fen
    refund_fen: Fen
    net_fen: Fen
    orders: int
    evidence_url: Annotated[str, Meta(description="这一场的订单明细，之和即 net_fen")]


class GraduateSeen(Struct, frozen=True, kw_only=True):
    """一名结业学员，连同 90 天内的场次。"""

    as_of: AsOf
    unit: Unit
    graduate: Graduate
    items: Annotated[list[ShowSeen], Meta(description="净成交额之和即 net_sales_90_fen")]


@calls.get(
    "/reports/training",
    summary="培训成效：各班和合计",
    needs=(Permission.TRAINING_READ,),
    query=Question,
    answer=ReportSeen,
)
async def report(asked: Asked[Question, None]) -> ReportSeen:
    """What came of the classes of a period."""
    query = asked.query
    found = await training.report(bureau=query.bureau, period=query.period, actor=asked.actor, now=asked.now)
    return ReportSeen(
        as_of=found.as_of,
        unit="fen",
        total=_funnel(found.total),
        items=[_cohort(each) for each in found.cohorts],
        has_more=found.is_cut,
    )


@calls.get(
    "/cohorts/{cohort_id}/outcomes",
    summary="一个班的培训成效，逐人",
    needs=(Permission.TRAINING_READ,),
    query=Nothing,
    answer=Graduates,
)
async def of_cohort(asked: Asked[Nothing, None], cohort_id: str) -> Graduates:
    """What came of a class."""
    klass, found = await training.of_cohort(cohort_id, actor=asked.actor, now=asked.now)
    return Graduates(
        as_of=asked.now, unit="fen", cohort=_cohort(klass), items=[_graduate(each) for each in found]
    )


@calls.get(
    "/enrolments/{enrolment_id}/outcomes",
    summary="一名结业学员 90 天内的场次和销售",
    needs=(Permission.TRAINING_READ,),
    query=Nothing,
    answer=GraduateSeen,
)
async def of_enrolment(asked: Asked[Nothing, None], enrolment_id: str) -> GraduateSeen:
    """What came of somebody."""
    _, found = await training.of_enrolment(enrolment_id, actor=asked.actor, now=asked.now)
    return GraduateSeen(
        as_of=asked.now, unit="fen", graduate=_graduate(found), items=[_show(each) for each in found.shows]
    )


def _funnel(found: Summary) -> Funnel:
    counts = found.counts
    same = (
        "live_in_30",
        "not_due_30",
        "due_90",
        "not_due_90",
        "retained",
        "still_sell",
        "broadcasts",
        "untold",
    )
    people = ("trained", "enrolled", "withdrawn", "graduated", "certified")
    return Funnel(
        attendance=_rate(found.hours.rate),
        graduation_rate=_rate(counts.graduation_rate),
        pass_rate=_rate(counts.pass_rate),
        certificate_rate=_rate(counts.certificate_rate),
        first_stream_rate_30=_rate(found.first_stream_rate),
        retention_90=_rate(found.retention),
        net_sales_90_fen=found.net_sales_fen,
        **{name: getattr(found, name) for name in same},
        **{name: getattr(counts, name) for name in people},
    )


def _rate(rate: Fraction | None) -> str | None:
    return None if rate is None else str(rate)


def _cohort(each: OfCohort) -> CohortOutcome:
    row = each.row
    return CohortOutcome(
        id=row.public_id,
        code=row.code,
        name=row.name,
        programme_name=row.programme.name,
        bureau_name=row.programme.bureau.name,
        ends_on=row.ends_on,
        funnel=_funnel(each.summary),
    )


def _graduate(each: Outcome) -> Graduate:
    return Graduate(
        enrolment=each.who.enrolment,
        name=each.who.name,
        state=each.who.state,
        graduated_on=each.graduated_on,
        first_stream_on=each.first_stream_on,
        broadcasts=len(each.shows),
        untold=each.untold,
        net_sales_90_fen=each.net_sales_fen,
        is_due_90=each.is_due,
        retained=each.is_retained,
    )


def _show(each: Show) -> ShowSeen:
    same = ("broadcast", "title", "day", "started_at", "minutes", "g2_fen", "refund_fen", "net_fen", "orders")
    lines = f"{ROOT}/sales/lines?basis=G3&broadcast={each.broadcast}" if each.is_told else ""
    return ShowSeen(evidence_url=lines, **{name: getattr(each, name) for name in same})
