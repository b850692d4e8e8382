"""What reports keep: reviews of broadcasts, the days that were reconciled, and the months that are closed."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DayField, InstantField


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
