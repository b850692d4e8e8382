"""Reviews of broadcasts, each frozen once at its stage and never rewritten."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from livehub.database.fields import InstantField
from livehub.database.operations import append_only


class Migration(migrations.Migration):
    dependencies = [("livehub", "0007_nothing_kept_for_nobody")]

    operations = [
        ops.CreateModel(
            name="BroadcastReview",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "broadcast",
                    fields.ForeignKeyField(
                        "livehub.Broadcast",
                        source_field="broadcast_id",
                        db_index=False,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("run", fields.IntField()),
                ("stage", fields.CharField(max_length=4)),
                ("as_of", InstantField(generated=False, null=False, unique=False)),
                ("made_at", InstantField(generated=False, null=False, unique=False)),
                ("frame", fields.TextField(unique=False)),
                ("figures", fields.TextField(unique=False)),
            ],
            options={
                "table": "broadcast_review",
                "app": "livehub",
                "unique_together": (("broadcast_id", "run", "stage"),),
                "pk_attr": "id",
                "table_description": "复盘: one broadcast as it was known at one stage, frozen. Append-only.",
            },
            bases=["Model"],
        ),
        append_only("broadcast_review"),
    ]
