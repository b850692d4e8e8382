"""Days that were reconciled and months that are closed: neither is ever rewritten."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from livehub.database.fields import DayField, InstantField
from livehub.database.operations import append_only, together


class Migration(migrations.Migration):
    dependencies = [("livehub", "0017_statements")]

    operations = [
        ops.CreateModel(
            name="DayReconciliation",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("centre_id", fields.BigIntField()),
                ("day", DayField(generated=False, null=False, unique=False)),
                ("as_of", InstantField(generated=False, null=False, unique=False)),
                ("at", InstantField(generated=False, null=False, unique=False)),
                ("made_by", fields.CharField(max_length=80)),
            ],
            options={
                "table": "day_reconciliation",
                "app": "livehub",
                "indexes": [Index(fields=["centre_id", "day"])],
                "pk_attr": "id",
                "table_description": "核对: somebody looked at a day as it was known at an instant and found it right. Append-only.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ClosedMonth",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("centre_id", fields.BigIntField()),
                ("month", fields.IntField()),
                ("as_of", InstantField(generated=False, null=False, unique=False)),
                ("at", InstantField(generated=False, null=False, unique=False)),
                ("made_by", fields.CharField(max_length=80)),
                ("snapshot", fields.TextField(unique=False)),
            ],
            options={
                "table": "closed_month",
                "app": "livehub",
                "unique_together": (("centre_id", "month"),),
                "pk_attr": "id",
                "table_description": "关账: the figures of a month as they were known when it was closed. Append-only.",
            },
            bases=["Model"],
        ),
        together(append_only("day_reconciliation"), append_only("closed_month")),
    ]
