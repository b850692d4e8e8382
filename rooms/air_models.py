"""What must be true before a broadcast goes on air, and what is kept of it afterwards."""

from __future__ import annotations

from datetime import datetime

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DigestField, InstantField
from rooms.models import Broadcast


class PreAirCheck(Model):
    """开播前检查: one signature under a checklist, the one that completes it has passed. Append-only."""

    id = fields.BigIntField(primary_key=True)
    broadcast: fields.ForeignKeyRelation[Broadcast] = fields.ForeignKeyField(
        "livehub.Broadcast", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    broadcast_id: int
    subject = DigestField()  # of what was checked: another streamer or product asks for a new check
    items = fields.CharField(max_length=200)  # what the signer ticked, by blanks
    role = fields.CharField(max_length=8)  # anchor | console | centre
    signer_kind = fields.CharField(max_length=10)
    signer_id = fields.BigIntField()
    signed_by = fields.CharField(max_length=80)
    passed = fields.BooleanField()
    at = InstantField()

    class Meta:
        table = "pre_air_check"


class Incident(Model):
    """播出差错: something said or done on the air that was wrong, and how it was put right. Never deleted."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    broadcast: fields.ForeignKeyRelation[Broadcast] = fields.ForeignKeyField(
        "livehub.Broadcast", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    broadcast_id: int
    at = InstantField()  # when it happened
    category = fields.CharField(max_length=16)  # see incidents.CATEGORIES
    text = fields.CharField(max_length=500)
    reported_by = fields.CharField(max_length=80)
    reported_at = InstantField()
    correction = fields.CharField(max_length=500, default="")
    corrected_by = fields.CharField(max_length=80, default="")
    corrected_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "incident"


class Recording(Model):
    """回放: where a broadcast's video is kept, and what it is recognised by."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    broadcast: fields.ForeignKeyRelation[Broadcast] = fields.ForeignKeyField(
        "livehub.Broadcast", on_delete=fields.RESTRICT, related_name=False, db_index=False
    )
    broadcast_id: int
    ref = fields.CharField(max_length=200)  # a platform's id of the replay, or a file's place
    sha256: bytes | None = DigestField(null=True)  # of a file of our own
    seconds = fields.IntField()
    noted_by = fields.CharField(max_length=80)
    noted_at = InstantField()

    class Meta:
        table = "recording"
        unique_together = (("broadcast_id", "ref"),)
