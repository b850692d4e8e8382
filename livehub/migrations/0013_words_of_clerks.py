"""What clerks said of single lines, never erased; a word on a whole order becomes one on each of its lines."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from livehub.database.fields import InstantField
from livehub.database.operations import PerDialect, append_only

_MOVED = [
    "INSERT INTO line_assignment (order_id, line_ref, broadcast_id, streamer_id, reason, actor_id, actor_name,"
    " at) SELECT a.order_id, l.line_ref, a.broadcast_id, a.streamer_id, a.source, 0, '', a.at"
    " FROM order_assignment a JOIN order_line l ON l.order_id = a.order_id WHERE a.attribution = 'M'",
    "DELETE FROM order_assignment WHERE attribution = 'M'",
]


class Migration(migrations.Migration):
    dependencies = [("livehub", "0012_accounts_of_shops")]

    operations = [
        ops.CreateModel(
            name="LineAssignment",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("order_id", fields.BigIntField()),
                ("line_ref", fields.CharField(max_length=64)),
                ("broadcast_id", fields.BigIntField()),
                ("streamer_id", fields.BigIntField()),
                ("reason", fields.CharField(max_length=200)),
                ("actor_id", fields.BigIntField()),
                ("actor_name", fields.CharField(max_length=80)),
                ("at", InstantField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "line_assignment",
                "app": "livehub",
                "indexes": [Index(fields=["order_id", "line_ref"])],
                "pk_attr": "id",
                "table_description": "人工认定: what a clerk said of one line, the newest counts. Append-only.",
            },
            bases=["Model"],
        ),
        ops.AlterModelOptions(
            "OrderAssignment",
            {"pk_attr": "id", "table_description": "An order given to a broadcast by its voucher."},
        ),
        PerDialect(postgres=_MOVED, sqlite=_MOVED),
        append_only("line_assignment"),
    ]
