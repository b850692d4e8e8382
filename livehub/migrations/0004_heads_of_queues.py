"""Facts that wait are found at the head of an index of their own; what was heard is in none."""

from tortoise import migrations
from tortoise.migrations import operations as ops

from livehub.database.operations import index, together


class Migration(migrations.Migration):
    dependencies = [("livehub", "0003_uses_of_a_person")]

    operations = [
        ops.RemoveIndex("OutboxMessage", fields=["status", "next_attempt_at"]),
        together(
            index("outbox_message", "outbox_message_due", "next_attempt_at, id", "status = 'waiting'"),
            index("outbox_message", "outbox_message_dead", "id", "status = 'dead'"),
        ),
    ]
