"""导师和孵化。"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit.states import WrongState
from livehub.web.api import named
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Nothing, Paging, PublicId
from livehub.web.api.training_shapes import Ratio, Why
from streamers.training import incubation_queries, incubations, mentors
from streamers.training.after_models import Incubation, IncubationStage
from streamers.training.errors import AlreadyIncubated, IncubationRefused, MentorKnown

calls = Section("孵化")

Months = Annotated[int, Meta(ge=1, le=36)]
MentorRef = Annotated[str, Meta(max_length=16, description="导师公开编号")]


class NewMentor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """谁做导师。"""

    person: PublicId
    field: Annotated[str, Meta(min_length=1, max_length=60, description="擅长什么")]


class MentorSeen(Struct, frozen=True, kw_only=True):
    """一位导师。"""

    id: PublicId
    name: str
    field: str


class NewIncubation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """推荐谁入孵。"""

    person: PublicId
    bureau: Annotated[str, Meta(max_length=16, description="主管部门公开编号")] = ""
    mentor: MentorRef = ""


class Admission(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """孵化期，从今天起。"""

    months: Months


class Beginning(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """谁带；不写就是推荐时的导师。"""

    mentor: MentorRef = ""


class Extension(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """延期几个月，为什么。"""

    months: Annotated[int, Meta(ge=1, le=12)]
    reason: Why


class LeavingIncubation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """孵化毕业，或退出。"""

    into: Literal["graduated", "exited"]
    reason: Why


class NewVisit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """导师走访。"""

    on_day: date
    note: Annotated[str, Meta(min_length=2, max_length=500)]
    mentor: MentorRef = ""


class VisitSeen(Struct, frozen=True, kw_only=True):
    """一次走访。"""

    mentor_name: str
    on_day: date
    note: str


class IncubationSeen(Struct, frozen=True, kw_only=True):
    """一次孵化。"""

    id: PublicId
    person: PublicId
    name: str
    bureau_name: str
    mentor_name: str
    stage: IncubationStage
    version: int
    admitted_on: date | None
    due_on: date | None
    extension_months: int
    ended_on: date | None
    reason: str
    visits: list[VisitSeen]


class IncubationLine(Struct, frozen=True, kw_only=True):
    """清单里的一次孵化。"""

    id: PublicId
    name: str
    bureau_name: str
    stage: IncubationStage
    admitted_on: date | None
    due_on: date | None


class IncubationQuestion(Paging, frozen=True, kw_only=True):
    """哪些孵化。"""

    stage: Annotated[str, Meta(max_length=10)] = ""


class IncubationsSeen(Struct, frozen=True, kw_only=True):
    """孵化清单和考核指标。"""

    items: list[IncubationLine]
    page: int
    size: int
    total: int
    inside: Annotated[int, Meta(description="在孵")]
    overdue: Annotated[int, Meta(description="在孵且已过期限")]
    success: Annotated[Ratio | None, Meta(description="孵化成功率：毕业 ÷ 离孵")]
    on_time: Annotated[Ratio | None, Meta(description="按期离孵率")]


@calls.get(
    "/mentors", summary="导师", needs=(Permission.STREAMER_MANAGE,), query=Nothing, answer=All[MentorSeen]
)
async def known(asked: Asked[Nothing, None]) -> All[MentorSeen]:
    """Mentors."""
    found = await mentors.listing(asked.actor)
    return All(
        items=[MentorSeen(id=each.public_id, name=each.person.name, field=each.field) for each in found]
    )


@calls.post(
    "/mentors",
    summary="聘任导师",
    needs=(Permission.STREAMER_MANAGE,),
    body=NewMentor,
    answer=MentorSeen,
    status=201,
    refusals=(MentorKnown, IncubationRefused),
)
async def appoint(asked: Asked[None, NewMentor]) -> MentorSeen:
    """A mentor."""
    body = asked.body
    made = await database.unit(
        lambda: mentors.appoint(body.person, field=body.field, actor=asked.actor, now=asked.now)
    )
    return MentorSeen(id=made.public_id, name=made.person.name, field=made.field)


@calls.get(
    "/incubations",
    summary="孵化清单，新的在前",
    needs=(Permission.TRAINING_READ,),
    query=IncubationQuestion,
    answer=IncubationsSeen,
)
async def listing(asked: Asked[IncubationQuestion, None]) -> IncubationsSeen:
    """Incubations."""
    query, actor = asked.query, asked.actor
    page = await incubation_queries.listing(actor, stage=query.stage, number=query.page, size=query.size)
    rates = await incubation_queries.rates(actor, now=asked.now)
    return IncubationsSeen(
        items=[
            IncubationLine(
                id=each.public_id,
                name=each.person.name,
                bureau_name=each.bureau.name,
                stage=each.stage,
                admitted_on=each.admitted_on,
                due_on=each.due_on,
            )
            for each in page.items
        ],
        page=page.number,
        size=page.size,
        total=page.total,
        inside=rates.inside,
        overdue=rates.overdue,
        success=None if rates.success is None else str(rates.success),
        on_time=None if rates.on_time is None else str(rates.on_time),
    )


@calls.post(
    "/incubations",
    summary="推荐入孵",
    needs=(Permission.TRAINING_MANAGE,),
    body=NewIncubation,
    answer=IncubationSeen,
    status=201,
    refusals=(AlreadyIncubated,),
)
async def nominate(asked: Asked[None, NewIncubation]) -> IncubationSeen:
    """A candidate."""
    body = asked.body
    bureau_id = await named.bureau_id(body.bureau, actor=asked.actor, permission=Permission.TRAINING_MANAGE)
    made = await database.unit(
        lambda: incubations.nominate(
            body.person, bureau_id=bureau_id, mentor=body.mentor, actor=asked.actor, now=asked.now
        )
    )
    return await _seen(made, actor=asked.actor)


@calls.get(
    "/incubations/{incubation_id}",
    summary="一次孵化",
    needs=(Permission.TRAINING_READ,),
    query=Nothing,
    answer=IncubationSeen,
)
async def one(asked: Asked[Nothing, None], incubation_id: str) -> IncubationSeen:
    """One incubation."""
    return _whole(await incubation_queries.one(incubation_id, actor=asked.actor))


@calls.post(
    "/incubations/{incubation_id}/admit",
    summary="批准入孵",
    needs=(Permission.TRAINING_MANAGE,),
    body=Admission,
    answer=IncubationSeen,
    refusals=(WrongState, IncubationRefused),
    versioned=True,
)
async def admit(asked: Asked[None, Admission], incubation_id: str) -> IncubationSeen:
    """Take her in."""
    made = await database.unit(
        lambda: incubations.admit(
            incubation_id, months=asked.body.months, version=asked.version, actor=asked.actor, now=asked.now
        )
    )
    return await _seen(made, actor=asked.actor)


@calls.post(
    "/incubations/{incubation_id}/begin",
    summary="开始孵化",
    needs=(Permission.TRAINING_MANAGE,),
    body=Beginning,
    answer=IncubationSeen,
    refusals=(WrongState, IncubationRefused),
    versioned=True,
)
async def begin(asked: Asked[None, Beginning], incubation_id: str) -> IncubationSeen:
    """Begin with a mentor."""
    made = await database.unit(
        lambda: incubations.begin(
            incubation_id, mentor=asked.body.mentor, version=asked.version, actor=asked.actor, now=asked.now
        )
    )
    return await _seen(made, actor=asked.actor)


@calls.post(
    "/incubations/{incubation_id}/extend",
    summary="延长孵化期",
    needs=(Permission.TRAINING_MANAGE,),
    body=Extension,
    answer=IncubationSeen,
    refusals=(WrongState, IncubationRefused),
    versioned=True,
)
async def extend(asked: Asked[None, Extension], incubation_id: str) -> IncubationSeen:
    """More time."""
    body = asked.body
    made = await database.unit(
        lambda: incubations.extend(
            incubation_id,
            months=body.months,
            reason=body.reason,
            version=asked.version,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return await _seen(made, actor=asked.actor)


@calls.post(
    "/incubations/{incubation_id}/leave",
    summary="孵化毕业或退出",
    needs=(Permission.TRAINING_MANAGE,),
    body=LeavingIncubation,
    answer=IncubationSeen,
    refusals=(WrongState, IncubationRefused),
    versioned=True,
)
async def leave(asked: Asked[None, LeavingIncubation], incubation_id: str) -> IncubationSeen:
    """Out again."""
    body = asked.body
    made = await database.unit(
        lambda: incubations.leave(
            incubation_id,
            into=IncubationStage(body.into),
            reason=body.reason,
            version=asked.version,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return await _seen(made, actor=asked.actor)


@calls.post(
    "/incubations/{incubation_id}/visits",
    summary="登记导师走访",
    needs=(Permission.TRAINING_MANAGE,),
    body=NewVisit,
    answer=IncubationSeen,
    status=201,
    refusals=(WrongState, IncubationRefused),
)
async def visit(asked: Asked[None, NewVisit], incubation_id: str) -> IncubationSeen:
    """A visit of the mentor."""
    body = asked.body
    await database.unit(
        lambda: incubations.visited(
            incubation_id,
            on_day=body.on_day,
            note=body.note,
            mentor=body.mentor,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return _whole(await incubation_queries.one(incubation_id, actor=asked.actor))


async def _seen(made: Incubation, *, actor: Actor) -> IncubationSeen:
    return _whole(await incubation_queries.one(made.public_id, actor=actor))


def _whole(whole: incubation_queries.Whole) -> IncubationSeen:
    row = whole.row
    same = ("stage", "version", "admitted_on", "due_on", "extension_months", "ended_on", "reason")
    return IncubationSeen(
        id=row.public_id,
        person=row.person.public_id,
        name=row.person.name,
        bureau_name=row.bureau.name,
        mentor_name=whole.mentor.person.name if whole.mentor is not None else "",
        visits=[
            VisitSeen(mentor_name=each.mentor.person.name, on_day=each.on_day, note=each.note)
            for each in whole.visits
        ],
        **{name: getattr(row, name) for name in same},
    )
