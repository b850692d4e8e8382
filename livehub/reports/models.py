"""What reports keep: reviews of broadcasts, reconciled days, closed months, and reports that were signed."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.accounts.models import Bureau, Centre
from livehub.database.fields import DayField, DigestField, InstantField


class BroadcastReview(Model):
    """复盘: one broadcast as it was known at one stage, frozen. Append-only."""

    id = fields.BigIntField(primary_key=True)
    broadcast = fields.ForeignKeyField(
        "livehub.Broadcast", on_delete=fields.RESTRICT, related_name=False, db_index=False
    )
    run = fields.IntField()  # how often the show had been on air: one that goes on again is reviewed anew
    stage = fields.CharField(max_length=4)  # T+0 | T+7 | T+30
    as_of = InstantField()  # when it was due, whenever it was made
    made_at = InstantField()
    frame = fields.TextField()  # canonical JSON of review_figures.Frame
    figures = fields.TextField()  # canonical JSON of review_figures.Figures

    class Meta:
        table = "broadcast_review"
        unique_together = (("broadcast_id", "run", "stage"),)


class DayReconciliation(Model):
    """核对: somebody looked at a day as it was known at an instant and found it right. Append-only."""

    id = fields.BigIntField(primary_key=True)
    centre_id = fields.BigIntField()
    day = DayField()
    as_of = InstantField()
    at = InstantField()
    made_by = fields.CharField(max_length=80)

    class Meta:
        table = "day_reconciliation"
        indexes = (("centre_id", "day"),)


class ClosedMonth(Model):
    """关账: the figures of a month as they were known when it was closed. Append-only."""

    id = fields.BigIntField(primary_key=True)
    centre_id = fields.BigIntField()
    month = fields.IntField()  # YYYYMM
    as_of = InstantField()
    at = InstantField()
    made_by = fields.CharField(max_length=80)
    snapshot = fields.TextField()  # canonical JSON of periods.Snapshot

    class Meta:
        table = "closed_month"
        unique_together = (("centre_id", "month"),)


class ReportState(StrEnum):
    """The life of a report: its content is fixed when it is signed."""

    DRAFT = "draft"
    SIGNED = "signed"
    SUBMITTED = "submitted"
    RETURNED = "returned"


OUTLIVED = "签字之后改过："  # an error begins so when what names the figures is not as it was


class PackState(StrEnum):
    """The life of a report's pack."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class BureauReport(Model):
    """报表: one period of a bureau in one kind of form, a draft has no content of its own yet."""

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
    kind = fields.CharField(max_length=24)
    since: date = DayField()
    until: date = DayField()  # exclusive
    axis = fields.CharField(max_length=8)
    basis = fields.CharField(max_length=2)
    state = fields.CharEnumField(ReportState, max_length=10, default=ReportState.DRAFT)
    prepared_by_id = fields.BigIntField()  # a user; a token's id stands below zero
    prepared_by = fields.CharField(max_length=80)
    prepared_at: datetime = InstantField()
    as_of: datetime | None = InstantField(null=True)  # of the content
    content = fields.TextField(default="")  # canonical JSON of forms.Document
    sha256: bytes | None = DigestField(null=True)  # of the content: what was signed
    signed_by_id = fields.BigIntField(default=0)
    signed_by = fields.CharField(max_length=80, default="")
    signed_at: datetime | None = InstantField(null=True)
    submitted_by = fields.CharField(max_length=80, default="")
    submitted_at: datetime | None = InstantField(null=True)
    reference = fields.CharField(max_length=60, default="")  # under which it was submitted
    returned_by = fields.CharField(max_length=80, default="")
    returned_at: datetime | None = InstantField(null=True)
    reason = fields.CharField(max_length=200, default="")  # why it was returned

    class Meta:
        table = "bureau_report"
        indexes = (("bureau_id", "since"),)


class ReportPack(Model):
    """资料包 of a signed report: made once by the jobs process, its bytes are in its pieces."""

    id = fields.BigIntField(primary_key=True)
    report: fields.OneToOneRelation[BureauReport] = fields.OneToOneField(
        "livehub.BureauReport", on_delete=fields.RESTRICT, related_name=False
    )
    report_id: int
    state = fields.CharEnumField(PackState, max_length=8, default=PackState.WAITING)
    rows = fields.IntField(default=0)  # of evidence that are in by now
    size = fields.BigIntField(default=0)
    sha256: bytes | None = DigestField(null=True)
    error = fields.CharField(max_length=500, default="")
    attempts = fields.IntField(default=0)
    lease_until = InstantField(default=0)
    lease_token = fields.BigIntField(default=0)
    made_at: datetime | None = InstantField(null=True)

    @property
    def is_outlived(self) -> bool:
        """Whether it was not made because what names the figures was changed since they were signed."""
        return self.error.startswith(OUTLIVED)

    class Meta:
        table = "report_pack"
        indexes = (("state", "lease_until"),)


class ReportPackPiece(Model):
    """A part of the bytes of a pack, in their order."""

    id = fields.BigIntField(primary_key=True)
    pack: fields.ForeignKeyRelation[ReportPack] = fields.ForeignKeyField(
        "livehub.ReportPack", on_delete=fields.RESTRICT, related_name=False, db_index=False
    )
    pack_id: int
    number = fields.IntField()
    body = fields.BinaryField()

    class Meta:
        table = "report_pack_piece"
        unique_together = (("pack_id", "number"),)
