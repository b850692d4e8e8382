"""Merchants, their stores, and the local products that are sold."""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.accounts.models import Centre
from livehub.database.fields import InstantField


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
