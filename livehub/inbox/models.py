"""Every webhook and fetched reply exactly as it arrived, and each message in it exactly once."""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DigestField, InstantField


class DeliveryStatus(StrEnum):
    """What became of a delivery: taken apart, or kept whole because it could not be read."""

    SPLIT = "split"
    REJECTED = "rejected"


class MessageStatus(StrEnum):
    """The life of a message; see docs/concepts.md."""

    RECEIVED = "received"
    PROCESSING = "processing"
    APPLIED = "applied"
    IGNORED = "ignored"
    STALE = "stale"
    PARKED = "parked"
    DEAD = "dead"


class InboxDelivery(Model):
    """推送: the bytes of one delivery, sealed, sha256 and verdict outlive them."""

    id = fields.BigIntField(primary_key=True)
    received_at = InstantField()
    centre_id = fields.BigIntField()
    platform = fields.CharField(max_length=32)
    endpoint_id = fields.BigIntField()
    source = fields.CharField(max_length=8)  # push | pull | replay
    verdict = fields.CharField(max_length=16)  # signed | unsigned | fetched | imported
    status = fields.CharEnumField(DeliveryStatus, max_length=16)
    error = fields.CharField(max_length=300, default="")
    size = fields.IntField()
    sha256 = DigestField()
    body_sealed = fields.BinaryField(null=True)
    headers = fields.TextField(default="{}")
    host = fields.CharField(max_length=200, default="")  # of a fetched reply
    request_id = fields.CharField(max_length=64, default="")

    class Meta:
        table = "inbox_delivery"


class InboxMessage(Model):
    """消息: one event, recognised by its digest, the row is the queue."""

    id = fields.BigIntField(primary_key=True)
    delivery_id = fields.BigIntField()  # 0: a fact of our own, such as a redemption, and in no index
    centre_id = fields.BigIntField()
    platform = fields.CharField(max_length=32)
    endpoint_id = fields.BigIntField()
    shop_ref = fields.CharField(max_length=64)
    digest = DigestField(unique=True)
    native_type = fields.CharField(max_length=64)
    native_id = fields.CharField(max_length=128)
    source = fields.CharField(max_length=8)  # push | pull | own
    position = fields.IntField(default=0)  # of the element in its delivery
    fact = fields.TextField(default="")  # normalised events without personal data, JSON
    order_key = fields.CharField(max_length=128, default="")  # platform:shop_ref:order_ref; indexed by hand
    provider_ts = InstantField(default=0)
    received_at = InstantField()
    status = fields.CharEnumField(MessageStatus, max_length=16)
    reason = fields.CharField(
        max_length=16, default=""
    )  # of parked: shop schema identity time currency poison
    attempts = fields.IntField(default=0)
    next_attempt_at = InstantField()
    lease_until = InstantField(default=0)
    lease_token = fields.BigIntField(default=0)
    last_error = fields.CharField(max_length=500, default="")
    processed_at = InstantField(null=True)

    class Meta:
        table = "inbox_message"


class ReplayRecord(Model):
    """Who put a parked or dead message back into the queue, and why."""

    id = fields.BigIntField(primary_key=True)
    message_id = fields.BigIntField(db_index=True)
    at = InstantField()
    actor_name = fields.CharField(max_length=80)
    why = fields.CharField(max_length=200)

    class Meta:
        table = "replay_record"


class SignatureFailure(Model):
    """How many deliveries were refused, by hour, nothing of them is stored."""

    id = fields.BigIntField(primary_key=True)
    platform = fields.CharField(max_length=32)
    endpoint_id = fields.BigIntField()  # 0: an unknown endpoint
    hour = InstantField()
    count = fields.IntField()

    class Meta:
        table = "signature_failure"
        unique_together = (("platform", "endpoint_id", "hour"),)


class DuplicateCount(Model):
    """How many deliveries brought nothing new, by endpoint and hour."""

    id = fields.BigIntField(primary_key=True)
    endpoint_id = fields.BigIntField()
    hour = InstantField()
    deliveries = fields.IntField()
    messages = fields.IntField()

    class Meta:
        table = "duplicate_count"
        unique_together = (("endpoint_id", "hour"),)
