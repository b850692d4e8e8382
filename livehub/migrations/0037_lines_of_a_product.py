"""The lines of a platform's product are walked by their orders: the index has them in that order."""

from tortoise import migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("livehub", "0035_second_factors")]

    operations = [
        ops.AddIndex("OrderLine", Index(fields=["shop_id", "product_ref", "order_id"])),
        ops.RemoveIndex("OrderLine", fields=["shop_id", "product_ref"]),
    ]
