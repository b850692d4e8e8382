"""Claiming a subsidy for a class: its lines, the checks before it, and the files of its archive."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DayField, DigestField, InstantField
from streamers.training.models import Cohort, Enrolment


class ClaimState(StrEnum):
    """The life of a claim."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    PUBLICISED = "publicised"
    APPROVED = "approved"
    PAID = "paid"
    RETURNED = "returned"


class SubsidyClaim(Model):
    """补贴申领 of one class. people and max_class stand side by side so that the database can compare."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    cohort: fields.OneToOneRelation[Cohort] = fields.OneToOneField(
        "livehub.Cohort", on_delete=fields.RESTRICT, related_name=False
    )
    cohort_id: int
    state = fields.CharEnumField(ClaimState, max_length=10)
    version = fields.IntField(default=1)
    people = fields.IntField()
    max_class = fields.IntField()
    pass_rate = fields.CharField(max_length=24)  # exactly: 21/22, '' where nobody began
    factor = fields.CharField(max_length=12)  # of per_head_fen, as text: 1 or 0.60
    per_head_fen = fields.BigIntField()
    total_fen = fields.BigIntField()
    card = fields.CharField(max_length=6, default="")  # yellow | red, of the class's attendance
    late_reason = fields.CharField(max_length=200, default="")
    reason = fields.CharField(max_length=200, default="")  # of the last return
    made_at = InstantField()
    submitted_by_id = fields.BigIntField(default=0)
    submitted_by = fields.CharField(max_length=80, default="")
    submitted_at: datetime | None = InstantField(null=True)
    publicised_at: datetime | None = InstantField(null=True)
    approved_by_id = fields.BigIntField(default=0)
    approved_by = fields.CharField(max_length=80, default="")
    approved_at: datetime | None = InstantField(null=True)
    paid_by = fields.CharField(max_length=80, default="")
    paid_at: datetime | None = InstantField(null=True)
    payment_ref = fields.CharField(max_length=60, default="")

    class Meta:
        table = "subsidy_claim"


class SubsidyLine(Model):
    """One person of a claim. A line that holds takes her subsidy for this occupation and level for good."""

    id = fields.BigIntField(primary_key=True)
    claim: fields.ForeignKeyRelation[SubsidyClaim] = fields.ForeignKeyField(
        "livehub.SubsidyClaim", on_delete=fields.RESTRICT, related_name=False
    )
    claim_id: int
    enrolment: fields.ForeignKeyRelation[Enrolment] = fields.ForeignKeyField(
        "livehub.Enrolment", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    enrolment_id: int
    person_id = fields.BigIntField()
    occupation = fields.CharField(max_length=40)
    level = fields.IntField()
    eligible = fields.BooleanField()
    reason = fields.CharField(max_length=20, default="")  # why not, see subsidies.REASONS
    amount_fen = fields.BigIntField()
    holds = fields.BooleanField(default=False)  # since it was submitted, until it is returned

    class Meta:
        table = "subsidy_line"
        unique_together = (("claim_id", "enrolment_id"),)


class SpotCheck(Model):
    """抽查 of one person of a class. Append-only."""

    id = fields.BigIntField(primary_key=True)
    enrolment: fields.ForeignKeyRelation[Enrolment] = fields.ForeignKeyField(
        "livehub.Enrolment", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    enrolment_id: int
    method = fields.CharField(max_length=8)  # visit | phone | video
    confirmed = fields.BooleanField()  # whether she says that she was there
    note = fields.CharField(max_length=200, default="")
    by_name = fields.CharField(max_length=80)
    at = InstantField()

    class Meta:
        table = "spot_check"


class EvidenceFile(Model):
    """佐证材料 of a class, sealed, kept for as long as the programme asks."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    cohort: fields.ForeignKeyRelation[Cohort] = fields.ForeignKeyField(
        "livehub.Cohort", on_delete=fields.RESTRICT, related_name=False
    )
    cohort_id: int
    kind = fields.CharField(max_length=16)  # see evidence.KINDS
    name = fields.CharField(max_length=120)
    size = fields.IntField()
    sha256 = DigestField()
    content_sealed: bytes = fields.BinaryField()
    retain_until: date = DayField()
    by_name = fields.CharField(max_length=80)
    at = InstantField()

    class Meta:
        table = "evidence_file"
        unique_together = (("cohort_id", "sha256"),)
