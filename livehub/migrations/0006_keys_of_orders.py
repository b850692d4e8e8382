"""A message is found by its order once it has one: while it waits, which is when it comes, no index holds it."""

from tortoise import fields, migrations

from livehub.database.operations import DropFieldIndex, index


class Migration(migrations.Migration):
    dependencies = [("livehub", "0005_bytes_that_are_kept")]

    operations = [
        DropFieldIndex(
            "InboxMessage",
            "order_key",
            fields.CharField(max_length=128, default=""),
            index="idx_inbox_messa_order_k_b8f154",
        ),
        index("inbox_message", "inbox_message_of_order", "order_key", "order_key <> ''"),
    ]
