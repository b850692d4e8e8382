"""What happens in a cohort: lessons, attendance, scores, decisions, certificates; and files of rosters."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.accounts.models import Centre
from livehub.database.fields import DayField, DigestField, InstantField
from streamers.training.models import Cohort, Enrolment, GraduationRule


class LessonKind(StrEnum):
    """How a lesson is given."""

    THEORY = "theory"
    PRACTICE = "practice"
    FIELD = "field"
    ONLINE = "online"
    PRACTICE_STREAM = "practice_stream"


class Presence(StrEnum):
    """Whether somebody was there."""

    PRESENT = "present"
    LATE = "late"
    LEFT_EARLY = "left_early"
    LEAVE = "leave"
    ABSENT = "absent"


class Method(StrEnum):
    """How it became known."""

    QR = "qr"
    MANUAL = "manual"
    IMPORT = "import"
    ONLINE = "online"


class AssessmentKind(StrEnum):
    """What is examined."""

    THEORY = "theory"
    SKILL = "skill"
    DEFENCE = "defence"


class CertificateState(StrEnum):
    """Whether a certificate is good."""

    ISSUED = "issued"
    REVOKED = "revoked"
    REPLACED = "replaced"


class Lesson(Model):
    """课时 of a cohort, its room and instructor are booked by rooms/training.py."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    cohort: fields.ForeignKeyRelation[Cohort] = fields.ForeignKeyField(
        "livehub.Cohort", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    cohort_id: int
    title = fields.CharField(max_length=60)
    kind = fields.CharEnumField(LessonKind, max_length=16)
    starts_at = InstantField()
    ends_at = InstantField()
    tenths = fields.IntField()  # of an hour of training: 4.5 学时 are 45
    required = fields.BooleanField(default=True)
    topic = fields.CharField(max_length=16, default="")  # food_safety: what the rules on food ask for
    instructor_id = fields.BigIntField(default=0)  # a person, 0: none named yet
    place = fields.CharField(max_length=60, default="")  # where it is in no room of ours
    booking_id = fields.BigIntField(default=0)  # of rooms, which stand above; 0: no room of ours
    overlap_reason = fields.CharField(max_length=200, default="")
    cancelled_at: datetime | None = InstantField(null=True)
    cancel_reason = fields.CharField(max_length=200, default="")

    class Meta:
        table = "lesson"
        indexes = (("cohort_id", "starts_at"),)


