"""Messages to people, sent by a channel and kept until they are."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import InstantField


class Notice(Model):
    """One message to one recipient through one channel, the dedupe key makes a repeat harmless."""

    id = fields.BigIntField(primary_key=True)
    centre_id = fields.BigIntField(db_index=True)
    channel = fields.CharField(max_length=16)
    kind = fields.CharField(max_length=32)  # one_time_code | booking.submitted | ...
    dedupe_key = fields.CharField(max_length=32, unique=True)  # a keyed hash of the caller's
    recipient = fields.CharField(max_length=80)  # masked for display
    recipient_sealed = fields.BinaryField()
    body_sealed = fields.BinaryField()
    state = fields.CharField(max_length=8, default="waiting")  # waiting | sent | failed | expired
    attempts = fields.IntField(default=0)
    next_attempt_at = InstantField()  # while an attempt runs, when another process may take it over
    created_at = InstantField()
    sent_at = InstantField(null=True)
    expires_at = InstantField(null=True)

    class Meta:
        table = "notice"
        indexes = (("state", "next_attempt_at"), ("centre_id", "created_at"))
