"""What calls about lessons, examinations, decisions and certificates send and answer."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub.web.api.shapes import Instant, PublicId, Words
from livehub.web.api.training_shapes import Line, Name, Ratio
from streamers.training.course_models import (
    AssessmentKind,
    Certificate,
    CertificateState,
    Lesson,
    LessonKind,
    Presence,
)
from streamers.training.models import Enrolment, EnrolmentState
from streamers.training.standing import Standing

Tenths = Annotated[int, Meta(description="学时或分数的十分之一：4.5 学时写 45，85.5 分写 855")]


class NewLesson(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一节课；写了 room 就同时占用直播间和教师。"""

    title: Words
    kind: LessonKind
    starts_at: Instant
    minutes: Annotated[int, Meta(ge=1, le=840)]
    tenths: Annotated[Tenths, Meta(ge=1, le=200)]
    required: bool = True
    instructor: Annotated[str, Meta(max_length=16, description="教师（人员公开编号）")] = ""
    room: Annotated[str, Meta(max_length=16, description="直播间公开编号")] = ""
    place: Annotated[str, Meta(max_length=60)] = ""
    topic: Literal["", "food_safety"] = ""
    overlap_reason: Line = ""


class LessonSeen(Struct, frozen=True, kw_only=True):
    """一节课。"""

    id: PublicId
    title: str
    kind: LessonKind
    starts_at: Instant
    ends_at: Instant
    tenths: Tenths
    required: bool
    cancelled: bool
    place: str


class Code(Struct, frozen=True, kw_only=True):
    """签到码，每 15 秒换一次。"""

    lesson: PublicId
    code: str
    until: Instant


class Noted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一名学员这节课的考勤。"""

    enrolment: PublicId
    status: Presence
    reason: Line = ""


class Attendances(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """批量考勤。"""

    marks: Annotated[list[Noted], Meta(min_length=1, max_length=500)]


class Changed(Struct, frozen=True, kw_only=True):
    """变了几条；重复提交不变。"""

    changed: int


class NewAssessment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一次考核。"""

    kind: AssessmentKind
    name: Words
    held_on: date


class AssessmentSeen(Struct, frozen=True, kw_only=True):
    """一次考核。"""

    id: PublicId
    kind: AssessmentKind
    name: str
    held_on: date


class Scored(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一名学员的一次成绩。"""

    enrolment: PublicId
    tenths: Annotated[Tenths, Meta(ge=0, le=10_000)]
    attempt: Annotated[int, Meta(ge=1, le=5)] = 1
    examiner: Name = ""
    reason: Line = ""


class Scores(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """批量成绩。"""

    marks: Annotated[list[Scored], Meta(min_length=1, max_length=500)]


class Practice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一场实训直播；时长按场次的实际起止计算。"""

    broadcast: PublicId
    mentor: Name = ""
    tenths: Annotated[Tenths, Meta(ge=0, le=1000)] | None = None


class Verified(Struct, frozen=True, kw_only=True):
    """登记下来的实训。"""

    broadcast: PublicId
    minutes: int


class Judged(Struct, frozen=True, kw_only=True):
    """一名学员按结业标准的结果。"""

    enrolment: PublicId
    name: str
    state: EnrolmentState
    attendance: Ratio
    theory_tenths: int | None
    skill_tenths: int | None
    practice_broadcasts: int
    practice_minutes: int
    graduated: bool
    reasons: list[str]


class CertificateSeen(Struct, frozen=True, kw_only=True):
    """一张证书。"""

    id: PublicId
    serial: str
    enrolment: PublicId
    issued_on: date
    state: CertificateState
    verify_code: str
    reason: str


class Paper(Struct, frozen=True, kw_only=True):
    """证书的 PDF；字节不会再变。"""

    serial: str
    sha256: str
    pdf_base64: str


def lesson(row: Lesson) -> LessonSeen:
    """A lesson as it is answered."""
    same = ("title", "kind", "starts_at", "ends_at", "tenths", "required", "place")
    cancelled = row.cancelled_at is not None
    return LessonSeen(id=row.public_id, cancelled=cancelled, **{name: getattr(row, name) for name in same})


def judged(row: Enrolment, stands: Standing) -> Judged:
    """What the bar says of somebody."""
    given = stands.given
    rate = stands.rate
    return Judged(
        enrolment=row.public_id,
        name=row.person.name,
        state=row.state,
        attendance=str(rate) if rate is not None else "0",
        theory_tenths=given.theory_tenths,
        skill_tenths=given.skill_tenths,
        practice_broadcasts=given.practice_broadcasts,
        practice_minutes=given.practice_minutes,
        graduated=stands.verdict.graduated,
        reasons=list(stands.verdict.reasons),
    )


def certificate(row: Certificate, enrolment: str) -> CertificateSeen:
    """A certificate as it is answered."""
    same = ("serial", "issued_on", "state", "verify_code", "reason")
    return CertificateSeen(
        id=row.public_id, enrolment=enrolment, **{name: getattr(row, name) for name in same}
    )
