"""Settlement statements: their files, their rows, what they settle of order lines, and every difference."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from livehub.database.fields import DayField, DigestField, InstantField
from livehub.database.operations import append_only, check, together, unique_where


class Migration(migrations.Migration):
    dependencies = [("livehub", "0016_ends_of_rounds")]

    operations = [
        ops.CreateModel(
            name="SettlementStatement",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("public_id", fields.CharField(unique=True, max_length=16)),
                ("centre_id", fields.BigIntField()),
                ("shop_id", fields.BigIntField()),
                ("source", fields.CharField(max_length=32)),
                ("name", fields.CharField(max_length=120)),
                ("sha256", DigestField(generated=False, null=False, unique=False)),
                ("size", fields.BigIntField()),
                ("encoding", fields.CharField(max_length=16)),
                ("state", fields.CharField(max_length=12)),
                ("rows", fields.IntField()),
                ("skipped", fields.IntField()),
                ("wrong", fields.IntField()),
                ("mistakes", fields.TextField(unique=False)),
                ("sales_fen", fields.BigIntField()),
                ("fee_fen", fields.BigIntField()),
                ("commission_fen", fields.BigIntField()),
                ("freight_fen", fields.BigIntField()),
                ("other_fen", fields.BigIntField()),
                ("first_day", DayField(generated=False, null=True, unique=False)),
                ("last_day", DayField(generated=False, null=True, unique=False)),
                ("repeated", fields.IntField()),
                ("unknown", fields.IntField()),
                ("made_by", fields.CharField(max_length=80)),
                ("made_at", InstantField(generated=False, null=False, unique=False)),
                ("imported_by", fields.CharField(default="", max_length=80)),
                ("imported_at", InstantField(generated=False, null=True, unique=False)),
            ],
            options={
                "table": "settlement_statement",
                "app": "livehub",
                "unique_together": (("shop_id", "sha256"),),
                "indexes": [Index(fields=["centre_id", "made_at"])],
                "pk_attr": "id",
                "table_description": "结算单: one file of one shop, whose bytes are sealed in its pieces.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="StatementPiece",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("statement_id", fields.BigIntField()),
                ("number", fields.IntField()),
                ("body_sealed", fields.BinaryField(unique=False)),
            ],
            options={
                "table": "statement_piece",
                "app": "livehub",
                "unique_together": (("statement_id", "number"),),
                "pk_attr": "id",
                "table_description": "A part of the bytes of a statement, packed and sealed.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="StatementLine",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("statement_id", fields.BigIntField()),
                ("centre_id", fields.BigIntField()),
                ("shop_id", fields.BigIntField()),
                ("line", fields.IntField()),
                ("digest", DigestField(generated=False, null=False, unique=False)),
                ("order_ref", fields.CharField(max_length=64)),
                ("line_ref", fields.CharField(max_length=64)),
                ("entry_ref", fields.CharField(max_length=64)),
                ("settled_on", DayField(generated=False, null=False, unique=False)),
                ("sales_fen", fields.BigIntField()),
                ("fee_fen", fields.BigIntField()),
                ("commission_fen", fields.BigIntField()),
                ("freight_fen", fields.BigIntField()),
                ("other_fen", fields.BigIntField()),
            ],
            options={
                "table": "statement_line",
                "app": "livehub",
                "unique_together": (("shop_id", "digest"),),
                "indexes": [Index(fields=["statement_id", "line"]), Index(fields=["shop_id", "order_ref"])],
                "pk_attr": "id",
                "table_description": "One row of a statement, there once however many files have it. Append-only.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SettledMark",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("statement_line_id", fields.BigIntField()),
                ("statement_id", fields.BigIntField()),
                ("order_id", fields.BigIntField()),
                ("line_ref", fields.CharField(max_length=64)),
                ("fen", fields.BigIntField()),
                ("at", InstantField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "settled_mark",
                "app": "livehub",
                "unique_together": (("statement_line_id", "line_ref"),),
                "indexes": [Index(fields=["order_id", "line_ref"]), Index(fields=["statement_id"])],
                "pk_attr": "id",
                "table_description": "So much of an order line is settled by a row of a statement: G4 is their sum. Append-only.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SettlementDifference",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("centre_id", fields.BigIntField()),
                ("shop_id", fields.BigIntField()),
                ("statement_id", fields.BigIntField()),
                ("kind", fields.CharField(max_length=12)),
                ("statement_line_id", fields.BigIntField(default=0)),
                ("order_id", fields.BigIntField(default=0)),
                ("line_ref", fields.CharField(default="", max_length=64)),
                ("net_fen", fields.BigIntField()),
                ("settled_fen", fields.BigIntField()),
                ("state", fields.CharField(max_length=12)),
                ("opened_at", InstantField(generated=False, null=False, unique=False)),
                ("reason", fields.CharField(default="", max_length=200)),
                ("explained_by", fields.CharField(default="", max_length=80)),
                ("explained_at", InstantField(generated=False, null=True, unique=False)),
                ("closed_at", InstantField(generated=False, null=True, unique=False)),
            ],
            options={
                "table": "settlement_difference",
                "app": "livehub",
                "indexes": [Index(fields=["centre_id", "state"]), Index(fields=["statement_id"]), Index(fields=["order_id", "line_ref"])],
                "pk_attr": "id",
                "table_description": "What a statement and the books do not agree on, of an order line or of a row nobody can match.",
            },
            bases=["Model"],
        ),
        together(
            append_only("statement_line"),
            append_only("settled_mark"),
            unique_where(
                "settlement_difference",
                "settlement_difference_one_of_row",
                "statement_line_id",
                "state <> 'closed' AND statement_line_id > 0",
            ),
            unique_where(
                "settlement_difference",
                "settlement_difference_one_of_line",
                "order_id, line_ref",
                "state <> 'closed' AND order_id > 0",
            ),
            check(
                "settlement_difference",
                "settlement_difference_explained",
                "{new}state <> 'explained' OR ({new}reason <> '' AND {new}explained_at IS NOT NULL)",
            ),
        ),
    ]
