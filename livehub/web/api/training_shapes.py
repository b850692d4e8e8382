"""What calls about programmes, classes and their people send and answer."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub.web.api.shapes import PublicId, Words
from streamers.training import roster
from streamers.training.importing import Mode, Outcome
from streamers.training.models import Cohort, CohortState, Enrolment, EnrolmentState
from streamers.training.queries import CohortView, ProgrammeView
from streamers.training.rules import Bar, Terms
from streamers.training.standing import Standing

Why = Annotated[str, Meta(min_length=2, max_length=200)]
Line = Annotated[str, Meta(max_length=200)]
Name = Annotated[str, Meta(max_length=40)]
Ratio = Annotated[str, Meta(description="精确的比例，如 941/1200")]


class City(Struct, frozen=True, kw_only=True):
    """一个城市的培训规定，新项目可以从它开始。"""

    name: str
    label: str
    source: str
    terms: Terms
    bar: Bar


class NewProgramme(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个培训项目；不写 terms、bar 就用所选城市的规定。"""

    name: Words
    occupation: Annotated[str, Meta(min_length=1, max_length=40)]
    preset: Annotated[str, Meta(min_length=1, max_length=24)]
    bureau: Annotated[str, Meta(max_length=16, description="主管部门公开编号")]
    funding: Annotated[str, Meta(max_length=60)] = ""
    level: Annotated[int, Meta(ge=0, le=5)] = 0
    target_people: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    terms: Terms | None = None
    bar: Bar | None = None


class NewBar(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """新一版结业标准，只管以后新建的班。"""

    bar: Bar


class Programme(Struct, frozen=True, kw_only=True):
    """一个培训项目。"""

    id: PublicId
    name: str
    bureau_name: str
    funding: str
    occupation: str
    level: int
    max_class: int
    target_people: int
    preset: str
    terms: Terms
    bar: Bar
    bar_version: int
    cohorts: int
    graduated: int


class NewCohort(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个班次。"""

    programme: PublicId
    code: Annotated[str, Meta(min_length=1, max_length=24)]
    name: Words
    starts_on: date
    ends_on: date
    capacity: Annotated[int, Meta(ge=1, le=500)]
    plan: Annotated[dict[str, str], Meta(max_length=6, description="培训方案各项，如 audience、goal")] = {}


class CohortSeen(Struct, frozen=True, kw_only=True):
    """一个班次。"""

    id: PublicId
    code: str
    name: str
    programme: PublicId
    programme_name: str
    starts_on: date
    ends_on: date
    capacity: int
    taken: Annotated[int, Meta(description="已占名额")]
    waiting: Annotated[int, Meta(description="候补人数")]
    state: CohortState
    version: int
    reason: str


class CohortQuestion(Struct, frozen=True, kw_only=True):
    """哪些班次。"""

    state: Annotated[str, Meta(max_length=12)] = ""
    programme: Annotated[str, Meta(max_length=16)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    size: Annotated[int, Meta(ge=1, le=200)] = 50


class Application(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """开班申请。"""

    late_reason: Annotated[Line, Meta(description="已过申请时间时写明原因")] = ""


class Because(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """为什么。"""

    reason: Why


class NewPlace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """谁要进这个班。"""

    person: PublicId
    overlap_reason: Annotated[Line, Meta(description="和另一个班课时冲突时写明原因")] = ""


class Leaving(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """退学或开除。"""

    into: Literal["withdrawn", "dismissed"]
    reason: Why


class Place(Struct, frozen=True, kw_only=True):
    """一名学员；不含证件号码和手机号。"""

    id: PublicId
    person: PublicId
    name: str
    town: str
    state: EnrolmentState
    waitlist_pos: int
    enrolled_on: date | None
    attended: Annotated[str, Meta(description="已出勤学时的十分之一，精确分数")]
    held: Annotated[int, Meta(description="已上的应出勤学时的十分之一")]


class NewPerson(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """登记一个人。"""

    name: Annotated[str, Meta(min_length=1, max_length=40)]
    identity: Annotated[str, Meta(max_length=40, description="身份证号，加密保存")] = ""
    phone: Annotated[str, Meta(max_length=20)] = ""
    town: Name = ""
    category: Annotated[str, Meta(max_length=16)] = ""
    education: Annotated[str, Meta(max_length=20)] = ""
    guardian: Name = ""


class Somebody(Struct, frozen=True, kw_only=True):
    """登记过的人。"""

    id: PublicId
    name: str
    town: str
    category: str


class Numbers(Struct, frozen=True, kw_only=True):
    """证件号码和手机号；谁为什么看过，记在审计里。"""

    identity: str
    phone: str


class Roster(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个名册文件。"""

    name: Annotated[str, Meta(min_length=1, max_length=120, description="文件名")]
    content_base64: Annotated[str, Meta(min_length=4, description="xlsx 或 CSV 的字节，base64")]
    mode: Annotated[Mode, Meta(description="dry_run 只检查；strict 有一行不对就都不导入；partial 导入对的")]


class RowWrong(Struct, frozen=True, kw_only=True):
    """一行为什么不能导入。"""

    line: int
    column: str
    code: str
    reason: str


class Taken(Struct, frozen=True, kw_only=True):
    """名册的结果。"""

    mode: Mode
    rows: int
    ok: int
    created: Annotated[int, Meta(description="新登记的人")]
    linked: Annotated[int, Meta(description="以前登记过、这次进班的人")]
    unchanged: int
    enrolled: int
    wrong: list[RowWrong]
    errors_xlsx_base64: Annotated[str, Meta(description="错误行的工作簿，最后一列是错误原因；没有错误时为空")]


def programme(view: ProgrammeView) -> Programme:
    """A programme as it is answered."""
    row = view.row
    same = ("name", "funding", "occupation", "level", "max_class", "target_people", "preset")
    return Programme(
        id=row.public_id,
        bureau_name=view.bureau,
        terms=view.terms,
        bar=view.bar,
        bar_version=view.version,
        cohorts=view.cohorts,
        graduated=view.graduated,
        **{name: getattr(row, name) for name in same},
    )


def cohort(view: CohortView) -> CohortSeen:
    """A cohort as it is answered."""
    row = view.row
    same = ("code", "name", "starts_on", "ends_on", "capacity", "taken", "state", "version", "reason")
    return CohortSeen(
        id=row.public_id,
        programme=view.programme.public_id,
        programme_name=view.programme.name,
        waiting=view.waiting,
        **{name: getattr(row, name) for name in same},
    )


def seen(row: Cohort, owner: object, waiting: int) -> CohortSeen:
    """A cohort with the programme it is of."""
    return cohort(CohortView(row=row, programme=owner, waiting=waiting))  # type: ignore[arg-type]  # its row


def place(row: Enrolment, stands: Standing | None) -> Place:
    """Somebody in a class, with a fetched person."""
    return Place(
        id=row.public_id,
        person=row.person.public_id,
        name=row.person.name,
        town=row.person.town,
        state=row.state,
        waitlist_pos=row.waitlist_pos,
        enrolled_on=row.enrolled_on,
        attended=stands.given.attended if stands is not None else "0",
        held=stands.given.held if stands is not None else 0,
    )


def taken(outcome: Outcome, workbook: str) -> Taken:
    """What came of a roster."""
    same = ("mode", "rows", "ok", "created", "linked", "unchanged", "enrolled")
    return Taken(
        wrong=[
            RowWrong(line=each.line, column=each.column, code=each.code, reason=roster.said(each))
            for each in outcome.wrong
        ],
        errors_xlsx_base64=workbook,
        **{name: getattr(outcome, name) for name in same},
    )
