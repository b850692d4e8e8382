"""What the audit of the rollups repaired, and how far it has come."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from livehub.database.fields import DayField, InstantField
from livehub.database.operations import append_only


class Migration(migrations.Migration):
    dependencies = [("livehub", "0013_words_of_clerks")]

    operations = [
        ops.CreateModel(
            name="RollupRepair",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("at", InstantField(generated=False, null=False, unique=False)),
                ("why", fields.CharField(max_length=8)),
                ("order_id", fields.BigIntField()),
                ("line_ref", fields.CharField(max_length=64)),
                ("centre_id", fields.BigIntField()),
                ("day", DayField(generated=False, null=False, unique=False)),
                ("broadcast_id", fields.BigIntField()),
                ("shop_id", fields.BigIntField()),
                ("streamer_id", fields.BigIntField()),
                ("product_id", fields.BigIntField()),
                ("attribution", fields.CharField(max_length=1)),
                ("was", fields.TextField(unique=False)),
                ("became", fields.TextField(unique=False)),
            ],
            options={
                "table": "rollup_repair",
                "app": "livehub",
                "indexes": [Index(fields=["centre_id", "at"])],
                "pk_attr": "id",
                "table_description": (
                    "修复: a bucket that was not the sum of its entries, or what a line adds to one. Append-only."
                ),
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RollupMark",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("before_id", fields.BigIntField()),
                ("seen_id", fields.BigIntField()),
            ],
            options={
                "table": "rollup_mark",
                "app": "livehub",
                "pk_attr": "id",
                "table_description": "Up to which entry the audit has come, and had come the time before. One row.",
            },
            bases=["Model"],
        ),
        append_only("rollup_repair"),
    ]
