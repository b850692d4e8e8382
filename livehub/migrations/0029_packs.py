"""Packs of vouchers, drops that put packs out, and rosters whose households are given theirs."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from livehub.database.fields import DigestField, InstantField
from livehub.database.operations import AddColumn, AddNumber, CreateModels, check


def _id() -> tuple[str, object]:
    return ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True))


def _of(model: str, column: str, *, related_name: str | bool = False, db_index: bool = True) -> object:
    return fields.ForeignKeyField(
        model,
        source_field=column,
        db_index=db_index,
        db_constraint=True,
        to_field="id",
        related_name=related_name,
        on_delete=OnDelete.RESTRICT,
    )


class Migration(migrations.Migration):
    dependencies = [("livehub", "0028_repayments")]

    operations = [
        CreateModels(
            ops.CreateModel(
                name="Pack",
                fields=[
                    _id(),
                    ("public_id", fields.CharField(unique=True, max_length=16)),
                    ("round", _of("livehub.Round", "round_id")),
                    ("name", fields.CharField(max_length=60)),
                    ("rules", fields.TextField(default="{}", unique=False)),
                ],
                options={
                    "table": "voucher_pack",
                    "app": "livehub",
                    "pk_attr": "id",
                    "table_description": "券包: vouchers of a round that one person claims together, all of them or none.",
                },
                bases=["Model"],
            ),
            ops.CreateModel(
                name="PackItem",
                fields=[
                    _id(),
                    ("pack", _of("livehub.Pack", "pack_id", related_name="items")),
                    ("template_id", fields.BigIntField(unique=True)),
                    ("n", fields.IntField()),
                ],
                options={
                    "table": "voucher_pack_item",
                    "app": "livehub",
                    "pk_attr": "id",
                    "table_description": "So many vouchers of one template in each pack.",
                },
                bases=["Model"],
            ),
            ops.CreateModel(
                name="Household",
                fields=[
                    _id(),
                    ("round", _of("livehub.Round", "round_id", db_index=False)),
                    ("person_key", DigestField(generated=False, null=False, unique=False)),
                    ("household_index", DigestField(null=True, generated=False, unique=False)),
                    ("claimant", _of("livehub.Claimant", "claimant_id")),
                    ("at", InstantField(generated=False, null=False, unique=False)),
                ],
                options={
                    "table": "direct_household",
                    "app": "livehub",
                    "unique_together": (("round_id", "person_key"), ("round_id", "household_index")),
                    "pk_attr": "id",
                    "table_description": "定向发放的一户: a phone of a roster that was given a direct round's vouchers, once.",
                },
                bases=["Model"],
            ),
            ops.CreateModel(
                name="DirectImport",
                fields=[
                    _id(),
                    ("public_id", fields.CharField(unique=True, max_length=16)),
                    ("round", _of("livehub.Round", "round_id")),
                    ("name", fields.CharField(max_length=120)),
                    ("sha256", DigestField(generated=False, null=False, unique=False)),
                    ("mode", fields.CharField(max_length=8)),
                    ("rows", fields.IntField()),
                    ("given", fields.IntField()),
                    ("unchanged", fields.IntField()),
                    ("wrong", fields.IntField()),
                    ("head", fields.TextField(default="[]", unique=False)),
                    ("mistakes_sealed", fields.BinaryField(null=True)),
                    ("at", InstantField(generated=False, null=False, unique=False)),
                    ("by_name", fields.CharField(default="", max_length=80)),
                ],
                options={
                    "table": "direct_import",
                    "app": "livehub",
                    "pk_attr": "id",
                    "table_description": "定向发放的一次导入: what came of a roster's file, which itself is not kept.",
                },
                bases=["Model"],
            ),
        ),
        AddNumber("Drop", "pack_id", fields.BigIntField(default=0), table="voucher_drop"),
        AddColumn("Drop", "vouchers_each", fields.IntField(default=1), table="voucher_drop", column="INT NOT NULL DEFAULT 1"),
        check("voucher_pack_item", "voucher_pack_item_some", "{new}n > 0"),
        check("voucher_drop", "voucher_drop_each", "{new}vouchers_each > 0"),
    ]
