"""A shop's accounts, and the lines that name neither room nor author by shop and time of payment."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from livehub.database.fields import InstantField
from livehub.database.operations import index


class Migration(migrations.Migration):
    dependencies = [("livehub", "0011_placed")]

    operations = [
        ops.CreateModel(
            name="ShopAccount",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "shop",
                    fields.ForeignKeyField(
                        "livehub.Shop",
                        source_field="shop_id",
                        db_index=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("platform", fields.CharField(max_length=32)),
                ("account_ref", fields.CharField(max_length=64)),
                ("created_at", InstantField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "shop_account",
                "app": "livehub",
                "unique_together": (("shop_id", "platform", "account_ref"),),
                "indexes": [Index(fields=["platform", "account_ref"])],
                "pk_attr": "id",
                "table_description": (
                    "A shop that sells on an account: its orders that name no room and no author are"
                    " looked for there."
                ),
            },
            bases=["Model"],
        ),
        index(
            "order_line", "order_line_of_nowhere", "shop_id, paid_at", "room_ref = '' AND author_ref = ''"
        ),
    ]
