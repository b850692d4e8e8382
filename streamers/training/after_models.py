"""What comes after a class: visits to its graduates, mentors and incubation."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.accounts.models import Bureau, Centre
from livehub.database.fields import DayField, InstantField
from streamers.models import Person
from streamers.training.models import Enrolment


class IncubationStage(StrEnum):
    """How far somebody in incubation is."""

    CANDIDATE = "candidate"
    ADMITTED = "admitted"
    INCUBATING = "incubating"
    GRADUATED = "graduated"
    EXITED = "exited"


class FollowUp(Model):
    """跟踪回访 at day 30, 90 or 180 with what the data then said, the highest seq holds. Append-only."""

    id = fields.BigIntField(primary_key=True)
    enrolment: fields.ForeignKeyRelation[Enrolment] = fields.ForeignKeyField(
        "livehub.Enrolment", on_delete=fields.RESTRICT, related_name=False
    )
    enrolment_id: int
    day = fields.IntField()
    seq = fields.IntField()
    first_stream_on: date | None = DayField(null=True)
    broadcasts = fields.IntField()  # from the day of graduation to this day
    elsewhere = fields.IntField()  # of these, of other bureaus than the programme's
    net_sales_fen = fields.BigIntField()  # of all of them
    employment = fields.CharField(max_length=16)  # see followups.EMPLOYMENT
    note = fields.CharField(max_length=200, default="")
    contacted_by = fields.CharField(max_length=80)
    at = InstantField()

    class Meta:
        table = "follow_up"
        unique_together = (("enrolment_id", "day", "seq"),)


class Mentor(Model):
    """导师."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    person: fields.OneToOneRelation[Person] = fields.OneToOneField(
        "livehub.Person", on_delete=fields.RESTRICT, related_name=False
    )
    person_id: int
    field = fields.CharField(max_length=60)  # what she is good at
    active = fields.BooleanField(default=True)

    class Meta:
        table = "mentor"


class Incubation(Model):
    """孵化: somebody on the way from training to a business of her own, stages go forward only."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False
    )
    centre_id: int
    bureau: fields.ForeignKeyRelation[Bureau] = fields.ForeignKeyField(
        "livehub.Bureau", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    bureau_id: int
    person: fields.ForeignKeyRelation[Person] = fields.ForeignKeyField(
        "livehub.Person", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    person_id: int
    mentor: fields.ForeignKeyNullableRelation[Mentor] = fields.ForeignKeyField(
        "livehub.Mentor", on_delete=fields.RESTRICT, related_name=False, db_index=True, null=True
    )
    mentor_id: int | None
    stage = fields.CharEnumField(IncubationStage, max_length=10)
    version = fields.IntField(default=1)
    admitted_on: date | None = DayField(null=True)
    due_on: date | None = DayField(null=True)
    extension_months = fields.IntField(default=0)  # the sum of its extensions
    ended_on: date | None = DayField(null=True)
    reason = fields.CharField(max_length=200, default="")  # of leaving, or what graduated
    created_at = InstantField()

    class Meta:
        table = "incubation"
        indexes = (("centre_id", "stage"),)


class IncubationExtension(Model):
    """延期 of an incubation. Append-only."""

    id = fields.BigIntField(primary_key=True)
    incubation: fields.ForeignKeyRelation[Incubation] = fields.ForeignKeyField(
        "livehub.Incubation", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    incubation_id: int
    months = fields.IntField()
    reason = fields.CharField(max_length=200)
    by_name = fields.CharField(max_length=80)
    at = InstantField()

    class Meta:
        table = "incubation_extension"


class MentorVisit(Model):
    """导师走访. Append-only."""

    id = fields.BigIntField(primary_key=True)
    mentor: fields.ForeignKeyRelation[Mentor] = fields.ForeignKeyField(
        "livehub.Mentor", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    mentor_id: int
    incubation: fields.ForeignKeyRelation[Incubation] = fields.ForeignKeyField(
        "livehub.Incubation", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    incubation_id: int
    on_day: date = DayField()
    note = fields.CharField(max_length=500)
    by_name = fields.CharField(max_length=80)
    at: datetime = InstantField()

    class Meta:
        table = "mentor_visit"
