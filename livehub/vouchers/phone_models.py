"""How a consumer's phone is known: the codes sent to it, and the session that follows."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DigestField, InstantField


class ClaimantSession(Model):
    """The 30-day cookie of a claimant's phone."""

    id = fields.BigIntField(primary_key=True)
    token_hash = DigestField(unique=True)
    claimant = fields.ForeignKeyField(
        "livehub.Claimant", on_delete=fields.CASCADE, related_name=False, db_index=True
    )
    created_at = InstantField()
    expires_at = InstantField()

    class Meta:
        table = "claimant_session"


class OneTimeCode(Model):
    """A six-digit code, kept as a keyed hash, for one phone and purpose."""

    id = fields.BigIntField(primary_key=True)
    purpose = fields.CharField(max_length=16)  # claim | device
    phone_index = DigestField()
    code_mac = fields.CharField(max_length=32)
    expires_at = InstantField()
    tries = fields.IntField(default=0)
    used_at = InstantField(null=True)
    created_at = InstantField()

    class Meta:
        table = "one_time_code"
        indexes = (("phone_index", "purpose"),)
