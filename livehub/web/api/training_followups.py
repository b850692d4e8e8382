"""跟踪回访：结业后第 30、90、180 天。"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.reports import followups as reports
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Fen, Instant, Listed, Paging, PublicId
from livehub.web.api.training_shapes import Line
from streamers.training import followups
from streamers.training.after_models import FollowUp
from streamers.training.errors import FollowUpRefused

calls = Section("跟踪回访")

Employment = Literal["streaming", "employed", "self_employed", "unemployed", "studying", "unreachable"]


class DueSeen(Struct, frozen=True, kw_only=True):
    """该做还没做的一次回访。"""

    enrolment: PublicId
    name: str
    town: str
    cohort: PublicId
    cohort_name: str
    day: int
    graduated_on: date
    due_on: date


class NewFollowUp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一次回访；首播、场次和净成交额由系统按数据填写。"""

    day: Literal[30, 90, 180]
    employment: Employment
    note: Line = ""


class FollowUpSeen(Struct, frozen=True, kw_only=True):
    """登记下来的回访。"""

    day: int
    first_stream_on: date | None
    broadcasts: int
    elsewhere: Annotated[int, Meta(description="其中属于其他部门的场次")]
    net_sales_fen: Annotated[Fen, Meta(description="结业到这一天的场次的净成交额 G3")]
    employment: str
    note: str
    contacted_by: str
    at: Instant


@calls.get(
    "/followups/due",
    summary="该做还没做的回访，拖得最久的在前",
    needs=(Permission.TRAINING_READ,),
    query=Paging,
    answer=Listed[DueSeen],
)
async def due(asked: Asked[Paging, None]) -> Listed[DueSeen]:
    """Visits that are to be made."""
    query = asked.query
    page = await followups.due(asked.actor, now=asked.now, number=query.page, size=query.size)
    items = [
        DueSeen(**{name: getattr(each, name) for name in DueSeen.__struct_fields__}) for each in page.items
    ]
    return Listed(items=items, page=page.number, size=page.size, total=page.total)


@calls.post(
    "/enrolments/{enrolment_id}/followups",
    summary="登记一次回访，数据由系统填写",
    needs=(Permission.TRAINING_MANAGE,),
    body=NewFollowUp,
    answer=FollowUpSeen,
    status=201,
    refusals=(FollowUpRefused,),
)
async def contacted(asked: Asked[None, NewFollowUp], enrolment_id: str) -> FollowUpSeen:
    """A visit."""
    body = asked.body
    made = await database.unit(
        lambda: reports.contacted(
            enrolment_id,
            day=body.day,
            employment=body.employment,
            note=body.note,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return _visit(made)


def _visit(made: FollowUp) -> FollowUpSeen:
    return FollowUpSeen(**{name: getattr(made, name) for name in FollowUpSeen.__struct_fields__})
