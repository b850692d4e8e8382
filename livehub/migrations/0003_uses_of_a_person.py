"""The n-th use of one person at one merchant is there once: two tills cannot overlook each other."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from livehub.database.operations import PerDialect, together, unique_where

_NUMBERED = (
    "UPDATE redemption SET claimant_id = n.claimant_id, nth = n.nth FROM"
    " (SELECT r.id, x.claimant_id, row_number() OVER"
    " (PARTITION BY x.claimant_id, r.merchant_id ORDER BY r.at, r.id) AS nth"
    " FROM redemption r JOIN voucher x ON x.id = r.voucher_id WHERE r.merchant_id > 0) AS n WHERE n.id = redemption.id"
)


class Migration(migrations.Migration):
    dependencies = [("livehub", "0002_guards")]

    operations = [
        ops.AddField("Redemption", "claimant_id", fields.BigIntField(default=0)),
        ops.AddField("Redemption", "nth", fields.IntField(default=0)),
        together(
            PerDialect(postgres=[_NUMBERED], sqlite=[_NUMBERED]),
            unique_where(
                "redemption", "redemption_nth_use_of_person", "claimant_id, merchant_id, nth", "nth > 0"
            ),
        ),
    ]
