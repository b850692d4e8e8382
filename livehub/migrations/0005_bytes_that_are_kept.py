"""The deliveries that still have their bytes are found by age; of those whose bytes are gone none is read."""

from tortoise import migrations

from livehub.database.fields import InstantField
from livehub.database.operations import DropFieldIndex, index


class Migration(migrations.Migration):
    dependencies = [("livehub", "0004_heads_of_queues")]

    operations = [
        DropFieldIndex("InboxDelivery", "received_at", InstantField(), index="idx_inbox_deliv_receive_309a2d"),
        index("inbox_delivery", "inbox_delivery_kept", "received_at, id", "body_sealed IS NOT NULL"),
    ]
