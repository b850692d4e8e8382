"""What reports keep: the reviews of broadcasts, each as the show was known at its stage."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import InstantField


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
