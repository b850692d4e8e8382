"""Vouchers that are claimed together, and rosters whose households are given theirs."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DigestField, InstantField


class Pack(Model):
    """券包: vouchers of a round that one person claims together, all of them or none.

    How many packs there are is said by its templates, which are in no other pack and never given alone:
    each has ``n`` vouchers for a pack.
    """

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    round = fields.ForeignKeyField(
        "livehub.Round", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    name = fields.CharField(max_length=60)
    rules = fields.TextField(default="{}")  # of claiming it: rule name -> parameters, JSON

    class Meta:
        table = "voucher_pack"


class PackItem(Model):
    """So many vouchers of one template in each pack."""

    id = fields.BigIntField(primary_key=True)
    pack = fields.ForeignKeyField(
        "livehub.Pack", on_delete=fields.RESTRICT, related_name="items", db_index=True
    )
    template_id = fields.BigIntField(unique=True)
    n = fields.IntField()

    class Meta:
        table = "voucher_pack_item"


class Household(Model):
    """定向发放的一户: a phone of a roster that was given a direct round's vouchers, once."""

    id = fields.BigIntField(primary_key=True)
    round = fields.ForeignKeyField("livehub.Round", on_delete=fields.RESTRICT, related_name=False)
    person_key = DigestField()
    household_index = DigestField(null=True)  # of the household's number, where the roster has one
    claimant = fields.ForeignKeyField(
        "livehub.Claimant", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    at = InstantField()

    class Meta:
        table = "direct_household"
        unique_together = (("round_id", "person_key"), ("round_id", "household_index"))


class DirectImport(Model):
    """定向发放的一次导入: what came of a roster's file, which itself is not kept."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    round = fields.ForeignKeyField(
        "livehub.Round", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    name = fields.CharField(max_length=120)
    sha256 = DigestField()
    mode = fields.CharField(max_length=8)
    rows = fields.IntField()
    given = fields.IntField()
    unchanged = fields.IntField()
    wrong = fields.IntField()
    head = fields.TextField(default="[]")
    mistakes_sealed = fields.BinaryField(null=True)
    at = InstantField()
    by_name = fields.CharField(max_length=80, default="")

    class Meta:
        table = "direct_import"
