"""Programmes, cohorts, their application to be opened, and who is in them."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.accounts.models import Bureau, Centre
from livehub.database.fields import DayField, InstantField
from streamers.models import Person


class CohortState(StrEnum):
    """The life of a cohort."""

    DRAFT = "draft"
    APPLIED = "applied"
    APPROVED = "approved"
    RECRUITING = "recruiting"
    RUNNING = "running"
    EXAMINING = "examining"
    CLOSED = "closed"
    ARCHIVED = "archived"
    CANCELLED = "cancelled"


class EnrolmentState(StrEnum):
    """What became of a person in a cohort; COUNTED takes a place."""

    APPLIED = "applied"
    WAITLISTED = "waitlisted"
    ENROLLED = "enrolled"
    WITHDRAWN = "withdrawn"
    DISMISSED = "dismissed"
    GRADUATED = "graduated"
    FAILED = "failed"


COUNTED = frozenset({EnrolmentState.ENROLLED, EnrolmentState.GRADUATED, EnrolmentState.FAILED})
GONE = frozenset({EnrolmentState.WITHDRAWN, EnrolmentState.DISMISSED})


class Programme(Model):
    """培训项目: whose money trains whom to what, and by which city's rule, terms is a rules.Terms."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    bureau: fields.ForeignKeyRelation[Bureau] = fields.ForeignKeyField(
        "livehub.Bureau", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    bureau_id: int
    name = fields.CharField(max_length=60)
    funding = fields.CharField(max_length=60, default="")
    occupation = fields.CharField(max_length=40)
    level = fields.IntField(default=0)  # 5 the lowest to 1, 0: without a level
    max_class = fields.IntField()
    target_people = fields.IntField(default=0)  # 0: none is set
    preset = fields.CharField(max_length=24)
    terms = fields.TextField()
    created_at = InstantField()

    class Meta:
        table = "programme"
        indexes = (("centre_id", "bureau_id"),)


class GraduationRule(Model):
    """结业标准 of a programme, one version after another. Append-only."""

    id = fields.BigIntField(primary_key=True)
    programme: fields.ForeignKeyRelation[Programme] = fields.ForeignKeyField(
        "livehub.Programme", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    programme_id: int
    version = fields.IntField()
    terms = fields.TextField()  # a rules.Bar
    made_by = fields.CharField(max_length=80)
    made_at = InstantField()

    class Meta:
        table = "graduation_rule"
        unique_together = (("programme_id", "version"),)


class Cohort(Model):
    """培训班. taken counts its places, the database keeps it within the capacity."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    programme: fields.ForeignKeyRelation[Programme] = fields.ForeignKeyField(
        "livehub.Programme", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    programme_id: int
    rule: fields.ForeignKeyRelation[GraduationRule] = fields.ForeignKeyField(
        "livehub.GraduationRule", on_delete=fields.RESTRICT, related_name=False
    )
    rule_id: int
    code = fields.CharField(max_length=24)
    name = fields.CharField(max_length=60)
    starts_on: date = DayField()
    ends_on: date = DayField()
    capacity = fields.IntField()
    max_class = fields.IntField()  # the programme's, so that the database can compare
    taken = fields.IntField(default=0)
    state = fields.CharEnumField(CohortState, max_length=12, default=CohortState.DRAFT)
    version = fields.IntField(default=1)
    plan = fields.TextField(default="{}")  # part of the plan -> its text
    reason = fields.CharField(max_length=200, default="")  # of the last refusal or cancellation
    created_at = InstantField()
    closed_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "cohort"
        unique_together = (("centre_id", "code"),)
        indexes = (("centre_id", "starts_on"),)


class OpeningApplication(Model):
    """开班申请: what was asked for, with the roster as it then was, and what was answered."""

    id = fields.BigIntField(primary_key=True)
    cohort: fields.ForeignKeyRelation[Cohort] = fields.ForeignKeyField(
        "livehub.Cohort", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    cohort_id: int
    submitted_at = InstantField()
    submitted_by_id = fields.BigIntField()
    submitted_by = fields.CharField(max_length=80)
    late_reason = fields.CharField(max_length=200, default="")
    roster = fields.TextField()  # [[enrolment, name], …] as it was
    answer_due_on: date = DayField()
    decision = fields.CharField(max_length=10, default="")  # approved | rejected
    reason = fields.CharField(max_length=200, default="")
    decided_by = fields.CharField(max_length=80, default="")
    decided_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "opening_application"


class Enrolment(Model):
    """学员: one person in one cohort."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    cohort: fields.ForeignKeyRelation[Cohort] = fields.ForeignKeyField(
        "livehub.Cohort", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    cohort_id: int
    person: fields.ForeignKeyRelation[Person] = fields.ForeignKeyField(
        "livehub.Person", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    person_id: int
    state = fields.CharEnumField(EnrolmentState, max_length=12)
    source = fields.CharField(max_length=12)  # desk | import | self
    waitlist_pos = fields.IntField(default=0)  # 0: not on the list
    enrolled_on: date | None = DayField(null=True)  # lessons before it do not count for her
    overlap_reason = fields.CharField(max_length=200, default="")
    reason = fields.CharField(max_length=200, default="")  # of leaving
    created_at = InstantField()
    left_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "enrolment"
        indexes = (("cohort_id", "state"),)
