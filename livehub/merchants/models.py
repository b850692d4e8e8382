"""Merchants, their stores, the local products that are sold, and the papers that say they may be."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.accounts.models import Centre
from livehub.database.fields import DayField, DigestField, InstantField


class MerchantStatus(StrEnum):
    """Whether a merchant may redeem."""

    PENDING = "pending"
    APPROVED = "approved"
    SUSPENDED = "suspended"


class Merchant(Model):
    """商户."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    name = fields.CharField(max_length=80)
    town = fields.CharField(max_length=40, default="")
    status = fields.CharEnumField(MerchantStatus, max_length=16, default=MerchantStatus.PENDING)
    created_at = InstantField()

    class Meta:
        table = "merchant"


class Store(Model):
    """门店 of a merchant."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    merchant: fields.ForeignKeyRelation[Merchant] = fields.ForeignKeyField(
        "livehub.Merchant", on_delete=fields.RESTRICT, related_name="stores", db_index=True
    )
    merchant_id: int
    name = fields.CharField(max_length=80)
    address = fields.CharField(max_length=160, default="")

    class Meta:
        table = "store"


class Product(Model):
    """商品 (农特产品), with the town it comes from."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    merchant: fields.ForeignKeyNullableRelation[Merchant] = fields.ForeignKeyField(
        "livehub.Merchant", on_delete=fields.RESTRICT, related_name=False, null=True, db_index=True
    )
    merchant_id: int | None
    name = fields.CharField(max_length=80)
    category = fields.CharField(max_length=24)  # see registry.CATEGORIES
    town = fields.CharField(max_length=40, default="")
    price_fen = fields.BigIntField()

    class Meta:
        table = "product"


class ProductMap(Model):
    """Which product a platform's product id means in one shop."""

    id = fields.BigIntField(primary_key=True)
    shop_id = fields.BigIntField()
    product_ref = fields.CharField(max_length=64)
    product: fields.ForeignKeyRelation[Product] = fields.ForeignKeyField(
        "livehub.Product", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    product_id: int

    class Meta:
        table = "product_map"
        unique_together = (("shop_id", "product_ref"),)


class Qualification(Model):
    """资质: one paper of a product, a merchant or a person, its file's bytes are sealed in its pieces."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    owner_kind = fields.CharField(max_length=10)  # product | merchant | person
    owner_id = fields.BigIntField()
    type = fields.CharField(max_length=24)  # see requirements.TYPES
    number = fields.CharField(max_length=64, default="")  # empty where it is personal, then sealed:
    number_sealed: bytes | None = fields.BinaryField(null=True)
    issued_on: date | None = DayField(null=True)
    valid_to: date | None = DayField(null=True)  # the last day; null: it says no end
    file_name = fields.CharField(max_length=120, default="")
    file_type = fields.CharField(max_length=40, default="")
    file_sha256: bytes | None = DigestField(null=True)
    verified_by = fields.CharField(max_length=80)
    verified_at = InstantField()
    withdrawn_at: datetime | None = InstantField(null=True)
    withdrawn_reason = fields.CharField(max_length=200, default="")

    class Meta:
        table = "qualification"
        indexes = (("owner_kind", "owner_id"), ("centre_id", "valid_to"))


class QualificationPiece(Model):
    """A part of the bytes of a paper's file, packed and sealed."""

    id = fields.BigIntField(primary_key=True)
    qualification: fields.ForeignKeyRelation[Qualification] = fields.ForeignKeyField(
        "livehub.Qualification", on_delete=fields.RESTRICT, related_name=False, db_index=False
    )
    qualification_id: int
    number = fields.IntField()
    body_sealed = fields.BinaryField()

    class Meta:
        table = "qualification_piece"
        unique_together = (("qualification_id", "number"),)


class SelectionReview(Model):
    """选品: what a meeting decided on a product, the newest meeting counts. Append-only."""

    id = fields.BigIntField(primary_key=True)
    product: fields.ForeignKeyRelation[Product] = fields.ForeignKeyField(
        "livehub.Product", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    product_id: int
    meeting_on = DayField()
    decision = fields.CharField(max_length=12)  # approved | conditional | rejected
    valid_to: date | None = DayField(null=True)
    reasons = fields.CharField(max_length=200, default="")
    decided_by = fields.CharField(max_length=80)
    at = InstantField()

    class Meta:
        table = "selection_review"
