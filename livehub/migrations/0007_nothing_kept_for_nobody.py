"""Indexes that no question asks are gone, and a voucher's page has room for the second writing of all of it.

A round that expires, or a crowd that redeems in the order in which it claimed, writes every voucher of a page
again at once: without room each of them moves, and with it six entries of indexes.
"""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from livehub.database.operations import DropFieldIndex, PerDialect, index, together


class Migration(migrations.Migration):
    dependencies = [("livehub", "0006_keys_of_orders")]

    operations = [
        DropFieldIndex(
            "LedgerEntry", "voucher_id", fields.BigIntField(default=0), index="idx_ledger_entr_voucher_5f1c23"
        ),
        DropFieldIndex(
            "InboxMessage", "delivery_id", fields.BigIntField(), index="idx_inbox_messa_deliver_3f33c5"
        ),
        ops.RemoveIndex("AuditEntry", fields=["object_kind", "object_id"]),
        together(
            index("inbox_message", "inbox_message_of_delivery", "delivery_id", "delivery_id > 0"),
            PerDialect(postgres=["ALTER TABLE voucher SET (fillfactor = 50)"], sqlite=[]),
        ),
    ]
