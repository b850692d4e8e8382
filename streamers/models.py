"""People who are trained, stream or work a show, and the links streamers hold."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.accounts.models import Centre
from livehub.database.fields import DigestField, InstantField


class StreamerStatus(StrEnum):
    """How far a streamer is."""

    TRAINEE = "trainee"
    NEWBIE = "newbie"
    ACTIVE = "active"
    PAUSED = "paused"
    LEFT = "left"


class Person(Model):
    """人员, the phone is sealed and found by its blind index."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    name = fields.CharField(max_length=40)
    phone_sealed: bytes | None = fields.BinaryField(null=True)
    phone_index: bytes | None = DigestField(null=True, unique=True)
    # 身份证号: sealed and found as the phone is
    identity_sealed: bytes | None = fields.BinaryField(null=True)
    identity_index: bytes | None = DigestField(null=True)
    gender = fields.CharField(max_length=6, default="")  # female | male
    town = fields.CharField(max_length=40, default="")
    born_sealed: bytes | None = fields.BinaryField(null=True)  # the day of birth, as 2010-03-20
    category = fields.CharField(max_length=16, default="")  # see people.CATEGORIES
    education = fields.CharField(max_length=20, default="")
    guardian = fields.CharField(max_length=40, default="")  # of a minor
    consent_at: datetime | None = InstantField(null=True)
    created_at = InstantField()

    class Meta:
        table = "person"


class Streamer(Model):
    """主播."""

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
    stage_name = fields.CharField(max_length=40)
    status = fields.CharEnumField(StreamerStatus, max_length=8)

    class Meta:
        table = "streamer"


class StreamerAccount(Model):
    """An account of a streamer on a platform."""

    id = fields.BigIntField(primary_key=True)
    streamer: fields.ForeignKeyRelation[Streamer] = fields.ForeignKeyField(
        "livehub.Streamer", on_delete=fields.RESTRICT, related_name="accounts", db_index=True
    )
    streamer_id: int
    platform = fields.CharField(max_length=32)
    account_ref = fields.CharField(max_length=64)
    name = fields.CharField(max_length=60, default="")

    class Meta:
        table = "streamer_account"
        unique_together = (("platform", "account_ref"),)


class StreamerLink(Model):
    """The link on a streamer's phone: 128 random bits kept as a hash, one device, 30 days, revocable."""

    id = fields.BigIntField(primary_key=True)
    streamer: fields.ForeignKeyRelation[Streamer] = fields.ForeignKeyField(
        "livehub.Streamer", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    streamer_id: int
    token_hash = DigestField(unique=True)
    device_hash: bytes | None = DigestField(null=True, unique=True)  # of the cookie set at the first use
    created_at = InstantField()
    expires_at = InstantField()
    revoked_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "streamer_link"