class Attendance(Model):
    """考勤: what was said of one person in one lesson, the highest seq holds. Append-only."""

    id = fields.BigIntField(primary_key=True)
    lesson: fields.ForeignKeyRelation[Lesson] = fields.ForeignKeyField(
        "livehub.Lesson", on_delete=fields.RESTRICT, related_name=False
    )
    lesson_id: int
    enrolment: fields.ForeignKeyRelation[Enrolment] = fields.ForeignKeyField(
        "livehub.Enrolment", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    enrolment_id: int
    seq = fields.IntField()  # 1, and one more with each correction
    status = fields.CharEnumField(Presence, max_length=10)
    method = fields.CharEnumField(Method, max_length=8)
    at = InstantField()
    by_name = fields.CharField(max_length=80)
    reason = fields.CharField(max_length=200, default="")  # of a correction, or of leave

    class Meta:
        table = "attendance"
        unique_together = (("lesson_id", "enrolment_id", "seq"),)


class Assessment(Model):
    """考核 of a cohort, marks are tenths of a point."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    cohort: fields.ForeignKeyRelation[Cohort] = fields.ForeignKeyField(
        "livehub.Cohort", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    cohort_id: int
    kind = fields.CharEnumField(AssessmentKind, max_length=8)
    name = fields.CharField(max_length=60)
    held_on: date = DayField()
    most = fields.IntField(default=1000)  # tenths
    created_at = InstantField()

    class Meta:
        table = "assessment"


class Score(Model):
    """成绩 of one attempt, the highest revision of an attempt holds. Append-only."""

    id = fields.BigIntField(primary_key=True)
    assessment: fields.ForeignKeyRelation[Assessment] = fields.ForeignKeyField(
        "livehub.Assessment", on_delete=fields.RESTRICT, related_name=False
    )
    assessment_id: int
    enrolment: fields.ForeignKeyRelation[Enrolment] = fields.ForeignKeyField(
        "livehub.Enrolment", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    enrolment_id: int
    attempt = fields.IntField()
    revision = fields.IntField()
    tenths = fields.IntField()
    examiner = fields.CharField(max_length=40, default="")
    reason = fields.CharField(max_length=200, default="")  # of a correction
    at = InstantField()
    by_name = fields.CharField(max_length=80)

    class Meta:
        table = "score"
        unique_together = (("assessment_id", "enrolment_id", "attempt", "revision"),)


class PracticeStream(Model):
    """实训直播 of a trainee, with the minutes that were verified."""

    id = fields.BigIntField(primary_key=True)
    enrolment: fields.ForeignKeyRelation[Enrolment] = fields.ForeignKeyField(
        "livehub.Enrolment", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    enrolment_id: int
    broadcast_id = fields.BigIntField()  # of rooms, which stand above
    broadcast_ref = fields.CharField(max_length=16)  # its public id
    on_day: date = DayField()
    verified_minutes = fields.IntField()
    mentor = fields.CharField(max_length=40, default="")
    tenths: int | None = fields.IntField(null=True)  # of a mark out of 100
    at = InstantField()
    by_name = fields.CharField(max_length=80)

    class Meta:
        table = "practice_stream"
        unique_together = (("enrolment_id", "broadcast_id"),)


class GraduationDecision(Model):
    """结业认定: a rule's version, what it was given, and what came out. Append-only."""

    id = fields.BigIntField(primary_key=True)
    enrolment: fields.ForeignKeyRelation[Enrolment] = fields.ForeignKeyField(
        "livehub.Enrolment", on_delete=fields.RESTRICT, related_name=False
    )
    enrolment_id: int
    seq = fields.IntField()
    rule: fields.ForeignKeyRelation[GraduationRule] = fields.ForeignKeyField(
        "livehub.GraduationRule", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    rule_id: int
    given = fields.TextField()  # a rules.Given
    graduated = fields.BooleanField()
    reasons = fields.TextField()  # codes, in order
    at = InstantField()
    by_name = fields.CharField(max_length=80)

    class Meta:
        table = "graduation_decision"
        unique_together = (("enrolment_id", "seq"),)


class CertificateCounter(Model):
    """The last number of a centre's year: a number is taken in the transaction that uses it."""

    id = fields.BigIntField(primary_key=True)
    centre_id = fields.BigIntField()
    year = fields.IntField()
    reached = fields.IntField()

    class Meta:
        table = "certificate_counter"
        unique_together = (("centre_id", "year"),)


class Certificate(Model):
    """证书. printed is what its paper says, the paper is made once, and stays as it is."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False
    )
    centre_id: int
    enrolment: fields.ForeignKeyRelation[Enrolment] = fields.ForeignKeyField(
        "livehub.Enrolment", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    enrolment_id: int
    decision: fields.ForeignKeyRelation[GraduationDecision] = fields.ForeignKeyField(
        "livehub.GraduationDecision", on_delete=fields.RESTRICT, related_name=False
    )
    decision_id: int
    year = fields.IntField()
    number = fields.IntField()
    serial = fields.CharField(max_length=40)
    issued_on: date = DayField()
    state = fields.CharEnumField(CertificateState, max_length=8)
    verify_code = fields.CharField(max_length=20, unique=True)
    printed = fields.TextField()  # a certificates.Printed
    paper_sealed: bytes | None = fields.BinaryField(null=True)
    paper_sha256: bytes | None = DigestField(null=True)
    reason = fields.CharField(max_length=200, default="")  # of revoking or replacing
    ended_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "certificate"
        unique_together = (("centre_id", "year", "number"),)


class RosterImport(Model):
    """名册导入: a file that changed something, and its rows that could not be taken."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre_id = fields.BigIntField()
    cohort_id = fields.BigIntField(default=0)  # 0: the register of persons
    name = fields.CharField(max_length=120)
    sha256 = DigestField()
    mode = fields.CharField(max_length=8)  # strict | partial
    rows = fields.IntField()
    wrong = fields.IntField()
    created = fields.IntField()
    linked = fields.IntField()
    unchanged = fields.IntField()
    enrolled = fields.IntField()
    head = fields.TextField()  # the file's columns
    mistakes_sealed: bytes | None = fields.BinaryField(null=True)  # rows with their reasons, personal data
    at = InstantField()
    by_name = fields.CharField(max_length=80)

    class Meta:
        table = "roster_import"
        indexes = (("centre_id", "cohort_id"),)
