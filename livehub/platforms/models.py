"""App credentials of platforms, and the shops that speak through them."""

from __future__ import annotations

from datetime import datetime

from tortoise import fields
from tortoise.models import Model

from livehub.accounts.models import Bureau, Centre
from livehub.database.fields import InstantField


class Endpoint(Model):
    """One app credential of a platform: one webhook URL, one API access."""

    id = fields.BigIntField(primary_key=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    platform = fields.CharField(max_length=32)
    endpoint_key = fields.CharField(max_length=43, unique=True)
    name = fields.CharField(max_length=80)
    app_key = fields.CharField(max_length=80, default="")
    access_token_sealed: bytes | None = fields.BinaryField(null=True)
    api_base_url = fields.CharField(max_length=200, default="")
    calls_per_second = fields.IntField(default=10)
    disabled = fields.BooleanField(default=False)
    created_at = InstantField()

    class Meta:
        table = "endpoint"


class EndpointSecret(Model):
    """A signing secret of an endpoint, an old one stays valid until its end date while it is rotated."""

    id = fields.BigIntField(primary_key=True)
    endpoint: fields.ForeignKeyRelation[Endpoint] = fields.ForeignKeyField(
        "livehub.Endpoint", on_delete=fields.CASCADE, related_name="secrets", db_index=True
    )
    endpoint_id: int
    secret_sealed = fields.BinaryField()
    created_at = InstantField()
    not_after: datetime | None = InstantField(null=True)

    class Meta:
        table = "endpoint_secret"


EVIDENCE_DAYS, EVIDENCE_FLOOR = 1095, 90  # how long sealed bytes are kept; a CHECK has the floor too


class Shop(Model):
    """店铺: a shop on a platform, and the bureau its unattributed sales count for."""

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
    endpoint: fields.ForeignKeyNullableRelation[Endpoint] = fields.ForeignKeyField(
        "livehub.Endpoint", on_delete=fields.RESTRICT, related_name=False, null=True, db_index=True
    )
    endpoint_id: int | None
    platform = fields.CharField(max_length=32)
    shop_ref = fields.CharField(max_length=64)
    name = fields.CharField(max_length=80)
    evidence_days = fields.IntField(default=EVIDENCE_DAYS)  # how long the bytes of its deliveries are kept
    created_at = InstantField()

    class Meta:
        table = "shop"
        unique_together = (("platform", "shop_ref"),)
